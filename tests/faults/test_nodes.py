"""Machines that crash, freeze, flap, or lose a cable, as a client on their segment sees it."""

import time

from faults.expected import (
    ADDRESSES,
    SOON,
    UNNOTICED,
    VICTIM,
    assert_one_owner,
    assert_others_undisturbed,
    home,
    moved,
)
from faults.fleets import observed_crash
from lab.cluster import Lab
from lab.fleet import Fleet


def test_a_crashed_node_is_replaced(lab: Lab, fleet: Fleet) -> None:
    assert observed_crash(lab, fleet) < SOON


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
    assert_others_undisturbed(seen.sight)


def test_a_node_that_loses_the_control_network_keeps_its_address(lab: Lab, fleet: Fleet) -> None:
    with lab.observe(ADDRESSES) as seen:
        lab.machines["n3"].cut("control")
        time.sleep(5)
        lab.machines["n3"].mend("control")
        home(fleet)
        time.sleep(2)
    assert_one_owner(seen.sight)
    assert seen.sight.worst_gap() < UNNOTICED
    assert [held.machine for held in seen.sight.holdings[VICTIM]] == ["n3"]


def test_a_flapping_node_disturbs_nobody_else(lab: Lab, fleet: Fleet) -> None:
    with lab.observe(ADDRESSES) as seen:
        for _ in range(3):
            lab.machines["n3"].cut("control")
            lab.machines["n3"].cut("segment")
            time.sleep(2.5)
            lab.machines["n3"].mend("segment")
            lab.machines["n3"].mend("control")
            time.sleep(2.5)
        home(fleet)
    assert not [double for double in seen.sight.doubles if double.address != VICTIM]
    assert_others_undisturbed(seen.sight)
