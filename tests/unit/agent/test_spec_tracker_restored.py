"""Which spec is acted on where the store has gone back to a backup."""

from collections.abc import Sequence

import pytest

from duravip_agent.core.acknowledgements import (
    AckedHeartbeat,
    SpecMismatch,
    is_stale,
    must_read_without_leader,
    must_reread,
    newest_ack,
    spec_mismatch,
)
from duravip_agent.core.fencing import InterfaceShare
from duravip_agent.core.spec_tracker import SpecTracker
from duravip_agent.core.watchdog_rule import LeaderContact
from unit.agent.test_spec_tracker import Body, plumbing

A, B, C = "10.1.1.1", "10.1.1.2", "10.1.1.3"


def acting(*granted: str) -> SpecTracker:
    """On version 50, generation 7, epoch 3, as was learnt at the time 10."""
    specs = SpecTracker()
    specs.first_report_stored(plumbing(version=40), 5.0)
    assert specs.accept(plumbing(*granted, version=50, generation=7, epoch=3), 10.0)
    return specs


def backup(*granted: str, generation: int = 5, epoch: int = 3, version: int = 30) -> Body:
    return plumbing(*granted, version=version, generation=generation, epoch=epoch)


def gone_back(specs: SpecTracker, *bodies: Body) -> SpecTracker:
    assert specs.detect_rollback(bodies[0], requested_at=11.0)
    specs.first_report_stored(bodies[0], 12.0)
    for body in bodies:
        assert not specs.accept(body, 12.0)
    return specs


def ack(epoch: int, generation: int) -> LeaderContact:
    return LeaderContact(13.0, epoch, generation)


def test_the_answer_to_a_later_question_is_later_whatever_its_version() -> None:
    assert acting(A).detect_rollback(backup(A), requested_at=10.5)


@pytest.mark.parametrize("asked", [None, 9.5, 10.0], ids=str)
def test_a_lower_version_that_may_be_old_proves_nothing(asked: float | None) -> None:
    specs = acting(A)
    assert not specs.detect_rollback(backup(A), asked)
    assert specs.is_current


def test_what_was_seen_again_is_known_since_then() -> None:
    specs = acting(A)
    assert not specs.accept(plumbing(A, version=50, generation=7, epoch=3), 12.0)
    assert not specs.detect_rollback(backup(A), requested_at=11.0)
    assert specs.detect_rollback(backup(A), requested_at=12.5)


def test_before_the_introduction_nothing_proves_anything() -> None:
    specs = SpecTracker()
    assert not specs.accept(plumbing(A, version=50), 10.0)
    assert not specs.detect_rollback(plumbing(A, version=30), requested_at=11.0)
    assert not specs.is_rolled_back


@pytest.mark.parametrize(
    "body",
    [backup(A, generation=6, version=60), backup(A, generation=7, epoch=4, version=60)],
    ids=["an earlier generation", "another spec of the same generation"],
)
def test_one_object_has_each_generation_once_and_in_order(body: Body) -> None:
    assert acting(A).detect_rollback(body)


@pytest.mark.parametrize(
    "body",
    [
        plumbing(A, version=60, generation=8, epoch=4),
        plumbing(A, version=60, generation=7, epoch=3),
        plumbing(A, version=50, generation=7, epoch=3),
        plumbing(A, version=60, generation=1, epoch=3, uid="u2"),
    ],
    ids=["a later spec", "a later status", "the same", "another object"],
)
def test_what_goes_on_is_no_going_back(body: Body) -> None:
    assert not acting(A).detect_rollback(body, requested_at=10.5)


def test_a_new_object_in_a_restored_store_is_taken_up_though_the_former_one_was_later() -> None:
    specs = acting(A)
    specs.object_deleted()
    new = plumbing(B, version=31, generation=1, epoch=9, uid="u2")
    gone_back(specs, new)
    assert specs.confirm(ack(9, 1), frozenset())
    assert set(specs.in_force.wanted) == {B}


def test_what_is_held_stays_until_a_leader_goes_by_the_restored_spec() -> None:
    specs = gone_back(acting(A), backup(B))
    assert set(specs.in_force.wanted) == {A}
    assert not specs.is_current
    for contact in (None, ack(3, 7), ack(4, 5), ack(3, 6)):
        assert not specs.confirm(contact, frozenset({A}))
    assert specs.confirm(ack(3, 5), frozenset({A}))
    assert set(specs.in_force.wanted) == {B}
    assert specs.is_current


def test_a_report_of_the_boot_before_introduces_nobody() -> None:
    specs = acting(A)
    assert specs.detect_rollback(backup(B), requested_at=11.0)
    assert not specs.accept(backup(B), 12.0)
    assert not specs.confirm(ack(3, 5), frozenset())


def test_of_a_store_that_has_gone_back_nothing_is_read_yet() -> None:
    specs = acting(A)
    assert specs.accept(plumbing(B, version=60, generation=8, epoch=2), 10.5)
    assert specs.refusal
    assert specs.detect_rollback(backup(B), requested_at=11.0)
    assert (specs.newest_read, specs.newest_epoch, specs.refusal) == (0, 0, "")


def test_its_generation_may_be_the_one_that_was_read_last() -> None:
    specs = gone_back(acting(A), backup(B, generation=7, epoch=4, version=60))
    assert specs.confirm(ack(4, 7), frozenset())
    assert set(specs.in_force.wanted) == {B}


def test_what_is_held_meanwhile_stays_under_the_epoch_that_granted_it() -> None:
    specs = gone_back(acting(A), {**backup(B, epoch=9), "status": {"epoch": 9}})
    assert specs.epoch == 3
    assert specs.confirm(ack(9, 5), frozenset())
    assert specs.epoch == 9


def test_a_lower_epoch_counts_in_a_restored_store() -> None:
    specs = gone_back(acting(A), backup(A, epoch=1))
    assert specs.confirm(ack(1, 5), frozenset())
    assert (specs.epoch, specs.refusal) == (1, "")


def shares(specs: SpecTracker, *armed: str) -> Sequence[tuple[set[str], set[str]]]:
    found = specs.shares(frozenset(armed))
    assert all(isinstance(share, InterfaceShare) for share in found)
    return [(set(share.free), set(share.contested)) for share in found]


def test_what_it_does_not_hold_is_contested_until_it_was_taken() -> None:
    specs = gone_back(acting(A), backup(A, B, C))
    specs.confirm(ack(3, 5), frozenset({A}))
    assert shares(specs) == [({A}, {B, C})]
    assert shares(specs, A, B) == [({A, B}, {C})]
    assert specs.accept(backup(A, B, C, generation=6, version=35), 14.0)
    assert shares(specs) == [({A, B}, {C})]
    assert specs.accept(backup(A, generation=7, version=36), 15.0)
    assert specs.accept(backup(A, C, generation=8, version=37), 16.0)
    assert shares(specs) == [({A, C}, set())]


def test_an_answer_of_before_is_not_taken_afterwards() -> None:
    specs = gone_back(acting(A), backup(B))
    specs.confirm(ack(3, 5), frozenset())
    late = plumbing(A, version=50, generation=7, epoch=3)
    assert not specs.accept(late, 13.0, requested_at=10.9)
    assert set(specs.in_force.wanted) == {B}


def test_a_lower_epoch_in_the_same_store_counts_when_its_leader_alone_is_heard() -> None:
    specs = acting(A)
    assert specs.accept(plumbing(B, version=60, generation=8, epoch=2), 11.0)
    assert specs.refusal
    assert not specs.confirm(ack(3, 8), frozenset())
    assert specs.confirm(ack(2, 8), frozenset())
    assert (set(specs.in_force.wanted), specs.refusal) == ({B}, "")
    assert shares(specs) == [(set(), {B})]


def test_a_former_leader_is_one_only_while_the_present_one_is_heard() -> None:
    known = AckedHeartbeat(7, LeaderContact(10.0, 5, 9))
    early, late = (AckedHeartbeat(8, LeaderContact(10.0 + t, 4, 2)) for t in (1.9, 2.0))
    assert newest_ack(known, early, 5) == known
    assert newest_ack(known, late, 5) == late


def test_a_leader_that_goes_on_naming_another_spec_has_it_read_again() -> None:
    read = (3, 7)
    assert spec_mismatch(None, ack(3, 7), read, 10.0) is None
    differs = spec_mismatch(None, ack(3, 5), read, 10.0)
    assert differs == SpecMismatch(10.0)
    assert spec_mismatch(differs, ack(4, 7), read, 11.0) == differs
    assert not is_stale(None, 12.0)
    assert not is_stale(differs, 11.9)
    assert is_stale(differs, 12.0)


def test_that_is_asked_about_once_a_second() -> None:
    assert not must_reread(None, 12.0)
    assert not must_reread(SpecMismatch(10.0), 11.9)
    assert must_reread(SpecMismatch(10.0), 12.0)
    assert not must_reread(SpecMismatch(10.0, asked=12.0), 12.9)
    assert must_reread(SpecMismatch(10.0, asked=12.0), 13.0)


def test_who_hears_no_leader_reads_the_spec_again_now_and_then() -> None:
    """It may name others, or other keys of them, and no watch tells of it."""
    assert not must_read_without_leader(None, 10.0, 10.0, 12.9)
    assert must_read_without_leader(None, 10.0, 10.0, 13.0)
    assert not must_read_without_leader(None, 10.0, 13.0, 15.9)
    assert not must_read_without_leader(LeaderContact(15.0, 1, 1), 10.0, 10.0, 16.9)
    assert must_read_without_leader(LeaderContact(15.0, 1, 1), 10.0, 10.0, 17.0)
