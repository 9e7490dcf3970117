"""The scenario files against the real programs: statuses are what they are in memory."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.real_world import RealWorld, options
from lab.cluster import Lab
from scenarios.files import FILES, forms, parameters, read


def _preparation(file: Path) -> tuple[Any, ...]:
    """Sorts files that want the same nodes together; one node alone comes first.

    For it must be a node that no other one has ever heard.
    """
    given = read(file)["given"]
    nodes = forms(given.get("nodes", {}))
    cards = [sorted(form.get("interfaces", ())) for form in nodes.values()]
    return len(nodes), cards, options(given), file


REAL = sorted((file for file in FILES if "real" not in read(file)), key=_preparation)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """One of its own: a scenario may want anything of it."""
    with Lab("api") as lab:
        yield lab


@pytest.fixture(scope="module")
def world(lab: Lab) -> RealWorld:
    return RealWorld(lab)


@pytest.mark.usefixtures("lab")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("file", parameters(REAL))
def test_scenario(world: RealWorld, file: Path) -> None:
    scenario = read(file)

    def act() -> None:
        for step in scenario["steps"]:
            for verb, what in step.get("when", {}).items():
                getattr(world, verb)(what)
            if "real" not in step:
                world.expect(step["then"], is_new="when" in step)

    world.play(scenario["given"], act)
