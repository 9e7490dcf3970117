"""What people ask of this node at this moment: annotations of its NodePlumbing.

A value asks once, when it is seen for the first time. What is there when the agent starts was
asked of an earlier one and is old; but neighbours are listed, which changes nothing, so that
whoever asks while the agent starts is answered.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from duravip_agent.core.kernel_state import Host
from duravip_agent.core.node_spec import version_of
from duravip_api.addresses import parse_address, to_int
from duravip_api.annotations import ANNOUNCE, LIST_NEIGHBOURS, RESET
from duravip_api.nodeplumbing import Neighbour

MOST_NEIGHBOURS: Final = 256
SHOWN_FOR: Final = 60.0
"""The neighbours stand in the status for so long, in seconds: every write of it carries them."""
LONGEST_TIME: Final = 64
_KNOWN: Final = {RESET: "reset", ANNOUNCE: "announce", LIST_NEIGHBOURS: "neighbours"}
"""Each with its field of `status.requests`, in the order in which they are done."""
_NO_HOSTS: Final = {"FAILED", "INCOMPLETE"}


class Request(NamedTuple):
    """Something that is asked for."""

    what: str
    """The annotation."""
    time: str
    """As people wrote it."""
    addresses: frozenset[str] = frozenset()
    """Empty: all of them."""


class Requests:
    """What was asked for so far, and what became of it."""

    def __init__(self) -> None:
        self._version = 0
        self._seen: dict[str, str] | None = None
        self.done: dict[str, str] = {}
        """The time of the last request of each kind, by its field of the status."""
        self._neighbours: list[Neighbour] = []
        self._until = 0.0

    def begin_anew(self) -> None:
        """The store has gone back: what is asked for there is old."""
        self._version, self._seen = 0, None

    def take(self, body: Mapping[str, Any]) -> list[Request]:
        """The object was seen like this; gives back what is to be done now."""
        if version_of(body) < self._version:
            return []
        self._version = version_of(body)
        notes = body["metadata"].get("annotations") or {}
        there = {what: str(notes[what]) for what in _KNOWN if what in notes}
        old = self._seen
        if old is None:
            old = {what: value for what, value in there.items() if what != LIST_NEIGHBOURS}
        self._seen = old | there
        return [_read(what, value) for what, value in there.items() if old.get(what) != value]

    def did(self, request: Request) -> None:
        """It was done."""
        self.done[_KNOWN[request.what]] = request.time

    def found(self, neighbours: list[Neighbour], now: float) -> None:
        """These are the neighbours."""
        self._neighbours, self._until = neighbours, now + SHOWN_FOR

    def neighbours(self, now: float) -> list[Neighbour]:
        """Those that are still to be shown."""
        return self._neighbours if now < self._until else []


def listed(hosts: Iterable[Host], names: Mapping[int, str]) -> list[Neighbour]:
    """The hosts on these links, those that answer first, as many as the status holds."""
    found = [
        Neighbour(interface=names[host.link], address=host.address, mac=host.mac, state=host.state)
        for host in hosts
        if host.link in names
    ]
    found.sort(key=lambda n: (n.state in _NO_HOSTS, n.interface, to_int(n.address)))
    return found[:MOST_NEIGHBOURS]


def _read(what: str, value: str) -> Request:
    time, _, rest = value.partition(" ")
    named = (text.strip() for text in rest.split(","))
    return Request(what, time[:LONGEST_TIME], frozenset(filter(None, map(_canonical, named))))


def _canonical(address: str) -> str:
    try:
        return str(parse_address(address))
    except ValueError:
        return ""
