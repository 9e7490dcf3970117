"""Checks of a node's health: as people declare them, and as a NodePlumbing names them.

People declare a check once (`Check`). The operator works out, for each node, where it runs, and
names it there by one line of text: the interface and the IP version whose address is probed, and
every parameter, so that 1000 DuraVIPs with one check are one line, and one probe. For example

    tcp/eth1/ipv4/25/1s/1s/3/2
    http/eth1/ipv4/8080/1s/500ms/3/2/200-399/-/healthz?full=1
    https/eth1/ipv6/8443/1s/1s/3/2/200-299,404/www.example.org/

that is: scheme, interface, IP version, port, interval, timeout, fall, rise, and for HTTP the
statuses that pass, the value of the header Host (`-` is the probed address), and the path. The
agent answers with the same lines. Both sides compare them as text, so each check has one form
only: `parse_check` refuses any other.
"""

import re
from collections.abc import Callable, Iterable
from typing import Annotated, Final, Literal, NamedTuple, get_args
from urllib.parse import quote, unquote

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from duravip_api.fields import ATOMIC, ApiModel, limited, rules

MOST_CHECKS: Final = 256
"""Checks that one node makes."""
MOST_STATUSES, LONGEST_HOST, LONGEST_PATH, LONGEST_DURATION = 16, 253, 256, 8
LONGEST_CHECK: Final = 768
"""Characters of a check's line: more than the longest parts together have."""

MOST_COUNTED: Final = 100
"""The limit of `fall` and `rise`."""

SHORTEST_MS, LONGEST_MS = 200, 60_000
"""The limits of `interval` and `timeout`."""

Scheme = Literal["tcp", "http", "https"]
Version = Literal[4, 6]

_DURATION: Final = "([1-9][0-9]{0,4}ms|[0-9]{1,2}([.][0-9]{1,3})?s)"
_PATH: Final = "/[A-Za-z0-9/._~!$&'()*+,;=:@%?-]*"
_HOST: Final = "[A-Za-z0-9][A-Za-z0-9._-]*(:[0-9]{1,5})?"
_STATUSES: Final = "[1-5][0-9][0-9](-[1-5][0-9][0-9])?"


def _matches(pattern: str, text: str) -> bool:
    return re.fullmatch(pattern, text, re.ASCII) is not None


def is_check_duration(text: str) -> bool:
    """Whether it is a duration such as `500ms` or `1.5s`, from 200ms to 60s."""
    return _matches(_DURATION, text) and SHORTEST_MS <= milliseconds(text) <= LONGEST_MS


def is_check_path(text: str) -> bool:
    """Whether it can be the path, and the query, of a request as it stands."""
    return _matches(_PATH, text)


def is_check_host(text: str) -> bool:
    """Whether it can be the value of the header Host."""
    return _matches(_HOST, text)


def is_status_range(text: str) -> bool:
    """Whether it is a status of HTTP, or a range of them that is not empty."""
    first, _, last = text.partition("-")
    return _matches(_STATUSES, text) and first <= (last or first)


def milliseconds(text: str) -> int:
    """The milliseconds of a well-formed duration; fractions of one are cut off."""
    if text.endswith("ms"):
        return int(text.removesuffix("ms"))
    seconds, _, fraction = text.removesuffix("s").partition(".")
    return int(seconds) * 1000 + int(fraction.ljust(3, "0"))


def _checked(is_valid: Callable[[str], bool], message: str) -> AfterValidator:
    """The same rule again for objects that predate it."""

    def check(text: str) -> str:
        if not is_valid(text):
            raise ValueError(message)
        return text

    return AfterValidator(check)


_DURATION_MESSAGE: Final = "must be a duration from 200ms to 60s, e.g. 500ms, 1s or 1.5s"
_PATH_MESSAGE: Final = "must begin with '/' and have only characters that a URL can have"
_HOST_MESSAGE: Final = "must be a host name, maybe with a port, e.g. example.org"
_STATUS_MESSAGE: Final = "must be a status or a range of them, e.g. 204 or 200-399"

CheckDuration = Annotated[
    str,
    limited(
        LONGEST_DURATION,
        (
            f"self.matches('^{_DURATION}$') && duration(self) >= duration('200ms') && "
            "duration(self) <= duration('60s')",
            _DURATION_MESSAGE,
        ),
    ),
    _checked(is_check_duration, _DURATION_MESSAGE),
]

CheckPath = Annotated[
    str,
    limited(LONGEST_PATH, (f'self.matches("^{_PATH}$")', _PATH_MESSAGE), least=1),
    _checked(is_check_path, _PATH_MESSAGE),
]

CheckHost = Annotated[
    str,
    limited(LONGEST_HOST, (f"self.matches('^{_HOST}$')", _HOST_MESSAGE), least=1),
    _checked(is_check_host, _HOST_MESSAGE),
]

StatusRange = Annotated[
    str,
    limited(
        7,
        (
            f"self.matches('^{_STATUSES}$') && "
            "(self.size() == 3 || self.substring(0, 3) <= self.substring(4))",
            _STATUS_MESSAGE,
        ),
        least=3,
    ),
    _checked(is_status_range, _STATUS_MESSAGE),
]

CheckPort = Annotated[int, Field(ge=1, le=65535, description="The port to connect to.")]


class TcpCheck(ApiModel):
    """A node passes when it accepts a connection."""

    port: CheckPort


class HttpCheck(ApiModel):
    """A node passes when it answers a GET with one of the statuses."""

    port: CheckPort
    path: Annotated[CheckPath, Field(description="The path of the request, and its query.")] = "/"
    scheme: Annotated[
        Literal["HTTP", "HTTPS"],
        Field(description="HTTP or HTTPS; the server's certificate is not verified."),
    ] = "HTTP"
    host: Annotated[
        CheckHost | None,
        Field(
            description="The value of the header Host, and the server's name under HTTPS. Absent: "
            "the node's address."
        ),
    ] = None
    statuses: Annotated[
        list[StatusRange],
        Field(
            min_length=1,
            max_length=MOST_STATUSES,
            description="The statuses that pass, e.g. `204` or `200-399`. Redirects are not "
            "followed: their own status counts.",
            json_schema_extra=ATOMIC,
        ),
    ] = ["200-399"]


_ONE_OF: Final = "exactly one of tcp and http must be set"


class Check(ApiModel):
    """A probe of the own address of each node, made there: a node that fails it is not fit."""

    model_config = ConfigDict(
        json_schema_extra=rules(("has(self.tcp) != has(self.http)", _ONE_OF))
    )

    tcp: Annotated[TcpCheck | None, Field(description="Passes when a connection is accepted.")] = (
        None
    )
    http: Annotated[
        HttpCheck | None, Field(description="Passes when a GET is answered with a good status.")
    ] = None
    interval: Annotated[
        CheckDuration, Field(description="From the begin of one probe to that of the next.")
    ] = "1s"
    timeout: Annotated[
        CheckDuration, Field(description="A probe that takes longer has failed.")
    ] = "1s"
    fall: Annotated[
        int,
        Field(
            ge=1,
            le=MOST_COUNTED,
            description="A node that passed fails after so many failed probes in a row.",
        ),
    ] = 3
    rise: Annotated[
        int,
        Field(
            ge=1,
            le=MOST_COUNTED,
            description="A node that failed, or was not probed before, passes after so many "
            "successful probes in a row.",
        ),
    ] = 2

    @model_validator(mode="after")
    def _is_one_of_them(self) -> "Check":
        if (self.tcp is None) == (self.http is None):
            raise ValueError(_ONE_OF)
        return self


class NodeCheck(NamedTuple):
    """A check where one node makes it."""

    interface: str
    """The probed address is the node's own one on this interface."""
    version: Version
    """The IP version of that address."""
    scheme: Scheme
    port: int
    interval_ms: int = 1000
    timeout_ms: int = 1000
    fall: int = 3
    rise: int = 2
    statuses: tuple[tuple[int, int], ...] = ()
    """For HTTP: the ranges that pass, in ascending order, none touching another."""
    host: str = ""
    """The value of the header Host; empty: the probed address."""
    path: str = ""

    def passes(self, status: int) -> bool:
        """Whether this status of HTTP is a success."""
        return any(first <= status <= last for first, last in self.statuses)

    def __str__(self) -> str:
        """The line that names it in a NodePlumbing."""
        times = (self.interval_ms, self.timeout_ms)
        parts = [self.scheme, quote(self.interface, safe=""), f"ipv{self.version}"]
        parts += [str(self.port), *map(_duration, times), str(self.fall), str(self.rise)]
        if self.scheme == "tcp":
            return "/".join(parts)
        ranges = (f"{a}-{b}" if a != b else f"{a}" for a, b in self.statuses)
        return "/".join([*parts, ",".join(ranges), self.host or "-"]) + self.path


def node_check(check: Check, interface: str, version: Version) -> NodeCheck:
    """The check where a node makes it: of its address of this IP version on this interface."""
    common = NodeCheck(
        interface,
        version,
        "tcp",
        port=0,
        interval_ms=milliseconds(check.interval),
        timeout_ms=milliseconds(check.timeout),
        fall=check.fall,
        rise=check.rise,
    )
    if check.http is None:
        return common._replace(port=check.tcp.port if check.tcp else 0)
    http = check.http
    return common._replace(
        scheme="https" if http.scheme == "HTTPS" else "http",
        port=http.port,
        statuses=_merged(http.statuses),
        host=http.host or "",
        path=http.path,
    )


def parse_check(text: str) -> NodeCheck:
    """The check that a line names; raises ValueError for anything but a check's only form."""
    if len(text) > LONGEST_CHECK:
        raise ValueError("the line is too long")
    scheme, *rest = text.split("/", 10)
    if scheme not in get_args(Scheme) or len(rest) != (7 if scheme == "tcp" else 10):
        raise ValueError("not a line of tcp/…, http/… or https/…")
    interface, version, port, interval, timeout, fall, rise, *http = rest
    if version not in {"ipv4", "ipv6"} or not all(map(is_check_duration, (interval, timeout))):
        raise ValueError("the IP version or a duration cannot be read")
    check = NodeCheck(
        unquote(interface),
        4 if version == "ipv4" else 6,
        "tcp" if scheme == "tcp" else "http" if scheme == "http" else "https",
        port=_within(port, 65535),
        interval_ms=milliseconds(interval),
        timeout_ms=milliseconds(timeout),
        fall=_within(fall, MOST_COUNTED),
        rise=_within(rise, MOST_COUNTED),
    )
    if http:
        check = _with_request(check, *http)
    if str(check) != text or not check.interface:
        raise ValueError("not in the only form that a check has")
    return check


def _with_request(check: NodeCheck, statuses: str, host: str, path: str) -> NodeCheck:
    listed = statuses.split(",")
    if len(listed) > MOST_STATUSES or not all(map(is_status_range, listed)):
        raise ValueError("the statuses cannot be read")
    if not (host == "-" or (is_check_host(host) and len(host) <= LONGEST_HOST)):
        raise ValueError("the host cannot be read")
    path = f"/{path}"
    if not is_check_path(path) or len(path) > LONGEST_PATH:
        raise ValueError("the path cannot be read")
    return check._replace(statuses=_merged(listed), host="" if host == "-" else host, path=path)


def _within(text: str, most: int) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= number <= most:
        raise ValueError(f"not a number from 1 to {most}")
    return number


def _duration(value: int) -> str:
    return f"{value}ms" if value % 1000 else f"{value // 1000}s"


def _merged(listed: Iterable[str]) -> tuple[tuple[int, int], ...]:
    merged: list[tuple[int, int]] = []
    for item in sorted(listed):
        first, _, last = item.partition("-")
        low, high = int(first), int(last or first)
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)
