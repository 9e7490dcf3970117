"""etcd goes back to a backup: what was moved since moves back, and no two answer for one address.

All numbers of the store count on from earlier values then, while agents and operators know later
ones. Nothing of DuraVIP is started anew, unless a test does so.
"""

import time
from collections.abc import Iterator
from typing import Final

import pytest

from api.objects import apply, duravip, topology
from faults.expected import ADDRESSES, OWNERS, assert_one_owner, home
from faults.fleets import OPERATORS, are_fenced, bring_back
from lab.cluster import Lab
from lab.fleet import Fleet, wait_until

ELSEWHERE: Final = {"10.1.1.1": "n2", "10.1.1.2": "n3", "10.1.1.3": "n1"}
"""Who is to have the addresses for the time between backup and restoration."""


@pytest.fixture(params=["Segment", "Strict"])
def fenced(request: pytest.FixtureRequest, lab: Lab, running: Fleet) -> Iterator[Fleet]:
    bring_back(running)
    apply(lab, [topology(fencing=request.param)])
    wait_until(lambda: are_fenced(lab, request.param), "the fencing is in force")
    yield running
    bring_back(running)
    apply(lab, [topology(fencing="Segment")])
    wait_until(lambda: are_fenced(lab, "Segment"), "no node is strictly fenced")


def prefer(lab: Lab, owners: dict[str, str]) -> None:
    apply(lab, [duravip(f"vip-{a[-1]}", a, preference=node) for a, node in owners.items()])


def changed_and_restored(lab: Lab, fleet: Fleet) -> None:
    """A backup, then changes of everything, then the backup again."""
    lab.control_plane.back_up()
    for _ in range(2):
        prefer(lab, ELSEWHERE)
        wait_until(lambda: fleet.owners() == ELSEWHERE, "they have moved")
        prefer(lab, OWNERS)
        home(fleet)
    prefer(lab, ELSEWHERE)
    wait_until(lambda: fleet.owners() == ELSEWHERE, "they have moved")
    lab.control_plane.restore()
    lab.control_plane.wait_until_ready()


def wait_until_back(lab: Lab, fleet: Fleet) -> None:
    started = time.monotonic()

    def are_all_heard() -> bool:
        return lab.who_answers(ADDRESSES) == OWNERS

    wait_until(are_all_heard, "every address answers where the backup has it")
    took = time.monotonic() - started
    print(f"\nevery address answered {took:.1f} s after the API server was back")
    home(fleet)


def test_every_address_answers_again_and_none_twice(lab: Lab, fenced: Fleet) -> None:
    with lab.observe(ADDRESSES) as seen:
        changed_and_restored(lab, fenced)
        wait_until_back(lab, fenced)
    assert_one_owner(seen.sight)


def test_it_is_the_same_when_all_operators_have_started_anew(lab: Lab, fenced: Fleet) -> None:
    """Nobody of them knows what was before; the agents do."""
    with lab.observe(ADDRESSES) as seen:
        for machine in OPERATORS:
            fenced.operators[machine].terminate()
            fenced.operators[machine].wait()
            fenced.start_operator(machine)  # each start is a reign, or may be
        changed_and_restored(lab, fenced)
        for machine in OPERATORS:
            fenced.operators[machine].kill()
            fenced.start_operator(machine)
        wait_until_back(lab, fenced)
    assert_one_owner(seen.sight)


def test_agents_that_start_anew_meanwhile_take_nothing_that_others_have(
    lab: Lab, fenced: Fleet
) -> None:
    with lab.observe(ADDRESSES) as seen:
        changed_and_restored(lab, fenced)
        fenced.agents["n1"].terminate()
        fenced.agents["n1"].wait()
        fenced.start_agent("n1")
        wait_until_back(lab, fenced)
    assert_one_owner(seen.sight)
