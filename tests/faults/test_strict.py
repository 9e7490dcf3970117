"""`fencing: Strict`: never two owners, whatever the segment loses, and however it is split."""

from collections.abc import Iterator

import pytest

from api.objects import apply, topology
from duravip_api.timing import STRICT_HOLD, STRICT_MARGIN
from faults.expected import (
    ADDRESSES,
    SLACK,
    VICTIM,
    assert_one_owner,
    assert_others_undisturbed,
    home,
    moved,
)
from faults.fleets import are_fenced, bring_back, observed_crash
from faults.segments import lossy
from lab.cluster import Lab
from lab.fleet import Fleet, wait_until

FAIL_OVER = STRICT_HOLD + STRICT_MARGIN + 0.5
"""Nobody may answer sooner than a strictly fenced node must have muted itself."""


@pytest.fixture(scope="module")
def strictly(lab: Lab, running: Fleet) -> Iterator[Fleet]:
    bring_back(running)
    apply(lab, [topology(fencing="Strict")])
    wait_until(lambda: are_fenced(lab, "Strict"), "every node is strictly fenced")
    yield running
    apply(lab, [topology(fencing="Segment")])
    bring_back(running)
    wait_until(lambda: are_fenced(lab, "Segment"), "no node is strictly fenced")


@pytest.fixture
def strict(lab: Lab, strictly: Fleet) -> Fleet:
    bring_back(strictly)
    wait_until(lambda: are_fenced(lab, "Strict"), "every node is strictly fenced")
    return strictly


def test_a_crash_while_probes_are_lost(lab: Lab, strict: Fleet) -> None:
    with lossy(lab, percent=50):
        assert STRICT_HOLD - 0.5 < observed_crash(lab, strict) < FAIL_OVER + SLACK


def test_a_node_without_contact_is_mute_before_another_one_speaks(lab: Lab, strict: Fleet) -> None:
    with lossy(lab, percent=100), lab.observe(ADDRESSES) as seen:
        when = lab.machines["n3"].cut("control")
        moved(strict)
        lab.machines["n3"].mend("control")
        home(strict)
    assert_one_owner(seen.sight)
    assert seen.sight.back_after(VICTIM, when) < FAIL_OVER + SLACK
    assert_others_undisturbed(seen.sight)


@pytest.mark.parametrize("side", [("n3",), ("n3", "client")], ids=["taker's", "loser's"])
def test_a_split_segment_seen_from_either_side(
    lab: Lab, strict: Fleet, side: tuple[str, ...]
) -> None:
    with lab.observe(ADDRESSES) as seen:
        lab.machines["n3"].cut("control")
        lab.split(*side)
        moved(strict)
        lab.heal(*side)
        wait_until(lambda: lab.who_answers([VICTIM]) != {}, "its new owner is heard")
        lab.machines["n3"].mend("control")
        home(strict)
    assert_one_owner(seen.sight)
