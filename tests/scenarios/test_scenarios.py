"""Every scenario file against the operator's core."""

from pathlib import Path
from typing import Any

import pytest

from scenarios.files import FILES, identity, parameters, read, seen
from scenarios.world import World


@pytest.mark.parametrize("file", parameters(FILES))
def test_scenario(file: Path) -> None:
    scenario = read(file)
    world = World(scenario["given"])
    for number, step in enumerate(scenario["steps"], 1):
        world.told = [] if number > 1 else world.told
        for verb, what in step.get("when", {}).items():
            getattr(world, verb)(what)
        world.settle()
        for who, wanted in step["then"].items():
            found = _look(world, who)
            assert {name: found[name] for name in wanted} == wanted, f"step {number}, {who}"


def test_there_are_scenarios() -> None:
    assert len(FILES) >= 20


def _look(world: World, who: str) -> dict[str, Any]:
    if who in world.machines:
        return {"serves": (world.machines[who].plumbing.get("status") or {}).get("served")}
    key = identity(who)
    if key[0] == "Service":
        return world.look_at_service(*key[1:])
    if key[0] == "AddressPool":
        return world.pools[key[2]]._asdict()
    if key not in world.objects:
        return {"exists": False}
    found = world.objects[key]
    return {
        **seen(found["status"]),
        "moves": world.moves[key],
        "exists": True,
        "spec": found["spec"],
    }
