"""The API server and the operators are away, or die at the worst moment."""

import time
from collections.abc import Callable

import pytest

from faults.expected import (
    ADDRESSES,
    OWNERS,
    SOON,
    UNNOTICED,
    assert_one_owner,
    assert_others_undisturbed,
    home,
    moved,
)
from faults.fleets import lead
from lab.cluster import Lab
from lab.fleet import Fleet, wait_until
from lab.processes import Process

AWAY = 20.0
"""So long is the API server away; tests/soak has it away for a minute."""


def test_without_an_api_server_everything_stays(lab: Lab, fleet: Fleet) -> None:
    with lab.observe(ADDRESSES) as seen:
        lab.control_plane.api_server.stop()
        time.sleep(AWAY)
        lab.control_plane.api_server.resume()
        lab.control_plane.wait_until_ready()
        time.sleep(3)
    assert_one_owner(seen.sight)
    assert seen.sight.worst_gap() < UNNOTICED
    home(fleet)
    assert seen.sight.owners() == OWNERS


@pytest.mark.parametrize(
    "go_away",
    [Process.kill, Process.terminate, Process.stop],
    ids=["killed", "scaled down", "frozen"],
)
def test_without_operators_everything_stays_and_a_crash_waits(
    lab: Lab, fleet: Fleet, go_away: Callable[[Process], None]
) -> None:
    with lab.observe(ADDRESSES) as seen:
        for operator in fleet.operators.values():
            go_away(operator)
        time.sleep(2)
        lab.machines["n3"].crash()
        time.sleep(1)
        for machine, operator in list(fleet.operators.items()):
            if go_away is Process.stop:
                operator.resume()
            else:
                operator.wait()
                fleet.start_operator(machine)
        moved(fleet)
    assert_one_owner(seen.sight)
    assert_others_undisturbed(seen.sight)


def test_a_leader_that_is_killed_is_not_missed(lab: Lab, fleet: Fleet) -> None:
    leader = fleet.leader()
    with lab.observe(ADDRESSES) as seen:
        fleet.operators[leader].kill()
        wait_until(lambda: fleet.leader() not in {"", leader}, "another operator leads")
        time.sleep(1)
    assert_one_owner(seen.sight)
    assert seen.sight.worst_gap() < UNNOTICED
    assert seen.sight.owners() == OWNERS


def test_a_leader_that_dies_with_an_owner(lab: Lab, fleet: Fleet) -> None:
    lead(fleet, "n1", "cp")
    time.sleep(2)  # the other one knows the nodes by then
    with lab.observe(ADDRESSES) as seen:
        when = lab.machines["n1"].crash()
        moved(fleet, "n1", "10.1.1.1")
    assert_one_owner(seen.sight)
    assert seen.sight.back_after("10.1.1.1", when) < 2 * SOON
