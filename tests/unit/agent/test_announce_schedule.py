"""When which addresses are announced."""

from duravip_agent.core.announce_schedule import (
    SETTLED_BATCH_SIZE,
    AnnouncementBatch,
    AnnounceSchedule,
)
from duravip_agent.core.node_spec import Placement

HERE = Placement("eth0", 32)
A, B = "10.1.1.1", "10.1.1.2"


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


def test_what_is_defended_is_announced_once_more_at_once() -> None:
    schedule = AnnounceSchedule(60.0)
    schedule.set_served({HERE: frozenset({A, B})}, 0.0)
    for now in (0.0, 0.1, 1.0, 5.0):
        schedule.due_batches(now)
    schedule.defend(frozenset({B, "10.9.9.9"}))
    assert (schedule.next_due() or 0) < 7.0
    assert schedule.due_batches(7.0) == [AnnouncementBatch(HERE, (B,), is_first=True)]
    assert schedule.due_batches(7.1) == []
