"""What the API server's answers mean."""

import pytest
from kubernetes.client import ApiException

from duravip_runtime.kube import to_api_error


def refused(status: int, body: str = "", **headers: str) -> ApiException:
    error = ApiException(status=status, reason="why")
    error.body, error.headers = body, headers
    return error


@pytest.mark.parametrize("status", [0, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(status: int) -> None:
    assert to_api_error(refused(status)).is_transient


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 413, 422])
def test_what_will_not_pass_is_not(status: int) -> None:
    assert not to_api_error(refused(status)).is_transient


def test_an_object_that_is_too_large_is_not_tried_again() -> None:
    body = '{"message": "etcdserver: request is too large"}'
    assert not to_api_error(refused(500, body)).is_transient


def test_no_answer_is_an_error_like_any_other() -> None:
    error = to_api_error(OSError("connection\nrefused"))
    assert error.is_transient
    assert str(error) == "no answer: connection refused"


def test_the_server_may_ask_for_patience() -> None:
    assert to_api_error(refused(429, **{"Retry-After": "3"})).retry_after == 3
    assert to_api_error(refused(429, **{"Retry-After": "soon"})).retry_after == 0


def test_a_failed_test_of_a_patch_is_told_from_an_object_that_is_not_allowed() -> None:
    stale = '{"message": "the server rejected our request", "details": {}}'
    wrong = '{"message": "epoch", "details": {"causes": [{"field": "spec.epoch"}]}}'
    assert to_api_error(refused(422, stale)).is_conflict
    assert not to_api_error(refused(422, wrong)).is_conflict
    assert to_api_error(refused(409)).is_conflict


@pytest.mark.parametrize("body", ["", "<html>", "[]", '{"message": 1, "details": []}', "null"])
def test_an_answer_of_any_form_is_read(body: str) -> None:
    assert to_api_error(refused(503, body)).status == 503
