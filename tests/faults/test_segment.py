"""The segment comes apart and heals, with the client on either side."""

import time

from faults.expected import (
    ADDRESSES,
    HEALED,
    OWNERS,
    VICTIM,
    assert_one_owner,
    assert_others_undisturbed,
    home,
    moved,
)
from lab.cluster import Lab
from lab.fleet import Fleet
from lab.observer.results import Sight


def assert_two_owners_only_while_it_heals(sight: Sight) -> None:
    """Each half had its owner: for a moment the healed segment has both."""
    times = [double.time for double in sight.doubles]
    assert {double.address for double in sight.doubles} <= {VICTIM}
    assert not times or max(times) - min(times) < HEALED, sight.doubles
    assert sight.dropped == 0


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
    assert_two_owners_only_while_it_heals(seen.sight)


def test_a_split_segment_moves_nothing_while_every_agent_is_heard(lab: Lab, fleet: Fleet) -> None:
    with lab.observe(ADDRESSES) as seen:
        lab.split("n3")
        time.sleep(3)
        lab.heal("n3")
        time.sleep(1)
    assert_one_owner(seen.sight)
    assert [held.machine for held in seen.sight.holdings[VICTIM]] == ["n3"]
    assert seen.sight.owners() == OWNERS
    assert_others_undisturbed(seen.sight)
    home(fleet)


def test_a_client_on_the_lost_side_of_a_split_has_one_owner_as_well(
    lab: Lab, fleet: Fleet
) -> None:
    with lab.observe(ADDRESSES) as seen:
        lab.machines["n3"].cut("control")
        lab.split("n3", "client")
        moved(fleet)
        time.sleep(1)
        held = time.monotonic()
        lab.heal("n3", "client")
        time.sleep(2)
        lab.machines["n3"].mend("control")
        home(fleet)
    assert_two_owners_only_while_it_heals(seen.sight)
    machines = [h.machine for h in seen.sight.holdings[VICTIM] if h.first < held]
    assert machines == ["n3"], "its own side's owner was not left alone"
    assert seen.sight.owners() == OWNERS
