"""In which order statuses are written, and which of them never are."""

from typing import Any

import pytest

from duravip_operator.kube.status_writer import COUNTS_EVERY_S, WAIT_S, Priority, StatusQueue

ONE, TWO = ("DuraVIP", "x", "one"), ("DuraVIP", "x", "two")
_, MOVED, NEWS, PASSING, FIGURES = Priority
NOW, SOON, LATER = 100.0, 100.0 + WAIT_S[PASSING], 100.0 + WAIT_S[FIGURES]
BETWEEN = 100.0 + WAIT_S[FIGURES] / 2


class Queue(StatusQueue):
    """Shows what is taken as a pair."""

    def taken(self, now: float = NOW) -> Any:
        item = self.take(now)
        return item and (item.key, item.status["n"])

    def take_all(self, now: float) -> list[Any]:
        found = []
        while (item := self.taken(now)) is not None:
            found.append(item)
            self.done(item[0])
        return found


@pytest.fixture
def pending() -> Queue:
    return Queue()


def test_the_last_status_of_an_object_wins(pending: Queue) -> None:
    pending.put(ONE, {"n": 1}, NEWS, NOW)
    pending.put(ONE, {"n": 2}, NEWS, NOW)
    assert pending.take_all(NOW) == [(ONE, 2)]


def test_changes_of_owner_come_first_and_stay_first(pending: Queue) -> None:
    pending.put(ONE, {"n": 1}, NEWS, NOW)
    pending.put(TWO, {"n": 2}, MOVED, NOW)
    pending.put(TWO, {"n": 3}, FIGURES, NOW)
    assert pending.take_all(NOW) == [(TWO, 3), (ONE, 1)]


def test_what_is_in_passing_is_written_only_if_it_lasts(pending: Queue) -> None:
    pending.put(ONE, {"n": 1}, PASSING, NOW)
    pending.put(TWO, {"n": 1}, PASSING, NOW)
    assert pending.take_all(NOW) == []
    pending.put(ONE, {"n": 2}, MOVED, NOW)
    assert pending.take_all(NOW) == [(ONE, 2)]
    assert pending.next_due() == SOON
    assert pending.take_all(SOON) == [(TWO, 1)]


def test_figures_are_written_once_they_have_settled(pending: Queue) -> None:
    pending.put(ONE, {"n": 1}, FIGURES, NOW)
    pending.put(ONE, {"n": 2}, FIGURES, BETWEEN)
    assert pending.take_all(LATER) == []
    assert pending.take_all(BETWEEN + WAIT_S[FIGURES]) == [(ONE, 2)]


def test_figures_of_many_objects_are_written_one_after_the_other(pending: Queue) -> None:
    for number in range(5):
        pending.put(("DuraVIP", "x", str(number)), {"n": number}, FIGURES, NOW)
    assert len(pending.take_all(LATER)) <= 2
    assert pending.next_due() == pytest.approx(LATER + COUNTS_EVERY_S)
    pending.put(ONE, {"n": 9}, NEWS, LATER)
    assert pending.take_all(LATER) == [(ONE, 9)], "which holds up nothing else"
    assert len(pending.take_all(LATER + 1.1 * COUNTS_EVERY_S)) == 1


def test_figures_that_are_said_again_have_settled(pending: Queue) -> None:
    pending.put(ONE, {"n": 1}, FIGURES, NOW)
    pending.put(ONE, {"n": 1}, FIGURES, BETWEEN)
    assert pending.take_all(LATER) == [(ONE, 1)]


def test_what_is_no_longer_true_is_not_written(pending: Queue) -> None:
    pending.put(ONE, {"n": 1}, FIGURES, NOW)
    assert pending.cancel(ONE)
    assert pending.take_all(LATER) == []
    assert not pending.cancel(ONE)


def test_what_is_being_written_cannot_be_taken_back(pending: Queue) -> None:
    pending.put(ONE, {"n": 1}, NEWS, NOW)
    pending.taken()
    pending.put(ONE, {"n": 2}, NEWS, NOW)
    assert not pending.cancel(ONE)
    pending.done(ONE)
    assert pending.take_all(NOW) == []


def test_two_statuses_of_one_object_are_not_written_at_once(pending: Queue) -> None:
    pending.put(ONE, {"n": 1}, NEWS, NOW)
    pending.taken()
    pending.put(ONE, {"n": 2}, MOVED, NOW)
    assert pending.taken() is None
    assert pending.next_due() is None
    pending.done(ONE)
    assert pending.take_all(NOW) == [(ONE, 2)]


def test_what_is_being_written_is_not_written_again(pending: Queue) -> None:
    pending.put(ONE, {"n": 1}, NEWS, NOW)
    pending.taken()
    pending.put(ONE, {"n": 1}, NEWS, NOW)
    pending.done(ONE)
    assert len(pending) == 0


def test_a_status_that_failed_comes_again_unless_there_is_a_newer_one(pending: Queue) -> None:
    pending.put(ONE, {"n": 1}, MOVED, NOW)
    first = pending.take(NOW)
    assert first
    pending.requeue(first)
    assert pending.take(NOW) == first
    pending.put(ONE, {"n": 2}, FIGURES, NOW)
    pending.requeue(first)
    assert pending.take_all(NOW) == [(ONE, 2)]
    assert len(pending) == 0


def test_a_status_that_failed_lets_the_others_go_first(pending: Queue) -> None:
    for key in (ONE, TWO):
        pending.put(key, {"n": 1}, NEWS, NOW)
    first = pending.take(NOW)
    assert first
    pending.requeue(first)
    assert pending.take_all(NOW) == [(TWO, 1), (ONE, 1)]
