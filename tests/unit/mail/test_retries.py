"""When mail that waits is tried again."""

from itertools import pairwise

from duravip_mail.core.retries import (
    AFTER_GAIN_S,
    AFTER_NEW_NAME_S,
    GRACE_S,
    Arrivals,
    Departures,
    HandOverRetries,
)

A, B = "10.1.1.1", "10.1.1.2"


def test_a_route_is_tried_at_once_when_somebody_begins_to_answer() -> None:
    retries = HandOverRetries()
    assert retries.due(frozenset(), 0.0) == frozenset()
    assert retries.due({"r"}, 1.0) == {"r"}


def test_whoever_answers_and_takes_nothing_is_asked_ever_more_rarely() -> None:
    retries = HandOverRetries()
    times = [float(t) for t in range(1300) if retries.due({"r"}, float(t))]
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300, 300]


def test_who_was_silent_in_between_is_tried_at_once_again() -> None:
    retries = HandOverRetries()
    retries.due({"r"}, 0.0)
    assert retries.due({"r"}, 1.0) == frozenset()
    retries.due(frozenset(), 2.0)
    assert retries.due({"r"}, 3.0) == {"r"}


def test_where_a_message_was_taken_the_others_are_tried_soon() -> None:
    retries = HandOverRetries()
    retries.due({"r"}, 0.0)
    retries.note_taken("r")
    assert retries.due({"r"}, 1.0) == {"r"}


def test_routes_do_not_wait_for_one_another() -> None:
    retries = HandOverRetries()
    retries.due({"r"}, 0.0)
    assert retries.due({"r", "s"}, 1.0) == {"s"}


def test_mail_of_an_address_that_came_is_tried_several_times() -> None:
    gained = Arrivals(AFTER_GAIN_S)
    gained.due(frozenset(), 0.0)
    times = [t for t in range(100) if gained.due(frozenset({A}), 10.0 + t)]
    assert times == list(AFTER_GAIN_S)


def test_an_address_that_was_away_for_a_moment_has_come() -> None:
    gained = Arrivals(AFTER_GAIN_S)
    assert gained.due(frozenset({A}), 0.0, frozenset({A})) == frozenset()
    assert gained.due(frozenset({A}), 1.0) == frozenset()
    assert gained.due(frozenset({A}), 2.0, frozenset({A, B})) == {A}
    assert gained.due(frozenset({A}), 7.0) == {A}


def test_what_is_here_at_first_has_not_come() -> None:
    gained = Arrivals(AFTER_GAIN_S)
    assert gained.due(frozenset({A}), 0.0) == frozenset()
    assert gained.due(frozenset({A, B}), 1.0) == {B}


def test_an_address_that_has_gone_again_is_not_tried() -> None:
    gained = Arrivals(AFTER_GAIN_S)
    gained.due(frozenset(), 0.0)
    assert gained.due(frozenset({A}), 1.0) == {A}
    assert gained.due(frozenset(), 2.0) == frozenset()
    assert gained.due(frozenset(), 6.0) == frozenset()
    assert gained.due(frozenset({A}), 30.0) == {A}


def test_mail_without_a_known_binding_is_looked_at_after_a_start_and_again_later() -> None:
    names = Arrivals(AFTER_NEW_NAME_S, first_counts=True)
    times = [t for t in range(2000) if names.due(frozenset({"foo"}), float(t))]
    assert times == list(AFTER_NEW_NAME_S)


def test_a_route_that_stays_untrue_is_due_after_a_moment() -> None:
    departures = Departures()
    assert departures.due({"a"}, 0.0) == frozenset()
    assert departures.due({"a", "b"}, GRACE_S) == {"a"}
    assert departures.due({"b"}, 2 * GRACE_S) == {"b"}


def test_a_route_that_was_true_in_between_begins_anew() -> None:
    departures = Departures()
    departures.due({"a"}, 0.0)
    departures.due(frozenset(), 0.5)
    assert departures.due({"a"}, GRACE_S) == frozenset()
