"""When a check passes, and what an answer says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duravip_agent.core.checks import MOST_READ, Probe, Tally, count, status_in

PROBE = Probe("x", "10.1.0.11", "http", 80, 1.0, 1.0, fall=3, rise=2, statuses=((200, 299),))


def after(results: list[bool], *, begun: bool, probe: Probe = PROBE) -> bool:
    tally = Tally(begun)
    for is_success in results:
        tally = count(tally, probe, is_success=is_success)
    return tally.is_passing


@pytest.mark.parametrize(
    ("begun", "results", "wanted"),
    [
        (False, [], False),
        (False, [True], False),
        (False, [True, True], True),
        (False, [True, False, True], False),
        (True, [False, False], True),
        (True, [False, False, False], False),
        (True, [False, False, True, False, False], True),
        (True, [False, False, False, True], False),
        (True, [False, False, False, True, True], True),
    ],
)
def test_a_check_changes_after_so_many_results_in_a_row(
    begun: bool, results: list[bool], wanted: bool
) -> None:
    assert after(results, begun=begun) is wanted


@given(st.lists(st.booleans()), st.booleans(), st.integers(1, 5), st.integers(1, 5))
def test_the_last_results_alone_decide(
    results: list[bool], begun: bool, fall: int, rise: int
) -> None:
    passing = begun
    for end in range(1, len(results) + 1):
        enough = fall if passing else rise
        last = results[max(0, end - enough) : end]
        if len(last) == enough and set(last) == {not passing}:
            passing = not passing
    assert after(results, begun=begun, probe=PROBE._replace(fall=fall, rise=rise)) is passing


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"", None),
        (b"HTT", None),
        (b"HTTP/1.1 20", None),
        (b"HTTP/1.1 200 OK\r\nX: y\r\n", 200),
        (b"HTTP/1.0 404 Not Found\n", 404),
        (b"HTTP/1.1 500\r\n", 500),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n", None),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 301 Moved\r\n", 301),
    ],
)
def test_the_status_is_read_once_it_is_there(answer: bytes, status: int | None) -> None:
    assert status_in(answer) == status


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x15\x03\x01",
        b"HTTP/2 200\r\n",
        b"HTTP/1.1 999 No\r\n",
        b"HTTP/1.1 2000\r\n",
        b"HTTP/1.1 " + b"2" * MOST_READ,
        b"HTTP/1.1 100 Continue\r\n" + b"x: y\r\n" * MOST_READ,
        b"HTTP/1.1 200 ".ljust(MOST_READ, b"O"),
        b"HTTP/1.1 100 Continue\r\nX: ".ljust(MOST_READ, b"y"),
    ],
)
def test_what_is_no_answer_is_none(answer: bytes) -> None:
    with pytest.raises(ValueError, match="no "):
        status_in(answer)


@given(st.binary(max_size=200))
def test_no_answer_does_more_than_that(answer: bytes) -> None:
    try:
        status = status_in(answer)
    except ValueError:
        return
    assert status is None or 200 <= status < 600


def test_the_request_names_the_host_and_nothing_else_is_sent() -> None:
    assert b"\r\nHost: 10.1.0.11:80\r\n" in PROBE.request
    local = PROBE._replace(target="fe80::1%eth1", host="")
    assert b"\r\nHost: [fe80::1]:80\r\n" in local.request
    assert b"\r\nHost: www.example.org\r\n" in PROBE._replace(host="www.example.org").request
    assert PROBE.request.endswith(b"\r\n\r\n")


def test_a_status_is_accepted_in_its_ranges_only() -> None:
    assert [s for s in (199, 200, 299, 300) if PROBE.accepts(s)] == [200, 299]
