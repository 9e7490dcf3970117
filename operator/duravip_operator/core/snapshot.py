"""What the operator knows at one moment: the facts from which everything is decided.

Objects are parsed once, when they arrive (`parsing`): a pass over ten thousand parses nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal, NamedTuple

from duravip_api import EXCLUDE_LABEL
from duravip_api.addresses import Range, union
from duravip_api.listeners import Listening
from duravip_api.nodeplumbing import Nic
from duravip_api.reasons import Reason


class Liveness(Enum):
    """What the pulse says of a node's agent."""

    UNKNOWN = "unheard"
    """Never heard by this replica, and not yet for long enough to draw a conclusion."""
    WARMING_UP = "young"
    """Heard, but not for long enough without a gap: it keeps what it has and gets nothing new."""
    ALIVE = "alive"
    SUSPECT = "silent"
    """Suspected: nothing new is granted to it. What it has moves only when the wire agrees."""


HEARD_STATES = frozenset({Liveness.WARMING_UP, Liveness.ALIVE})
"""The states of an agent whose heartbeats arrive."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """What is known of a node whose agent is not heard."""

    unreachable_on: frozenset[str] = frozenset()
    """Interfaces on whose segment a witness asked for its addresses and nothing answered."""
    reachable_on: frozenset[str] = frozenset()
    """Interfaces on whose segment its addresses still answer."""
    is_self_fenced: bool = False
    """It has had no acknowledgement for so long that a strictly fenced node is mute by itself."""
    is_lasting: bool = False
    """It is no mere hiccup: worth telling people about."""
    last_heard: float = 0.0
    """When it was last heard: the operator's clock, in seconds."""


class Rejection(NamedTuple):
    """Why an object, or a node, is not taken."""

    reason: Reason
    message: str
    """A sentence that names the object and the field."""


Service = tuple[str, str]
"""What listens on an address: `(port, name)`, e.g. `("TCP/25", "smtp")`."""

Advisory = tuple[str, Reason, str]
"""`(condition type, reason, message)` of something that is true beside `Ready`."""

Selector = tuple[tuple[str, str], ...]
"""Labels that must all be there, sorted; empty = every node."""


class MoveRequest(NamedTuple):
    """A request, by annotation, that has not had its effect yet or is held to."""

    time: float
    """When it was made, in seconds since 1970; of several the latest counts."""
    node: str
    releases: bool
    """Whether the node shall give the address away; else it shall hold it."""


@dataclass(frozen=True, slots=True)
class VipObject:
    """A DuraVIP or a Binding."""

    kind: Literal["DuraVIP", "Binding"]
    namespace: str
    name: str
    uid: str
    created: str
    generation: int = 1
    address: str = ""
    """Canonical; empty when there is none, or none that can be read."""
    enabled: bool = True
    preference: str = ""
    follow: str = ""
    services: frozenset[Service] = frozenset()
    selector: Selector = ()
    adaptive: bool = False
    """Whether adaptive delivery uses it."""
    requests: tuple[MoveRequest, ...] = ()
    unparsable: tuple[str, ...] = ()
    """What is wrong with its annotations: a sentence each."""
    rejection: Rejection | None = None
    status: Mapping[str, Any] = field(default_factory=dict, compare=False, hash=False)
    """The status as it stands in the API."""

    @property
    def label(self) -> str:
        """The object's name for a message, e.g. `DuraVIP mail/smtp-1`."""
        return f"{self.kind} {self.namespace}/{self.name}"

    @property
    def seniority(self) -> tuple[str, str, str, str]:
        """Sorts the older first, and in the same order whoever looks."""
        return (self.created, self.namespace, self.name, self.kind)


Fencing = Literal["", "Segment", "Strict"]
"""How a silent node's addresses are kept from answering twice; empty = the operator's default."""


class Placement(NamedTuple):
    """Where and how an address is plumbed and announced: one entry of `spec.interfaces`."""

    interface: str
    mask: int
    arp_all_hosts: bool = True
    arp_targets: tuple[str, ...] = ()
    fencing: Fencing = ""


NOWHERE = Placement("", 32)


@dataclass(frozen=True, slots=True)
class Topology:
    """A network block and the interface it lives on."""

    name: str
    uid: str
    created: str
    generation: int = 1
    cidr: str = ""
    family: int = 4
    first: int = 0
    last: int = 0
    prefix: int = 0
    placement: Placement = NOWHERE
    selector: Selector = ()
    namespaces: frozenset[str] | None = None
    reserved: tuple[Range, ...] = ()
    """What nobody is given, in order."""
    excludes_off_subnet: bool = False
    """Whether nodes without an address in the network of one of ours may not hold it."""
    rejection: Rejection | None = None
    status: Mapping[str, Any] = field(default_factory=dict, compare=False, hash=False)


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the cluster, as Kubernetes knows it."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    addresses: frozenset[str] = frozenset()

    @property
    def excluded(self) -> bool:
        """Whether an administrator has taken it out."""
        return EXCLUDE_LABEL in self.labels


@dataclass(frozen=True, slots=True)
class Plumbing:
    """What a node is granted (by us) and what it serves (as its agent says)."""

    node: str
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    epoch: int = 0
    pulse: tuple[str, ...] = ()
    pulse_keys: tuple[str, ...] = ()
    """The public key of each replica that `pulse` names."""
    grants: Mapping[Placement, frozenset[str]] = field(default_factory=dict)
    contested: frozenset[str] = frozenset()
    """Those of the granted addresses that are asked for on the wire before they are taken."""
    strict: frozenset[str] = frozenset()
    """The interfaces that its agent says it mutes by itself when nobody acknowledges its beats."""
    observed_generation: int | None = None
    seen_epoch: int | None = None
    """The highest epoch that its agent says it has seen; None: it does not say."""
    served: frozenset[str] = frozenset()
    failures: Mapping[str, str] = field(default_factory=dict)
    claims: Mapping[str, str] = field(default_factory=dict)
    """The MACs of other hosts that have what it is granted, whether it serves that or not."""
    ports: tuple[str, ...] = ()
    """Those that its agent is asked to look at."""
    listening: Listening = ()
    """Who listens on those that it has looked at."""
    unconfirmed: frozenset[str] | None = None
    """What its spec says that it may hold beside that; None: it does not say."""
    granted_count: int | None = None
    """How many addresses the spec says that it grants; None = it was made here."""
    next_hops: frozenset[str] = frozenset()
    """Those of its routes."""
    nics: Mapping[str, Nic] = field(default_factory=dict)
    own_ranges: tuple[Range, ...] = ()
    """Further addresses of its own, which `nics` has no room for."""
    lists_all_own: bool = True
    """Whether those and the ones of `nics` are all that it has."""
    omits_failures: bool = False
    """Whether `failures` are not all."""
    boot: str = ""
    public_key: str = ""
    """That of this start of its agent; empty: of a version that has none."""
    unfit: Reason | None = None
    """Why its agent says that the node can serve nothing at this moment."""
    unready: tuple[str, str] | None = None
    """`(reason, message)` of what its agent says that is wrong with it."""
    heard_condition: tuple[bool, str] | None = None
    """`(whether it is heard, reason)` as it says there, written by an operator."""
    shares_name: str = ""
    """What its agent says of another machine under the same name."""
    leaving: bool = False
    stopped: bool = False
    """Its agent is asked to end, and serves until others have taken over; has said goodbye."""

    @property
    def has_acted(self) -> bool:
        """Whether the agent has acted on the spec as it stands.

        Where a backup was restored its generation is one that another spec has had before.
        """
        return self.observed_generation == self.generation and self.seen_epoch in {
            None,
            self.epoch,
        }

    def is_strict_on(self, interface: str) -> bool:
        """Whether its agent says that it mutes the interface by itself, and is told nothing else.

        The agent goes on doing so until it has reported that it no longer does.
        """
        told = {where.fencing for where in self.grants if where.interface == interface}
        return told <= {"Strict"} and interface in self.strict

    @property
    def granted(self) -> frozenset[str]:
        """Every address that the spec grants."""
        return union(self.grants.values())


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that one pass of the operator decides from."""

    vips: tuple[VipObject, ...] = ()
    topologies: tuple[Topology, ...] = ()
    nodes: Mapping[str, Node] = field(default_factory=dict)
    plumbings: Mapping[str, Plumbing] = field(default_factory=dict)
    api_hosts: frozenset[str] = frozenset()
    """The addresses at which the API server is reached."""
    liveness: Mapping[str, Liveness] = field(default_factory=dict)
    suspicions: Mapping[str, Suspicion] = field(default_factory=dict)
    """Of every node that is SILENT."""
    witnessed: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The interfaces on whose segment another node has lately heard this one answer."""
    quarantined: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """`{address: nodes that have failed to hold it for too long}`."""
    quarantined_until: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """By `(address, node)`, when it is tried there again: a time as the API writes it."""
    untrusted: frozenset[str] = frozenset()
    """The nodes whose beats contradict their status."""
    duplicate_holders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """`{address: nodes that all have reported for a while that they serve it}`."""
    release_confirmed: frozenset[str] = frozenset()
    """The nodes whose beats say that they serve nothing which their spec does not grant."""
    pending_grants: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """What a node may be granted besides what is known: writes that are not answered yet."""
    ahead_of_store: frozenset[str] = frozenset()
    """The nodes of which the API server may know less than they do: it has gone back to an earlier
    state, and they have acted on specs that it has no more."""
    fencing: Fencing = "Segment"
    """What a Topology has that says nothing of it."""
    max_aliases: int = 10240
    balance_moves: int | None = None
    """How many may be moved at this moment to even out the load: 0: one in twenty; None: none."""

    def is_gone(self, node: str, where: Placement) -> bool:
        """Whether a node that was granted something there can no longer answer for it.

        Either a witness heard nothing, which counts under `Segment` only; or the node, strictly
        fenced, must have muted itself by now.
        """
        silence = self.suspicions.get(node)
        if silence is None:
            return False
        if where.fencing != "Strict" and where.interface in silence.unreachable_on:
            return True
        plumbing = self.plumbings.get(node)
        return (
            silence.is_self_fenced
            and plumbing is not None
            and plumbing.is_strict_on(where.interface)
        )
