"""What is still to be said in Events, and in which order.

A Node hears once of all that it took over from another one in the same moment. Of each entity only
the last thing that was not yet said is, behind all that concerns Nodes; where too many wait, the
oldest are dropped: the Node's Event and `status.lastMove` still tell of them.
"""

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal, NamedTuple, Self

from duravip_api import API_VERSION
from duravip_api.addresses import format_ranges
from duravip_api.reasons import MoveReason
from duravip_operator.core.snapshot import VipObject

MAX_WAITING: Final = 1000
GATHER_S: Final = 1.0
"""What a Node takes over within so many seconds is one Event."""

MOST_NAMED: Final = 5
"""So many ranges of addresses are named in it."""

Kind = Literal["Normal", "Warning"]

_FAIL_OVERS = {MoveReason.NODE_LOST, MoveReason.LINK_DOWN, MoveReason.REPAIR_FAILED}


class OwnerChange(NamedTuple):
    """A change of owner."""

    address: str
    former: str
    """Empty: nobody had it."""
    owner: str
    reason: MoveReason
    before: str = ""
    """The address that its object had before it was edited; empty: the same."""
    interface: str = ""
    """The one that it is on now, where only that has changed."""

    @property
    def sentence(self) -> str:
        """What is said of it to a person."""
        if self.before:
            return f"{self.address}, which was {self.before}, is served by {self.owner}"
        if self.interface:
            return f"{self.address} is on {self.interface} now, and still on {self.owner}"
        if self.former == self.owner:
            return f"{self.address} is served by {self.owner} again"
        if self.former:
            return f"{self.address} moved from {self.former} to {self.owner}"
        return f"{self.address} is served by {self.owner}, its first owner"

    @property
    def kind(self) -> Kind:
        """How it is shown: that an owner was lost is worth a look."""
        return event_type(self.reason)


def event_type(reason: MoveReason) -> Kind:
    """How a move for this reason is shown."""
    return "Warning" if reason in _FAIL_OVERS else "Normal"


class InvolvedObject(NamedTuple):
    """The object that an Event is shown below."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str

    @classmethod
    def of(cls, vip: VipObject) -> Self:
        """A DuraVIP or Binding."""
        return cls(API_VERSION, vip.kind, vip.namespace, vip.name, vip.uid)

    @classmethod
    def node(cls, name: str) -> Self:
        """A Node; `kubectl describe` looks for its name in place of the uid, as kubelets do."""
        return cls("v1", "Node", "", name, name)


class PendingEvent(NamedTuple):
    """One Event."""

    subject: InvolvedObject
    reason: StrEnum
    message: str
    kind: Kind = "Normal"
    time: str = ""
    """When it happened, as the API writes it; empty: when it is written."""


@dataclass(slots=True)
class _Takeover:
    since: float
    addresses: dict[str, None] = field(default_factory=dict)
    """Each once, though two objects may name it."""


class EventQueue:
    """What is still to be said. Times are arguments, of one clock."""

    def __init__(self) -> None:
        self._of_nodes: list[PendingEvent] = []
        self._taken: dict[tuple[str, str, MoveReason], _Takeover] = {}
        self._of_entities: OrderedDict[InvolvedObject, PendingEvent] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._of_nodes or self._taken or self._of_entities)

    def put(self, told: PendingEvent) -> bool:
        """Add it; False when something had to be dropped for that."""
        if told.subject.kind == "Node":
            self._of_nodes.append(told)
            return True
        is_first = self._of_entities.pop(told.subject, None) is None
        self._of_entities[told.subject] = told
        if len(self._of_entities) <= MAX_WAITING:
            return is_first
        self._of_entities.popitem(last=False)
        return False

    def add_takeover(self, move: OwnerChange, now: float) -> None:
        """Add to what its new owner is said to have taken over."""
        key = (move.owner, move.former, move.reason)
        self._taken.setdefault(key, _Takeover(now)).addresses[move.address] = None

    def pop(self, now: float, *, may_say_all: bool) -> PendingEvent | None:
        """The next one to say: of Nodes first, and of entities only if all may be said."""
        for key, taken in self._taken.items():
            if now - taken.since >= GATHER_S:
                del self._taken[key]
                return _takeover(*key, taken.addresses)
        if self._of_nodes:
            return self._of_nodes.pop(0)
        if self._of_entities and may_say_all:
            return self._of_entities.popitem(last=False)[1]
        return None


def _takeover(
    owner: str, former: str, reason: MoveReason, addresses: Collection[str]
) -> PendingEvent:
    names = format_ranges(addresses)
    more = f" and {len(names) - MOST_NAMED} more ranges" if len(names) > MOST_NAMED else ""
    count = "1 address" if len(addresses) == 1 else f"{len(addresses)} addresses"
    origin = f" from {former}" if former else ""
    listed = ", ".join(names[:MOST_NAMED]) + more
    said = f"took {count}{origin}: {reason}: {listed}"
    return PendingEvent(InvolvedObject.node(owner), reason, said, event_type(reason))
