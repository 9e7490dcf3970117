"""Commands to this node: annotations of its NodePlumbing.

Each value of an annotation is carried out once, when it is seen for the first time. What is there
when the agent starts was meant for an earlier one and is ignored; but neighbours are listed, which
changes nothing, so that a command that is given while the agent starts is answered.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from duravip_agent.core.kernel_state import NeighbourEntry
from duravip_agent.core.node_spec import resource_version
from duravip_api.addresses import parse_address, to_int
from duravip_api.annotations import ANNOUNCE, LIST_NEIGHBOURS, RESET
from duravip_api.nodeplumbing import Neighbour

MAX_NEIGHBOURS: Final = 256
NEIGHBOURS_SHOWN_FOR_S: Final = 60.0
"""How long the neighbours stand in the status: every write of it carries them."""
MAX_TIME_LENGTH: Final = 64
_KNOWN: Final = {RESET: "reset", ANNOUNCE: "announce", LIST_NEIGHBOURS: "neighbours"}
"""Each with its field of `status.requests`, in the order in which they are done."""


class NodeCommand(NamedTuple):
    """Something that is asked for."""

    what: str
    """The annotation."""
    time: str
    """As people wrote it."""
    addresses: frozenset[str] = frozenset()
    """Empty: all of them."""


class NodeCommands:
    """What was asked for so far, and what became of it."""

    def __init__(self) -> None:
        self._version = 0
        self._seen: dict[str, str] | None = None
        self.done: dict[str, str] = {}
        """The time of the last request of each kind, by its field of the status."""
        self._neighbours: list[Neighbour] = []
        self._until = 0.0

    def forget(self) -> None:
        """The store has gone back: what is asked for there is old."""
        self._version, self._seen = 0, None

    def new_in(self, body: Mapping[str, Any]) -> list[NodeCommand]:
        """The object was seen like this; gives back what is to be done now."""
        if resource_version(body) < self._version:
            return []
        self._version = resource_version(body)
        notes = body["metadata"].get("annotations") or {}
        values = {what: str(notes[what]) for what in _KNOWN if what in notes}
        old = self._seen
        if old is None:
            old = {what: value for what, value in values.items() if what != LIST_NEIGHBOURS}
        self._seen = old | values
        return [_read(what, value) for what, value in values.items() if old.get(what) != value]

    def mark_done(self, request: NodeCommand) -> None:
        """It was done."""
        self.done[_KNOWN[request.what]] = request.time

    def set_neighbours(self, neighbours: list[Neighbour], now: float) -> None:
        """These are the neighbours."""
        self._neighbours, self._until = neighbours, now + NEIGHBOURS_SHOWN_FOR_S

    def neighbours(self, now: float) -> list[Neighbour]:
        """Those that are still to be shown."""
        return self._neighbours if now < self._until else []


def neighbour_table(hosts: Iterable[NeighbourEntry], names: Mapping[int, str]) -> list[Neighbour]:
    """The hosts on these links, those that answer first, as many as the status holds."""
    listed = sorted(
        (host for host in hosts if host.link in names),
        key=lambda host: (not host.answers, names[host.link], to_int(host.address)),
    )
    return [
        Neighbour(interface=names[host.link], address=host.address, mac=host.mac, state=host.state)
        for host in listed[:MAX_NEIGHBOURS]
    ]


def _read(what: str, value: str) -> NodeCommand:
    time, _, rest = value.partition(" ")
    named = (text.strip() for text in rest.split(","))
    return NodeCommand(
        what, time[:MAX_TIME_LENGTH], frozenset(filter(None, map(_canonical, named)))
    )


def _canonical(address: str) -> str:
    try:
        return str(parse_address(address))
    except ValueError:
        return ""
