"""Agents that are killed, frozen, hung, restarted, or whose work somebody undoes."""

import time

import pytest

from faults.expected import (
    ADDRESSES,
    OWNERS,
    SOON,
    VICTIM,
    assert_one_owner,
    assert_others_undisturbed,
    home,
    moved,
)
from lab.cluster import Lab
from lab.fleet import Fleet, wait_until
from netns.threads import held_up

FROZEN = 10.0


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
    assert_others_undisturbed(seen.sight)


def test_a_frozen_agent_does_not_speak_when_it_thaws(lab: Lab, fleet: Fleet) -> None:
    with lab.observe(ADDRESSES) as seen:
        stopped = time.monotonic()
        fleet.agents["n3"].stop()
        moved(fleet)
        time.sleep(max(0.0, stopped + FROZEN - time.monotonic()))
        fleet.agents["n3"].resume()
        home(fleet)
    assert_one_owner(seen.sight)
    assert seen.sight.back_after(VICTIM, stopped) < SOON


def test_the_addresses_of_a_hung_agent_move_though_its_heart_could_beat(
    lab: Lab, fleet: Fleet
) -> None:
    with lab.observe(ADDRESSES) as seen:
        hung = time.monotonic()
        with held_up(fleet.agents["n3"].pid):
            moved(fleet)
            time.sleep(1)
        home(fleet)
    assert_one_owner(seen.sight)
    assert seen.sight.back_after(VICTIM, hung) < SOON
    assert_others_undisturbed(seen.sight)


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
        time.sleep(0.5)
        wait_until(lambda: lab.who_answers(ADDRESSES) == OWNERS, "all of them answer")
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
