"""A check has one line in a NodePlumbing, and only that one is understood."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from duravip_api.checks import (
    LONGEST_CHECK,
    LONGEST_PATH,
    Check,
    NodeCheck,
    node_check,
    parse_check,
)

TCP = {"tcp": {"port": 25}}
HTTP = {"http": {"port": 8080, "path": "/healthz?full=1"}, "timeout": "0.5s"}
HTTPS = {
    "http": {
        "port": 8443,
        "scheme": "HTTPS",
        "host": "www.example.org",
        "statuses": ["404", "250-299", "200-249"],
    },
}


@pytest.mark.parametrize(
    ("declared", "line"),
    [
        (TCP, "tcp/eth1/ipv4/25/1s/1s/3/2"),
        (HTTP, "http/eth1/ipv4/8080/1s/500ms/3/2/200-399/-/healthz?full=1"),
        (HTTPS, "https/eth1/ipv4/8443/1s/1s/3/2/200-299,404/www.example.org/"),
    ],
)
def test_a_declared_check_has_this_line(declared: dict[str, Any], line: str) -> None:
    check = node_check(Check.model_validate(declared), "eth1", 4)
    assert str(check) == line
    assert parse_check(line) == check


def test_the_line_names_interface_and_ip_version() -> None:
    check = node_check(Check.model_validate(TCP), "e#1/ü", 6)
    assert str(check) == "tcp/e%231%2F%C3%BC/ipv6/25/1s/1s/3/2"
    assert parse_check(str(check)) == check


_PATH = st.text("abz019/._~!$&'()*+,;=:@%?-", max_size=LONGEST_PATH - 1).map("/".__add__)
_HOST = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,40}(:[0-9]{1,5})?", fullmatch=True)
_TIME = st.integers(200, 60_000).map(lambda ms: f"{ms}ms") | st.integers(1, 60).map("{}s".format)
_STATUS = st.tuples(st.integers(100, 599), st.integers(100, 599)).map(
    lambda two: f"{min(two)}-{max(two)}"
)
_REQUEST = st.fixed_dictionaries(
    {
        "port": st.integers(1, 65535),
        "path": _PATH,
        "scheme": st.sampled_from(["HTTP", "HTTPS"]),
        "statuses": st.lists(_STATUS, min_size=1, max_size=16),
    },
    optional={"host": _HOST},
)
_CHECKS = st.one_of(
    st.fixed_dictionaries({"tcp": st.fixed_dictionaries({"port": st.integers(1, 65535)})}),
    st.fixed_dictionaries({"http": _REQUEST}),
)
_COUNTS = st.fixed_dictionaries(
    {
        "interval": _TIME,
        "timeout": _TIME,
        "fall": st.integers(1, 100),
        "rise": st.integers(1, 100),
    }
)
_INTERFACES = st.text(min_size=1, max_size=15)


@given(_CHECKS, _COUNTS, _INTERFACES, st.sampled_from([4, 6]))
def test_whatever_can_be_declared_is_read_back_as_it_was(
    kind: dict[str, Any], counts: dict[str, Any], interface: str, version: Any
) -> None:
    check = node_check(Check.model_validate({**kind, **counts}), interface, version)
    line = str(check)
    assert parse_check(line) == check
    assert len(line) <= LONGEST_CHECK
    assert line.isascii()
    assert line.isprintable()
    assert " " not in line


@given(st.text() | st.from_regex(r"(tcp|https?)(/[a-z0-9.%-]{0,8}){5,12}", fullmatch=True))
def test_what_is_read_has_this_very_line(line: str) -> None:
    try:
        check = parse_check(line)
    except ValueError:
        return
    assert str(check) == line


@pytest.mark.parametrize(
    "line",
    [
        "",
        "icmp/eth1/ipv4/25/1s/1s/3/2",
        "tcp/eth1/ipv4/25/1s/1s/3",
        "tcp/eth1/ipv4/25/1s/1s/3/2/",
        "tcp//ipv4/25/1s/1s/3/2",
        "tcp/eth1/ipv5/25/1s/1s/3/2",
        "tcp/eth1/ipv4/0/1s/1s/3/2",
        "tcp/eth1/ipv4/70000/1s/1s/3/2",
        "tcp/eth1/ipv4/25/1000ms/1s/3/2",  # another form of 1s
        "tcp/eth1/ipv4/25/100ms/1s/3/2",
        "tcp/eth1/ipv4/25/1s/61s/3/2",
        "tcp/eth1/ipv4/25/1s/1s/0/2",
        "tcp/eth1/ipv4/25/1s/1s/3/101",
        "tcp/eth1/ipv4/\u0662\u0665/1s/1s/3/2",
        "http/eth1/ipv4/80/1s/1s/3/2/200-399/-",
        "http/eth1/ipv4/80/1s/1s/3/2//-/",
        "http/eth1/ipv4/80/1s/1s/3/2/300-200/-/",
        "http/eth1/ipv4/80/1s/1s/3/2/200-399,204/-/",  # not merged
        "http/eth1/ipv4/80/1s/1s/3/2/200-399/a b/",
        "http/eth1/ipv4/80/1s/1s/3/2/200-399/-/a\r\nHost: x",
        "http/eth1/ipv4/80/1s/1s/3/2/200-399/-/" + "a" * LONGEST_PATH,
        "tcp/" + "a" * LONGEST_CHECK,
    ],
)
def test_no_other_form_is_understood(line: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_check(line)


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({}, "exactly one of tcp and http"),
        ({**TCP, "http": {"port": 80}}, "exactly one of tcp and http"),
        ({"tcp": {"port": 0}}, "greater than or equal to 1"),
        ({**TCP, "interval": "100ms"}, "from 200ms to 60s"),
        ({**TCP, "interval": "1h"}, "from 200ms to 60s"),
        ({**TCP, "timeout": "61s"}, "from 200ms to 60s"),
        ({**TCP, "timeout": "-1s"}, "from 200ms to 60s"),
        ({**TCP, "fall": 0}, "greater than or equal to 1"),
        ({**TCP, "rise": 101}, "less than or equal to 100"),
        ({"http": {"port": 80, "path": "healthz"}}, "must begin with '/'"),
        ({"http": {"port": 80, "path": "/a\r\nX: y"}}, "must begin with '/'"),
        ({"http": {"port": 80, "host": "a\nb"}}, "host name"),
        ({"http": {"port": 80, "statuses": ["399-200"]}}, "status or a range"),
        ({"http": {"port": 80, "statuses": ["20x"]}}, "status or a range"),
        ({"http": {"port": 80, "statuses": []}}, "at least 1 item"),
    ],
)
def test_what_cannot_be_a_check_is_refused(declared: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Check.model_validate(declared)


def test_a_status_passes_in_its_ranges_only() -> None:
    check = NodeCheck("eth1", 4, "http", 80, statuses=((200, 399), (404, 404)), path="/")
    passing = [status for status in range(1000) if check.passes(status)]
    assert passing == [*range(200, 400), 404]
