"""What goes wrong in a data centre, done to real programs on real kernels, seen from outside.

Whatever happens, two nodes never answer for one address, and an address that can be served is.
The times are generous: how fast it is, the benchmark tells.
"""

import time

import pytest

from faults.conftest import OWNERS
from lab.cluster import Lab
from lab.fleet import Fleet, wait_until
from lab.observer.results import Sight

ADDRESSES = list(OWNERS)
VICTIM = "10.1.1.3"
"""n3's: no operator runs there."""
UNNOTICED, SOON = 1.0, 5.0


def assert_one_owner(sight: Sight) -> None:
    assert sight.double_owners == 0, sight.doubles[:5]
    assert sight.dropped == 0


def moved(fleet: Fleet, node: str = "n3") -> None:
    wait_until(lambda: fleet.owners()[VICTIM] not in {"", node}, "another node owns it", 20)


def home(fleet: Fleet) -> None:
    wait_until(lambda: fleet.owners() == OWNERS, "everything is back where it is preferred", 30)


def test_a_crashed_node_is_replaced(lab: Lab, fleet: Fleet) -> None:
    with lab.observe(ADDRESSES) as seen:
        when = lab.machines["n3"].crash()
        moved(fleet)
        lab.machines["n3"].power_on()
        fleet.start_agent("n3")
        home(fleet)
    assert_one_owner(seen.sight)
    assert seen.sight.back_after(VICTIM, when) < SOON
    assert seen.sight.gap("10.1.1.2") < UNNOTICED


def test_the_addresses_of_a_killed_agent_fall_silent_and_move(lab: Lab, fleet: Fleet) -> None:
    with lab.observe(ADDRESSES) as seen:
        when = time.monotonic()
        fleet.agents["n3"].kill()
        moved(fleet)
        time.sleep(1)
        fleet.start_agent("n3")
        home(fleet)
    assert_one_owner(seen.sight)
    assert seen.sight.back_after(VICTIM, when) < SOON


def test_a_frozen_agent_does_not_speak_when_it_thaws(lab: Lab, fleet: Fleet) -> None:
    with lab.observe(ADDRESSES) as seen:
        fleet.agents["n3"].stop()
        moved(fleet)
        time.sleep(2)
        fleet.agents["n3"].resume()
        home(fleet)
    assert_one_owner(seen.sight)


def test_a_frozen_machine_does_not_speak_when_it_thaws(lab: Lab, fleet: Fleet) -> None:
    with lab.observe(ADDRESSES) as seen:
        lab.machines["n3"].freeze()
        moved(fleet)
        time.sleep(1)
        lab.machines["n3"].thaw()
        home(fleet)
    assert_one_owner(seen.sight)


def test_a_pulled_cable_moves_the_address(lab: Lab, fleet: Fleet) -> None:
    with lab.observe(ADDRESSES) as seen:
        when = lab.machines["n3"].cable("eth1", up=False)
        moved(fleet)
        time.sleep(0.5)
        lab.machines["n3"].cable("eth1", up=True)
        home(fleet)
    assert_one_owner(seen.sight)
    assert seen.sight.back_after(VICTIM, when) < SOON


def test_a_node_that_loses_the_control_network_keeps_its_address(lab: Lab, fleet: Fleet) -> None:
    with lab.observe(ADDRESSES) as seen:
        lab.machines["n3"].cut("control")
        time.sleep(6)
        lab.machines["n3"].mend("control")
        home(fleet)
        time.sleep(2)
    assert_one_owner(seen.sight)
    assert seen.sight.worst_gap() < UNNOTICED
    assert seen.sight.owners() == OWNERS


def test_a_node_cut_off_from_everything_yields_when_it_is_back(lab: Lab, fleet: Fleet) -> None:
    with lab.observe(ADDRESSES) as seen:
        lab.machines["n3"].cut("control")
        lab.machines["n3"].cut("segment")
        moved(fleet)
        time.sleep(1)
        lab.machines["n3"].mend("segment")
        time.sleep(2)
        lab.machines["n3"].mend("control")
        home(fleet)
    doubles = [double.time for double in seen.sight.doubles]
    assert len(doubles) == 0 or max(doubles) - min(doubles) < 0.5, doubles


def test_without_an_api_server_everything_stays(lab: Lab, fleet: Fleet) -> None:
    with lab.observe(ADDRESSES) as seen:
        lab.control_plane.api_server.stop()
        time.sleep(8)
        lab.control_plane.api_server.resume()
        lab.control_plane.wait_until_ready()
        time.sleep(3)
    assert_one_owner(seen.sight)
    assert seen.sight.worst_gap() < UNNOTICED
    home(fleet)
    assert seen.sight.owners() == OWNERS


def test_without_operators_everything_stays_and_a_crash_waits(lab: Lab, fleet: Fleet) -> None:
    with lab.observe(ADDRESSES) as seen:
        for operator in fleet.operators.values():
            operator.kill()
        time.sleep(2)
        lab.machines["n3"].crash()
        time.sleep(2)
        for machine in list(fleet.operators):
            fleet.start_operator(machine)
        moved(fleet)
    assert_one_owner(seen.sight)
    assert seen.sight.gap("10.1.1.1") < UNNOTICED
    assert seen.sight.gap("10.1.1.2") < UNNOTICED


def test_a_leader_that_dies_with_an_owner(lab: Lab, fleet: Fleet) -> None:
    if fleet.leader() != "n1":
        fleet.operators["cp"].terminate()
        fleet.operators["cp"].wait()
        wait_until(lambda: fleet.leader() == "n1", "n1 leads")
        fleet.start_operator("cp")
        time.sleep(2)
    with lab.observe(ADDRESSES) as seen:
        when = lab.machines["n1"].crash()
        wait_until(lambda: fleet.owners()["10.1.1.1"] not in {"", "n1"}, "it has moved", 20)
    assert_one_owner(seen.sight)
    assert seen.sight.back_after("10.1.1.1", when) < 2 * SOON


@pytest.mark.usefixtures("fleet")
@pytest.mark.parametrize(
    "damage",
    [
        "ip addr del 10.1.1.3/32 dev eth1",
        "nft flush ruleset",
        "nft delete table inet duravip",
    ],
)
def test_what_somebody_breaks_is_mended(lab: Lab, damage: str) -> None:
    with lab.observe(ADDRESSES) as seen:
        lab.machines["n3"].run(damage.split())
        time.sleep(2)
    assert_one_owner(seen.sight)
    assert seen.sight.owners() == OWNERS
    assert seen.sight.worst_gap() < SOON


def test_agents_restarted_in_turn_hand_over_and_take_back(lab: Lab, fleet: Fleet) -> None:
    with lab.observe(ADDRESSES) as seen:
        for node in ("n1", "n2", "n3"):
            fleet.agents[node].terminate()
            assert fleet.agents[node].wait() == 0
            fleet.start_agent(node)
            home(fleet)
    assert_one_owner(seen.sight)
    assert seen.sight.worst_gap() < SOON


def test_a_flapping_node_disturbs_nobody_else(lab: Lab, fleet: Fleet) -> None:
    with lab.observe(ADDRESSES) as seen:
        for _ in range(4):
            lab.machines["n3"].cut("control")
            lab.machines["n3"].cut("segment")
            time.sleep(1.5)
            lab.machines["n3"].mend("segment")
            lab.machines["n3"].mend("control")
            time.sleep(1.5)
        home(fleet)
    others = [double for double in seen.sight.doubles if double.address != VICTIM]
    assert not others
    assert seen.sight.gap("10.1.1.1") < UNNOTICED
    assert seen.sight.gap("10.1.1.2") < UNNOTICED
