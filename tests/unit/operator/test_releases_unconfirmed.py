"""What a node may still hold beside its grants: written into its spec, for the next leader."""

from dataclasses import replace
from typing import Any

import pytest

from duravip_api.grants import MOST_GRANTED
from duravip_operator.core import decision, nodeplumbing_spec, parsing, releases
from duravip_operator.core.handover import Plan
from duravip_operator.core.releases import ReleaseRecord, ReleaseRecords
from duravip_operator.core.snapshot import Liveness, Placement, Plumbing, Snapshot
from unit.operator import clusters
from unit.operator.clusters import cluster, vip

ETH1, ETH2 = Placement("eth1", 32), Placement("eth2", 32)
HAS, LOST, OTHER = "10.1.1.1", "10.1.1.2", "10.1.1.3"


def written(before: Plumbing, plan: Plan, records: ReleaseRecords, epoch: int = 3) -> Plumbing:
    """A NodePlumbing after a leader has replaced its spec, read by one who knows nothing of it."""
    left = releases.unconfirmed_after(records, before, plan.addresses)
    spec = nodeplumbing_spec.build(plan, epoch, ()) | nodeplumbing_spec.unconfirmed_field(
        before, plan, left
    )
    meta = {"name": before.node, "uid": before.uid, "generation": before.generation + 1}
    return parsing.with_spec_of(before, {"metadata": meta, "spec": spec})


def n1(**fields: Any) -> Plumbing:
    grants = {ETH1: frozenset({HAS}), ETH2: frozenset({LOST})}
    known = {"uid": "u", "generation": 4, "observed_generation": 4, "boot": "b", "grants": grants}
    return Plumbing("n1", **(known | fields))


def doubted(found: Plumbing) -> frozenset[str] | None:
    """What a leader who has just begun doubts of it."""
    snapshot = Snapshot(plumbings={"n1": found}, liveness={"n1": Liveness.ALIVE})
    return releases.update_records({}, snapshot)["n1"].unconfirmed


KEPT = Plan({ETH1: frozenset({HAS})})


def test_the_next_leader_reads_what_was_taken_out_and_is_not_let_go() -> None:
    assert doubted(written(n1(), KEPT, {})) == {LOST}


def test_it_reads_that_nothing_was() -> None:
    assert doubted(written(n1(), Plan(n1().grants), {})) == frozenset()


def test_what_was_doubted_before_is_handed_on_until_it_is_let_go() -> None:
    first = written(n1(), KEPT, {})
    second = written(first, KEPT, {}, epoch=4)
    assert doubted(second) == {LOST}
    assert (
        doubted(written(replace(second, observed_generation=6, seen_epoch=4), KEPT, {}))
        == frozenset()
    )


def test_what_is_granted_again_is_doubted_when_it_is_taken_out_again() -> None:
    again = written(written(n1(), KEPT, {}), Plan(n1().grants), {})
    assert doubted(again) == frozenset()
    assert doubted(written(again, KEPT, {})) == {LOST}


def test_where_anything_may_be_held_the_spec_does_not_say() -> None:
    unknown = n1(observed_generation=3)
    assert doubted(unknown) is None
    after = written(unknown, KEPT, {})
    assert (after.unconfirmed, doubted(after)) == (None, None)
    estranged = {"n1": ReleaseRecord("u", 4, None)}
    assert doubted(written(n1(), KEPT, estranged)) is None


def test_it_counts_for_the_generation_that_it_names_alone() -> None:
    left = nodeplumbing_spec.unconfirmed_field(n1(), KEPT, frozenset({LOST}))
    spec = nodeplumbing_spec.build(KEPT, 3, ()) | left
    by_hand = parsing.plumbing({"metadata": {"name": "n1", "generation": 6}, "spec": spec})
    assert by_hand.unconfirmed is None
    ours = parsing.plumbing({"metadata": {"name": "n1", "generation": 5}, "spec": spec})
    assert ours.unconfirmed == {LOST}


@pytest.mark.parametrize(
    "said",
    [
        {"generation": 5},
        {"generation": 5, "addresses": ["10.1.1.2", "no address"]},
        {"generation": 5, "addresses": ["10.1.0.0-10.2.0.0"]},
        {"generation": 5, "addresses": [7]},
        {"addresses": [LOST]},
        {"generation": 4, "addresses": [LOST]},
        [LOST],
        None,
    ],
)
def test_what_cannot_be_read_whole_is_not_taken_for_less(said: object) -> None:
    spec = nodeplumbing_spec.build(KEPT, 3, ()) | {"unconfirmed": said}
    found = parsing.plumbing({"metadata": {"name": "n1", "generation": 5}, "spec": spec})
    assert found.unconfirmed == (frozenset() if said == {"generation": 5} else None)
    assert found.granted == {HAS}


@pytest.mark.parametrize(("number", "is_said"), [(MOST_GRANTED - 1, True), (MOST_GRANTED, False)])
def test_a_spec_names_no_more_than_is_read_of_it(number: int, is_said: bool) -> None:
    many = frozenset(f"10.2.{i >> 8}.{i & 255}" for i in range(number))
    before = n1(grants={ETH1: many | {HAS}, ETH2: frozenset[str]()})
    assert bool(nodeplumbing_spec.unconfirmed_field(before, KEPT, many)) is is_said
    found = written(before, KEPT, {})
    assert found.granted == {HAS}
    assert found.unconfirmed == (many if is_said else None)


def test_a_first_spec_says_that_a_node_holds_nothing_unless_one_was_known() -> None:
    nothing = {"unconfirmed": {"generation": 1, "addresses": []}}
    assert nodeplumbing_spec.unconfirmed_field_of_new("n1", {}, Snapshot(), {}) == nothing
    assert not nodeplumbing_spec.unconfirmed_field_of_new("n1", {"n1": Plan()}, Snapshot(), {})
    assert not nodeplumbing_spec.unconfirmed_field_of_new(
        "n1", {}, Snapshot(), {"n1": ReleaseRecord("u", 1)}
    )
    heard = Snapshot(liveness={"n1": Liveness.SUSPECT})
    assert not nodeplumbing_spec.unconfirmed_field_of_new("n1", {}, heard, {})


@pytest.mark.parametrize("is_said", [True, False])
def test_a_node_that_never_acts_hinders_others_only_at_what_it_may_hold(is_said: bool) -> None:
    moved, new = vip(2, preference="n2"), vip(3, preference="n2")
    snapshot = cluster((moved, new), ("n1", "n2"))
    left = frozenset({LOST}) if is_said else None
    former = replace(
        snapshot.plumbings["n1"], boot="b", generation=5, observed_generation=4, unconfirmed=left
    )
    snapshot = replace(snapshot, plumbings={**snapshot.plumbings, "n1": former})
    made = decision.decide(snapshot, releases.update_records({}, snapshot))
    assert made.plans["n2"].addresses == ({OTHER} if is_said else set())
    assert made.waiting == ({LOST} if is_said else {LOST, OTHER})


def test_an_unconfirmed_release_blocks_only_its_own_addresses() -> None:
    settled = clusters.granted(cluster(tuple(vip(n, "n1") for n in range(1, 4))))
    n1 = settled.plumbings["n1"]
    lagging = replace(n1, generation=2, grants={})
    records = {
        "n1": releases.ReleaseRecord(n1.uid, 2, frozenset({"10.1.1.1"})),
    }
    behind = replace(
        settled,
        vips=tuple(vip(n, "n2") for n in range(1, 4)),
        plumbings={**settled.plumbings, "n1": replace(lagging, served=frozenset())},
    )
    grants = decision.decide(behind, records).plans["n2"].grants
    assert frozenset().union(*grants.values()) == {"10.1.1.2", "10.1.1.3"}
