"""A node whose clock is an hour off: nothing that decides goes by the time of day."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from faults.expected import (
    ADDRESSES,
    OWNERS,
    SOON,
    UNNOTICED,
    assert_one_owner,
    home,
)
from faults.fleets import bring_back, lead, observed_crash
from lab.cluster import Lab
from lab.fleet import NAMESPACE, Fleet, wait_until

SHIFTED = Path(__file__).parent / "clock"
HOUR = timedelta(hours=1)


def restart(fleet: Fleet) -> None:
    """Let the programs on n1 begin anew, with the clock that they are given now."""
    for program in (fleet.operators["n1"], fleet.agents["n1"]):
        program.terminate()
        program.wait()
    fleet.start_operator("n1")
    fleet.start_agent("n1")


@pytest.fixture
def shift(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Iterator[timedelta]:
    """All programs on n1 run with a clock that is wrong, and the one that leads is there."""
    path = os.pathsep.join(filter(None, [str(SHIFTED), os.environ.get("PYTHONPATH")]))
    with monkeypatch.context() as changed:
        changed.setenv("PYTHONPATH", path)
        changed.setenv("WALL_CLOCK_SHIFT", str(HOUR.total_seconds()))
        restart(fleet)
    home(fleet)
    lead(fleet, "n1", "cp")
    yield HOUR
    restart(fleet)
    bring_back(fleet)


def test_a_node_whose_clock_is_an_hour_off(lab: Lab, fleet: Fleet, shift: timedelta) -> None:
    def renewed() -> timedelta:
        get = ("get", "lease", "duravip-operator", f"-n{NAMESPACE}")
        said = lab.kubectl(*get, "-o=jsonpath={.spec.renewTime}")
        return datetime.fromisoformat(said) - datetime.now(UTC)

    wait_until(lambda: abs(renewed() - shift) < HOUR / 2, "the shifted clock is the leader's")
    assert observed_crash(lab, fleet) < SOON
    with lab.observe(ADDRESSES) as seen:
        fleet.operators["n1"].kill()
        wait_until(lambda: fleet.leader() == "cp", "the one with the right clock leads")
    assert_one_owner(seen.sight)
    assert seen.sight.worst_gap() < UNNOTICED
    assert seen.sight.owners() == OWNERS
