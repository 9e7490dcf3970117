"""What answers mean, and in which order statuses are written."""

import pytest
from kubernetes.client import ApiException

from duravip_api.reasons import Reason
from duravip_operator.cluster.pending import Item, Pending
from duravip_operator.cluster.requests import translated
from duravip_operator.core.snapshot import Entity
from duravip_operator.events import Bucket, event

ONE, TWO = ("DuraVIP", "x", "one"), ("DuraVIP", "x", "two")


def refused(status: int, body: str = "", **headers: str) -> ApiException:
    error = ApiException(status=status, reason="why")
    error.body, error.headers = body, headers
    return error


@pytest.mark.parametrize("status", [0, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(status: int) -> None:
    assert translated(refused(status)).is_transient


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 413, 422])
def test_what_will_not_pass_is_not(status: int) -> None:
    assert not translated(refused(status)).is_transient


def test_an_object_that_is_too_large_is_not_tried_again() -> None:
    body = '{"message": "etcdserver: request is too large"}'
    assert not translated(refused(500, body)).is_transient


def test_no_answer_is_an_error_like_any_other() -> None:
    error = translated(OSError("connection\nrefused"))
    assert error.is_transient
    assert str(error) == "no answer: connection refused"


def test_the_server_may_ask_for_patience() -> None:
    assert translated(refused(429, **{"Retry-After": "3"})).retry_after == 3
    assert translated(refused(429, **{"Retry-After": "soon"})).retry_after == 0


def test_a_failed_test_of_a_patch_is_told_from_an_object_that_is_not_allowed() -> None:
    stale = '{"message": "the server rejected our request", "details": {}}'
    wrong = '{"message": "epoch", "details": {"causes": [{"field": "spec.epoch"}]}}'
    assert translated(refused(422, stale)).is_conflict
    assert not translated(refused(422, wrong)).is_conflict
    assert translated(refused(409)).is_conflict


@pytest.mark.parametrize("body", ["", "<html>", "[]", '{"message": 1, "details": []}', "null"])
def test_an_answer_of_any_form_is_read(body: str) -> None:
    assert translated(refused(503, body)).status == 503


def test_the_last_status_of_an_object_wins() -> None:
    pending = Pending()
    pending.put(Item(ONE, {"n": 1}, urgent=False))
    pending.put(Item(ONE, {"n": 2}, urgent=False))
    assert pending.take() == Item(ONE, {"n": 2}, urgent=False)
    assert pending.take() is None


def test_changes_of_owner_come_first_and_stay_first() -> None:
    pending = Pending()
    pending.put(Item(ONE, {"n": 1}, urgent=False))
    pending.put(Item(TWO, {"n": 2}, urgent=True))
    pending.put(Item(TWO, {"n": 3}, urgent=False))
    assert pending.take() == Item(TWO, {"n": 3}, urgent=True)
    assert pending.take() == Item(ONE, {"n": 1}, urgent=False)


def test_two_statuses_of_one_object_are_not_written_at_once() -> None:
    pending = Pending()
    pending.put(Item(ONE, {"n": 1}, urgent=False))
    pending.take()
    pending.put(Item(ONE, {"n": 2}, urgent=True))
    assert pending.take() is None
    pending.done(ONE)
    assert pending.take() == Item(ONE, {"n": 2}, urgent=True)


def test_a_status_that_failed_comes_again_unless_there_is_a_newer_one() -> None:
    pending = Pending()
    first = Item(ONE, {"n": 1}, urgent=True)
    pending.put(first)
    pending.take()
    pending.put_back(first)
    assert pending.take() == first
    pending.put(Item(ONE, {"n": 2}, urgent=False))
    pending.put_back(first)
    assert pending.take() == Item(ONE, {"n": 2}, urgent=False)
    assert len(pending) == 0


def test_events_are_paced_after_a_burst() -> None:
    bucket = Bucket(10, 3, 0.0)
    assert [bucket.wait(0.0) for _ in range(4)] == [0, 0, 0, pytest.approx(0.1)]
    assert bucket.wait(60.0) == 0


def test_an_event_names_its_object_and_fits() -> None:
    entity = Entity("Binding", "x", "n" * 253, "u", "")
    body = event(entity, (Reason.ELECTED, "m" * 5000, "Normal"), "me")
    assert body["involvedObject"]["uid"] == "u"
    assert body["reason"] == "Elected"
    assert len(body["message"]) == 1000
    assert len(body["metadata"]["generateName"]) < 240
