"""When, in which order and how fast the agent announces."""

import pytest

from duravip_agent.core.announce_schedule import (
    SETTLED_BATCH_SIZE,
    AnnouncementBatch,
    AnnounceSchedule,
)
from duravip_agent.core.kernel_state import Neighbour
from duravip_agent.core.node_spec import Placement
from duravip_agent.core.send_queue import (
    BATCH_FRAMES,
    HOLD_AFTER_MANY_S,
    MANY_FIRST_BROADCASTS,
    Announcement,
    SendQueue,
)

HERE = Placement("eth0", 32)
QUIET = Placement("eth0", 32, arp_all_hosts=False)
A, B = "10.1.1.1", "10.1.1.2"
V6 = "fd00::1"
FRIEND = Neighbour("10.1.0.9", "02:00:00:00:00:09")


def everything(_: Placement, __: str) -> bool:
    return True


def times_of(schedule: AnnounceSchedule, until: float) -> list[tuple[float, tuple[str, ...]]]:
    """All rounds up to a moment."""
    said = []
    while (now := schedule.next_due()) is not None and now <= until:
        said += [(round(now, 3), due.addresses) for due in schedule.due_batches(now)]
    return said


def test_a_new_address_is_announced_at_once_then_three_times_then_regularly() -> None:
    schedule = AnnounceSchedule(60)
    schedule.set_served({HERE: frozenset({A})}, 0.0)
    assert [when for when, _ in times_of(schedule, 130)] == [0, 0.1, 1, 5, 65, 125]


def test_only_the_first_round_is_the_first() -> None:
    schedule = AnnounceSchedule(60)
    schedule.add(HERE, frozenset({A}), 0.0)
    assert [due.is_first for now in (0.0, 0.1) for due in schedule.due_batches(now)] == [
        True,
        False,
    ]


def test_what_is_known_is_not_announced_again_as_new() -> None:
    schedule = AnnounceSchedule(60)
    schedule.set_served({HERE: frozenset({A})}, 0.0)
    times_of(schedule, 10)
    schedule.set_served({HERE: frozenset({A, B})}, 10.0)
    assert schedule.due_batches(10.0) == [AnnouncementBatch(HERE, (B,), is_first=True)]


def test_what_is_asked_for_is_announced_as_if_it_were_new() -> None:
    schedule = AnnounceSchedule(60)
    schedule.set_served({HERE: frozenset({A, B})}, 0.0)
    times_of(schedule, 10)
    schedule.announce_again(frozenset({A, "10.9.9.9"}), 10.0)
    assert times_of(schedule, 20) == [(when, (A,)) for when in (10.0, 10.1, 11.0, 15.0)]


def test_what_was_released_is_not_announced_any_more() -> None:
    schedule = AnnounceSchedule(60)
    schedule.set_served({HERE: frozenset({A, B})}, 0.0)
    schedule.due_batches(0.0)
    schedule.set_served({HERE: frozenset({B})}, 0.05)
    assert times_of(schedule, 0.2) == [(0.1, (B,))]
    assert not schedule.is_served(HERE, A)
    schedule.set_served({}, 0.3)
    times_of(schedule, 2)
    assert schedule.next_due() is None


def test_groups_that_have_settled_go_on_as_one() -> None:
    schedule = AnnounceSchedule(60)
    schedule.add(HERE, frozenset({A}), 0.0)
    schedule.add(HERE, frozenset({B}), 1.0)
    times_of(schedule, 10)
    assert times_of(schedule, 66) == [(65.0, (A, B))]


def test_thousands_that_have_settled_are_spread_over_the_time() -> None:
    schedule = AnnounceSchedule(60.0)
    many = frozenset(f"10.1.{n // 250}.{n % 250}" for n in range(4 * SETTLED_BATCH_SIZE))
    schedule.set_served({HERE: many}, 0.0)
    for now in (0.0, 0.1, 1.0, 5.0):
        assert [len(due.addresses) for due in schedule.due_batches(now)] == [len(many)]
    told: list[str] = []
    for number in range(1, 5):
        assert schedule.next_due() == 5.0 + number * 15.0
        (due,) = schedule.due_batches(5.0 + number * 15.0)
        told += due.addresses
    assert sorted(told) == sorted(many)


def test_a_late_round_is_not_made_up_for() -> None:
    schedule = AnnounceSchedule(60)
    schedule.add(HERE, frozenset({A}), 0.0)
    schedule.due_batches(3.0)
    assert schedule.next_due() == 5.0


def test_when_a_cable_is_back_everything_on_it_is_new() -> None:
    schedule = AnnounceSchedule(60)
    other = Placement("eth1", 32)
    schedule.set_served({HERE: frozenset({A}), other: frozenset({B})}, 0.0)
    times_of(schedule, 10)
    schedule.restart("eth0", 20.0)
    assert schedule.due_batches(20.0) == [AnnouncementBatch(HERE, (A,), is_first=True)]


def test_the_first_broadcasts_of_thousands_do_not_wait() -> None:
    queue = SendQueue(rate=100, burst=100)
    many = tuple(f"10.1.{n // 256}.{n % 256}" for n in range(3000))
    queue.queue_broadcast(AnnouncementBatch(HERE, many, is_first=True), 0.0)
    sent: list[Announcement] = []
    while queue.next_due(0.0) == 0.0:
        batch = queue.pop_due(0.0, everything)
        assert len(batch) <= BATCH_FRAMES
        sent += batch
    assert [call.address for call in sent] == list(many)
    assert not any(call.is_reply for call in sent)
    # The replies follow once the debt of 2900 tokens is paid.
    assert (queue.next_due(0.0) or 0) > 29
    assert all(call.is_reply for call in queue.pop_due(31.0, everything))


def test_after_many_first_broadcasts_all_else_is_held_for_a_moment() -> None:
    queue = SendQueue()
    many = tuple(f"10.1.1.{n}" for n in range(MANY_FIRST_BROADCASTS + 1))
    queue.queue_broadcast(AnnouncementBatch(HERE, many, is_first=True), 0.0)
    assert not any(call.is_reply for call in queue.pop_due(0.0, everything))
    assert queue.next_due(0.02) == pytest.approx(HOLD_AFTER_MANY_S)
    assert queue.pop_due(HOLD_AFTER_MANY_S - 0.01, everything) == []
    assert len(queue.pop_due(HOLD_AFTER_MANY_S, everything)) == len(many)


def test_an_ipv4_address_is_announced_in_both_forms_and_an_ipv6_address_once() -> None:
    queue = SendQueue()
    queue.queue_broadcast(AnnouncementBatch(HERE, (A, V6), is_first=True), 0.0)
    calls = [(call.address, call.is_reply) for call in queue.pop_due(0.0, everything)]
    assert calls == [(A, False), (V6, False), (A, True)]


def test_single_neighbours_come_last_and_only_those_of_the_same_family() -> None:
    queue = SendQueue()
    due = AnnouncementBatch(HERE, (A, V6), is_first=False)
    queue.queue_directed(due, [FRIEND], 0.0)
    queue.queue_broadcast(due, 0.0)
    calls = queue.pop_due(0.0, everything)
    assert [call for call in calls if call.to] == [Announcement(HERE, A, is_reply=True, to=FRIEND)]
    assert calls[-1].to == FRIEND


def test_without_all_hosts_only_the_first_round_is_broadcast() -> None:
    queue = SendQueue()
    queue.queue_broadcast(AnnouncementBatch(QUIET, (A,), is_first=True), 0.0)
    assert len(queue.pop_due(0.0, everything)) == 2
    queue.queue_broadcast(AnnouncementBatch(QUIET, (A,), is_first=False), 1.0)
    assert queue.pop_due(1.0, everything) == []


def test_a_round_replaces_what_is_left_of_the_one_before() -> None:
    queue = SendQueue(rate=1, burst=1)
    due = AnnouncementBatch(HERE, (A, B), is_first=False)
    queue.queue_broadcast(due, 0.0)
    assert len(queue.pop_due(0.0, everything)) == 1
    queue.queue_broadcast(due, 100.0)
    left = []
    for now in range(100, 200):
        left += queue.pop_due(float(now), everything)
    assert [(call.address, call.is_reply) for call in left] == [
        (A, False), (B, False), (A, True), (B, True),
    ]  # fmt: skip


def test_what_was_released_meanwhile_is_not_sent() -> None:
    queue = SendQueue()
    queue.queue_broadcast(AnnouncementBatch(HERE, (A, B), is_first=True), 0.0)
    assert {call.address for call in queue.pop_due(0.0, lambda _, a: a == B)} == {B}


def test_at_rest_there_is_nothing_to_wait_for() -> None:
    queue = SendQueue()
    assert queue.next_due(0.0) is None
    queue.queue_broadcast(AnnouncementBatch(HERE, (A,), is_first=True), 0.0)
    queue.pop_due(0.0, everything)
    assert queue.pop_due(1.0, everything) == []
    assert queue.next_due(1.0) is None


def test_without_tokens_it_waits_for_more_than_one() -> None:
    queue = SendQueue(rate=1000, burst=2)
    queue.queue_broadcast(AnnouncementBatch(HERE, (A, B), is_first=True), 0.0)
    queue.pop_due(0.0, everything)
    assert (queue.next_due(0.0) or 0) >= 0.04


def test_what_is_defended_is_announced_once_more_at_once() -> None:
    schedule = AnnounceSchedule(60.0)
    schedule.set_served({HERE: frozenset({A, B})}, 0.0)
    for now in (0.0, 0.1, 1.0, 5.0):
        schedule.due_batches(now)
    schedule.defend(frozenset({B, "10.9.9.9"}))
    assert (schedule.next_due() or 0) < 7.0
    assert schedule.due_batches(7.0) == [AnnouncementBatch(HERE, (B,), is_first=True)]
    assert schedule.due_batches(7.1) == []
