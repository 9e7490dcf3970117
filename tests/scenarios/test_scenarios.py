"""Every scenario file against the operator's core."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from scenarios.world import World

FILES = sorted(Path(__file__).parent.glob("*/*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_scenario(file: Path) -> None:
    scenario = yaml.safe_load(file.read_text())
    world = World(scenario["given"])
    for number, step in enumerate(scenario["steps"], 1):
        for verb, what in step.get("when", {}).items():
            getattr(world, verb)(what)
        world.settle()
        for who, wanted in step["then"].items():
            found = {name: _seen(world, who)[name] for name in wanted}
            assert found == wanted, f"step {number}, {who}: {world_text(world, who)}"


def test_there_are_scenarios() -> None:
    assert len(FILES) >= 20


def _seen(world: World, who: str) -> dict[str, Any]:
    """What `then` can ask of an object: fields of its status, and shortened conditions."""
    if who in world.machines:
        return {"serves": (world.machines[who].plumbing.get("status") or {}).get("served")}
    status = world_text(world, who)
    conditions = status.get("conditions", [])
    ready = next((c for c in conditions if c["type"] == "Ready"), {})
    seen: dict[str, Any] = {"owner": None, "moved": (status.get("lastMove") or {}).get("reason")}
    seen["from"] = (status.get("lastMove") or {}).get("from")
    seen |= status
    seen["reason"] = ready.get("reason")
    seen["message"] = ready.get("message")
    seen["says"] = [c["type"] for c in conditions if c["status"] == "True" and c is not ready]
    return seen


def world_text(world: World, who: str) -> dict[str, Any]:
    kind, _, path = who.partition(" ")
    namespace, _, name = path.rpartition("/")
    key = (kind, "" if kind == "Topology" else namespace or "default", name)
    found: dict[str, Any] = world.objects[key]["status"]
    return found
