"""What people ask for at this moment, and not for good: annotations with the time of asking.

A request is never taken back by a program. It is spent once it has had its effect: whoever looks
compares its time with that of what happened since.
"""

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from duravip_api import GROUP

MOVE_TO: Final = f"{GROUP}/move-to"
"""On a DuraVIP or Binding, `NODE@TIME`: hold the address on that node, until it has left it."""

RELEASE_FROM: Final = f"{GROUP}/release-from"
"""On a DuraVIP or Binding, `NODE@TIME`: that node gives the address to another one."""

ANNOUNCE: Final = f"{GROUP}/announce"
"""On a NodePlumbing, `TIME [ADDRESS,ADDRESS…]`: announce these, or everything, again."""

RESET: Final = f"{GROUP}/reset"
"""On a NodePlumbing, `TIME`: unplumb everything, then take what is granted anew."""

LIST_NEIGHBOURS: Final = f"{GROUP}/list-neighbours"
"""On a NodePlumbing, `TIME`: write the node's neighbours into its status."""

MAX_LENGTH: Final = 320
"""Characters of a request for a node: a name and a time. An annotation may have many more."""


class Request(NamedTuple):
    """A node that people name, and when they did."""

    node: str
    time: float
    """In seconds since 1970."""


def format_request(node: str, now: datetime, last_move: str = "") -> str:
    """The text of a request; later than the last move, though the clocks disagree."""
    since = _parsed(last_move)
    if since and since >= now:
        now = since + timedelta(microseconds=1)
    return f"{node}@{format_time(now)}"


def parse_request(text: str) -> Request | None:
    """The request that a text makes; None when it makes none."""
    if len(text) > MAX_LENGTH:
        return None
    node, _, when = text.partition("@")
    time = parse_time(when)
    return Request(node, time) if node and time is not None else None


def format_time(time: datetime) -> str:
    """A time as requests and moves carry it: two of them rarely fall together."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def format_clock_time(time: float) -> str:
    """A time in seconds since 1970 as Kubernetes writes times, without fractions."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> float | None:
    """The time that an RFC 3339 text gives, in seconds since 1970; None when it is none."""
    found = _parsed(text)
    return found.timestamp() if found else None


def _parsed(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None
