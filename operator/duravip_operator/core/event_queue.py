"""The queue of Kubernetes Events that wait to be written, and their order.

Events are rate limited (`event_recorder`), so what matters most goes first, and what repeats is
merged. A Node gets one Event for all addresses that it took over from the same node in the same
moment. Of each object only the latest Event waits, behind all that concern Nodes; if too many
wait, the oldest are dropped: the Node's Event and `status.lastMove` still tell about the moves.
"""

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, Self

from duravip_api import API_VERSION
from duravip_api.addresses import format_ranges
from duravip_api.reasons import MoveReason
from duravip_operator.core.snapshot import VipObject
from duravip_runtime.text import summarize

MAX_WAITING: Final = 1000
"""At most this many Events of objects wait."""
GATHER_S: Final = 1.0
"""What a Node takes over within this many seconds is one Event."""


Kind = Literal["Normal", "Warning"]

_FAIL_OVERS = {MoveReason.NODE_LOST, MoveReason.LINK_DOWN, MoveReason.REPAIR_FAILED}


class OwnerChange(NamedTuple):
    """A move that has been completed: another node, or another interface, serves the address."""

    address: str
    former: str
    """The owner before; empty: nobody had it."""
    owner: str
    reason: MoveReason
    before: str = ""
    """The address that the object had before it was edited; empty: the same."""
    interface: str = ""
    """The interface that it is on now, if only that has changed."""

    @property
    def sentence(self) -> str:
        """The move in words, for an Event's message."""
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
        """The Event's type: a lost owner is worth a warning."""
        return event_type(self.reason)


def event_type(reason: MoveReason) -> Kind:
    """The type of Event for a move of this reason."""
    return "Warning" if reason in _FAIL_OVERS else "Normal"


class InvolvedObject(NamedTuple):
    """The object that an Event is shown with."""

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
    def service(cls, namespace: str, name: str, uid: str) -> Self:
        """A Service."""
        return cls("v1", "Service", namespace, name, uid)

    @classmethod
    def node(cls, name: str) -> Self:
        """A Node. As kubelets do, with its name as the uid: `kubectl describe` looks for that."""
        return cls("v1", "Node", "", name, name)


class PendingEvent(NamedTuple):
    """One Event that is still to be written."""

    subject: InvolvedObject
    reason: str
    message: str
    kind: Kind = "Normal"
    time: str = ""
    """When it happened, as an API time; empty: when it is written."""


@dataclass(slots=True)
class _Takeover:
    since: float
    addresses: dict[str, None] = field(default_factory=dict)
    """A set in order: two objects may name the same address."""


class EventQueue:
    """The Events that wait. Times are arguments, all of one clock, in seconds."""

    def __init__(self) -> None:
        self._of_nodes: list[PendingEvent] = []
        self._takeovers: dict[tuple[str, str, MoveReason], _Takeover] = {}
        self._of_objects: OrderedDict[InvolvedObject, PendingEvent] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._of_nodes or self._takeovers or self._of_objects)

    def put(self, event: PendingEvent) -> bool:
        """Add an Event; False if one had to be dropped or replaced for it."""
        if event.subject.kind == "Node":
            self._of_nodes.append(event)
            return True
        is_first = self._of_objects.pop(event.subject, None) is None
        self._of_objects[event.subject] = event
        if len(self._of_objects) <= MAX_WAITING:
            return is_first
        self._of_objects.popitem(last=False)
        return False

    def add_takeover(self, move: OwnerChange, now: float) -> None:
        """Add a move to what its new owner took over in this moment."""
        key = (move.owner, move.former, move.reason)
        self._takeovers.setdefault(key, _Takeover(now)).addresses[move.address] = None

    def pop(self, now: float, *, may_say_all: bool) -> PendingEvent | None:
        """The next Event to write: of Nodes first; of objects only if `may_say_all`."""
        for key, takeover in self._takeovers.items():
            if now - takeover.since >= GATHER_S:
                del self._takeovers[key]
                return _takeover(*key, takeover.addresses)
        if self._of_nodes:
            return self._of_nodes.pop(0)
        if self._of_objects and may_say_all:
            return self._of_objects.popitem(last=False)[1]
        return None


def _takeover(
    owner: str, former: str, reason: MoveReason, addresses: Collection[str]
) -> PendingEvent:
    names = format_ranges(addresses)
    count = "1 address" if len(addresses) == 1 else f"{len(addresses)} addresses"
    origin = f" from {former}" if former else ""
    listed = summarize(names, noun="ranges")
    message = f"took {count}{origin}: {reason}: {listed}"
    return PendingEvent(InvolvedObject.node(owner), reason, message, event_type(reason))
