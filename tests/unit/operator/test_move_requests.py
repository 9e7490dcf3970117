"""Requests by annotation: how they are written and read, and when they are spent."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duravip_api.annotations import (
    MOVE_TO,
    RELEASE_FROM,
    Request,
    format_request,
    parse_request,
    parse_time,
)
from duravip_operator.core import move_requests, parsing
from duravip_operator.core.snapshot import MoveRequest

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
BEFORE, AFTER = "2026-01-01T11:59:59.999999Z", "2026-01-01T12:00:00.000001Z"


@given(st.datetimes(datetime(2000, 1, 1), datetime(2200, 1, 1)))  # noqa: DTZ001 - without a zone
def test_a_request_reads_as_it_was_written(time: datetime) -> None:
    aware = time.replace(tzinfo=UTC)
    assert parse_request(format_request("n1", aware)) == Request("n1", aware.timestamp())


def test_a_request_is_later_than_the_last_move_though_the_clocks_disagree() -> None:
    found = parse_request(format_request("n1", NOON, "2026-01-01T12:30:00Z"))
    assert found
    assert found.time > (NOON + timedelta(minutes=30)).timestamp()


@pytest.mark.parametrize(
    "text", ["", "n1", "n1@", "@2026-01-01T00:00:00Z", "n1@noon", "n1@2026-01-01T00:00:00"]
)
def test_what_names_no_node_or_no_time_is_no_request(text: str) -> None:
    assert parse_request(text) is None


def test_an_annotation_of_any_length_costs_a_few_characters() -> None:
    text = f"{'n' * 250_000}@2026-01-01T00:00:00Z"
    assert parse_request(text) is None
    (why,) = move_requests.parse_requests({"metadata": {"annotations": {MOVE_TO: text}}})[1]
    assert len(why) < 200


def test_a_time_of_another_zone_is_the_same_time() -> None:
    there = NOON.astimezone(timezone(timedelta(hours=2)))
    assert parse_time(there.isoformat()) == NOON.timestamp()


def _asked(annotation: str, move: dict[str, str] | None) -> tuple[MoveRequest, ...]:
    body = {
        "metadata": {"annotations": {annotation: format_request("n1", NOON)}},
        "status": {"lastMove": move} if move else {},
    }
    return move_requests.parse_requests(body)[0]


def _move(where: str, time: str) -> dict[str, str]:
    former, _, to = where.partition(" ")
    return {"from": former, "to": to, "time": time}


@pytest.mark.parametrize("move", [None, _move("n1 n2", BEFORE), _move("n2 n1", AFTER)])
def test_a_requested_move_holds_until_its_node_has_lost_it(move: dict[str, str] | None) -> None:
    assert _asked(MOVE_TO, move) == (MoveRequest(NOON.timestamp(), "n1", releases=False),)


def test_a_requested_move_is_spent_once_its_node_has_lost_it() -> None:
    assert not _asked(MOVE_TO, _move("n1 n2", AFTER))


@pytest.mark.parametrize("move", [None, _move("n2 n1", BEFORE)])
def test_a_release_counts_until_the_address_has_moved(move: dict[str, str] | None) -> None:
    assert _asked(RELEASE_FROM, move) == (MoveRequest(NOON.timestamp(), "n1", releases=True),)


@pytest.mark.parametrize("time", [BEFORE, AFTER])
def test_a_release_is_spent_once_the_address_is_gone_whatever_the_clocks_say(time: str) -> None:
    assert not _asked(RELEASE_FROM, _move("n1 n2", time))


def test_a_status_that_says_so_changes_the_entity() -> None:
    body = {
        "metadata": {
            "name": "a",
            "uid": "a",
            "annotations": {MOVE_TO: format_request("n1", NOON)},
        },
        "spec": {"address": "10.1.1.1"},
    }
    moved = {**body, "status": {"lastMove": _move("n1 n2", AFTER)}}
    assert parsing.vip_object("Binding", body) != parsing.vip_object("Binding", moved)
