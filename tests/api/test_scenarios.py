"""The scenario files against the real programs: statuses are what they are in memory."""

from pathlib import Path
from typing import Any

import pytest

from api.real_world import RealWorld, options
from scenarios.files import FILES, forms, parameters, read

LAB = "world"


def _preparation(file: Path) -> tuple[Any, ...]:
    """Sorts files that want the same nodes together."""
    given = read(file)["given"]
    nodes = forms(given.get("nodes", {}))
    cards = [sorted(form.get("interfaces", ())) for form in nodes.values()]
    return len(nodes), cards, options(given), file


REAL = sorted((file for file in FILES if "real" not in read(file)), key=_preparation)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("file", parameters(REAL))
def test_scenario(world: RealWorld, file: Path) -> None:
    scenario = read(file)
    world.begin(scenario["given"])
    for step in scenario["steps"]:
        for verb, what in step.get("when", {}).items():
            getattr(world, verb)(what)
        if "real" not in step:
            world.expect(step["then"], is_new="when" in step)
