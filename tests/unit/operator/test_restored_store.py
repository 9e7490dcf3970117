"""What the operator does when the store has gone back to a backup."""

from dataclasses import replace

import pytest

from duravip_operator.core import decision, handover, heartbeat_evidence, releases
from duravip_operator.core.heartbeat_evidence import HeartbeatState
from duravip_operator.core.releases import NO_RELEASES, ReleaseRecord
from duravip_operator.core.snapshot import Liveness, Placement, Snapshot
from duravip_operator.leadership import lease_rule as rule
from duravip_operator.leadership.lease_rule import LEASE_DURATION_S, LeaseRecord
from duravip_operator.watch.store import KINDS, MAX_REPORTED_EPOCH
from unit.operator.clusters import cluster, vip
from unit.operator.test_elector import World
from unit.operator.test_store import Body, Told, plumbing

ETH1 = Placement("eth1", 32)
MOVED = vip(1, preference="n2")


def warm(*bodies: Body) -> Told:
    told = Told()
    for kind in KINDS:
        told.sweep(kind, *(bodies if kind == "NodePlumbing" else ()))
    return told


def test_a_list_with_an_earlier_version_shows_that_the_store_has_gone_back() -> None:
    told = warm(plumbing(9))
    told.sweep("NodePlumbing", plumbing(5))
    assert told.caches.restore_count == 1
    assert told.caches.plumbings["n1"].generation == 5
    assert not told.caches.has_synced  # other kinds were listed before that


def test_so_does_the_answer_to_a_question_about_one_object() -> None:
    told = warm(plumbing(9))
    told.server["n1"] = plumbing(5)
    told.caches.reread("n1")
    assert told.caches.restore_count == 1
    assert told.caches.plumbings["n1"].generation == 5


def test_a_late_event_does_not() -> None:
    told = warm(plumbing(9))
    told.caches.put("NodePlumbing", plumbing(5))
    assert told.caches.restore_count == 0
    assert told.caches.plumbings["n1"].generation == 9


def test_what_is_known_stays_until_it_is_listed_anew() -> None:
    told = warm(plumbing(9))
    told.caches.reset_after_restore()
    assert set(told.caches.plumbings) == {"n1"}
    told.caches.put("NodePlumbing", plumbing(5))
    assert told.caches.plumbings["n1"].generation == 5
    for kind in KINDS:
        told.sweep(kind)
    assert told.caches.has_synced
    assert told.caches.plumbings == {}


@pytest.mark.parametrize(
    ("told_epoch", "floor"), [(7, 7), (MAX_REPORTED_EPOCH, MAX_REPORTED_EPOCH), (2147483646, 3)]
)
def test_an_agent_that_has_seen_a_higher_epoch_is_believed_up_to_half(
    told_epoch: int, floor: int
) -> None:
    body = plumbing(9, epoch=3) | {"status": {"epoch": told_epoch}}
    assert warm(body).caches.highest_epoch == floor


def test_a_leader_whose_lease_has_gone_back_takes_a_new_epoch_above_all_it_has_seen() -> None:
    world = World()
    one, _ = world.candidate("one")
    found: list[bool] = []
    one._on_restoration = lambda: found.append(True)  # noqa: SLF001
    one.round(0)
    backup = world.lease
    for epoch in (4, 9):
        one.round(epoch)
    assert one.epoch == 10
    world.lease = backup
    one.round(0)
    assert (one.epoch, found) == (None, [True])
    world.now += LEASE_DURATION_S + 0.1
    one.round(0)
    assert one.epoch == 11


def test_a_reign_that_is_abandoned_ends_at_once_and_another_one_follows() -> None:
    world = World()
    one, _ = world.candidate("one")
    one.round(0)
    one.abandon()
    assert one.epoch is None
    one.round(0)
    assert one.epoch is None
    world.now += LEASE_DURATION_S + 0.1
    one.round(0)
    assert one.epoch == 2


@pytest.mark.parametrize(
    ("renewed", "epoch"),
    [
        ("2026-01-01T00:00:57.000000Z", 6),
        ("2026-01-01T00:00:00.000000Z", 66),
        ("2020-01-01T00:00:00.000000Z", 6 + 7 * 86400),
        ("nonsense", 6),
    ],
    ids=["a moment ago", "a minute ago", "years ago", "unreadable"],
)
def test_epochs_that_a_backup_may_have_forgotten_are_left_out(renewed: str, epoch: int) -> None:
    old = LeaseRecord(holder="one", epoch=5, renewed=renewed, version="3")
    assert rule.acquired(old, "two", "2026-01-01T00:01:00.000000Z", 0).epoch == epoch


@pytest.mark.parametrize("broken", [rule.MAX_EPOCH, rule.MAX_EPOCH - 1])
def test_an_epoch_that_nobody_can_follow_ends_nothing(broken: int) -> None:
    old = LeaseRecord(holder="one", epoch=broken, version="3")
    assert rule.acquired(old, "two", "1", 7).epoch == 8
    assert rule.acquired(replace(old, epoch=7), "two", "1", broken).epoch == 8


def settled() -> Snapshot:
    """`n1` is granted the address and does not serve it, as the backup says; it is to move."""
    snapshot = cluster((MOVED,), ("n1", "n2"))
    plumbings = {
        name: replace(p, boot="b", generation=5, observed_generation=5, epoch=3, seen_epoch=3)
        for name, p in snapshot.plumbings.items()
    }
    return replace(snapshot, plumbings=plumbings)


def granted_to_n2(snapshot: Snapshot) -> bool:
    plan = decision.decide(snapshot, releases.update_records({}, snapshot)).plans["n2"]
    return MOVED.address in plan.addresses


def test_after_a_restoration_nothing_is_granted_before_every_agent_has_acted_anew() -> None:
    snapshot = settled()
    assert granted_to_n2(snapshot)
    strange = heartbeat_evidence.nodes_ahead_of_store(snapshot, {}, restored_in=8)
    assert strange == {"n1", "n2"}
    assert not granted_to_n2(replace(snapshot, ahead_of_store=strange))


def test_that_is_over_once_an_agent_has_acted_on_a_spec_of_this_reign() -> None:
    snapshot = replace(settled(), ahead_of_store=frozenset({"n1"}))
    before = snapshot.plumbings["n1"]
    records = releases.update_records({}, snapshot)
    after = replace(before, generation=6, epoch=8)
    records = releases.after_write(records, before, after)
    assert replace(records["n1"], confirmed=NO_RELEASES) == ReleaseRecord(before.uid, 6, None)
    for told_epoch, doubted in ((3, None), (8, frozenset())):
        acted = replace(after, observed_generation=6, seen_epoch=told_epoch)
        now = replace(snapshot, plumbings={"n1": acted}, ahead_of_store=frozenset())
        assert releases.update_records(records, now)["n1"].unconfirmed == doubted


def test_a_beat_about_a_later_spec_than_there_is_shows_that_the_store_has_gone_back() -> None:
    snapshot = settled()
    beats = {"n1": HeartbeatState("b", 6, ""), "n2": HeartbeatState("b", 5, "")}
    assert heartbeat_evidence.nodes_ahead_of_store(snapshot, beats, None) == {"n1"}
    assert (
        heartbeat_evidence.nodes_ahead_of_store(
            snapshot, {"n1": HeartbeatState("other", 9, "")}, None
        )
        == set()
    )


def test_a_node_that_the_store_has_forgotten_is_doubted_as_long_as_it_is_heard() -> None:
    snapshot = settled()
    one = {"n1": snapshot.plumbings["n1"]}
    lost = replace(snapshot, plumbings=one, liveness={"n1": Liveness.ALIVE, "n2": Liveness.ALIVE})
    strange = heartbeat_evidence.nodes_ahead_of_store(
        lost, {"n2": HeartbeatState("b", 9, "")}, restored_in=8
    )
    assert strange == {"n1", "n2"}
    records = releases.update_records({}, replace(lost, ahead_of_store=strange))
    assert records["n2"].unconfirmed is None


def test_the_specs_of_a_restored_store_are_contested_when_they_are_stamped() -> None:
    known = replace(settled().plumbings["n1"], grants={ETH1: frozenset({MOVED.address})})
    assert handover.restamped_plan(known, is_restored=True).contested == {MOVED.address}
    assert handover.restamped_plan(known, is_restored=False) == handover.current_plan(known)
