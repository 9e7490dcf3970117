"""In which order, and how fast, announcements are sent."""

import pytest

from duravip_agent.core.announce_schedule import (
    AnnouncementBatch,
)
from duravip_agent.core.kernel_state import NeighbourEntry
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


FRIEND = NeighbourEntry(2, "10.1.0.9", "02:00:00:00:00:09", "REACHABLE")


def everything(_: Placement, __: str) -> bool:
    return True


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
