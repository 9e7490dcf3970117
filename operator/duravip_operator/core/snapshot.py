"""The facts that one pass decides from: objects as parsed, and what heartbeats and probes say.

Objects are parsed once, when they arrive (`parsing`), so a pass over ten thousand parses nothing.
Everything here is immutable; a pass compares the last snapshot's parts with the present ones and
reuses what it worked out from those that are equal.
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
from duravip_operator.core.interface_choice import NO_CANDIDATES, Candidates, InterfaceChoice
from duravip_operator.core.service_origin import ServiceOrigin
from duravip_operator.core.stability import Stability


class Liveness(Enum):
    """What the failure detector says of a node's agent."""

    UNKNOWN = "unheard"
    """This replica has not heard it, and has not listened for long enough to conclude anything."""
    WARMING_UP = "young"
    """Heard, but not yet for long enough: it keeps what it has and gets nothing new."""
    ALIVE = "alive"
    """Heard without a gap for long enough: it may be granted addresses."""
    SUSPECT = "silent"
    """Its heartbeats are overdue: it gets nothing new. What it has moves once probes find it
    gone."""


HEARD_STATES = frozenset({Liveness.WARMING_UP, Liveness.ALIVE})
"""The states of an agent whose heartbeats arrive."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """What is known about a suspect node."""

    unreachable_on: frozenset[str] = frozenset()
    """Interfaces on whose segment a witness probed its addresses and got no answer."""
    reachable_on: frozenset[str] = frozenset()
    """Interfaces on whose segment its addresses still answer."""
    is_self_fenced: bool = False
    """No operator has acknowledged its heartbeats for so long that a strictly fenced node must
    have muted itself.
    """
    is_lasting: bool = False
    """The silence is longer than a hiccup, so statuses and events mention it."""
    last_heard: float = 0.0
    """When its last heartbeat arrived: the operator's clock, in seconds."""


class Rejection(NamedTuple):
    """Why an object or a node is not accepted."""

    reason: Reason
    message: str
    """A sentence that names the object and the field."""


Service = tuple[str, str]
"""A service that an object declares, as `(port, name)`, e.g. `("TCP/25", "smtp")`."""

Advisory = tuple[str, Reason, str]
"""A condition beside `Ready` that is true: `(condition type, reason, message)`."""

Selector = tuple[tuple[str, str], ...]
"""Labels that a node must all have, sorted; an empty one matches every node."""


class ReadinessKey(NamedTuple):
    """One thing that makes a node fit for an address."""

    kind: Literal["endpointsOf", "listening", "check"]
    name: str
    """The Service, as `namespace/name`; the port and the IP version, as `TCP/25 4`; or the check's
    line."""
    topology: str = ""
    """For a check: the Topology whose interface it is made on."""


ReadinessKeys = frozenset[ReadinessKey]
NodesByReadiness = Mapping[ReadinessKey, frozenset[str]]


class MoveRequest(NamedTuple):
    """A request by annotation that is in force: still to be carried out, or holding an address."""

    time: float
    """When it was made, in seconds since 1970. Of several requests the latest counts."""
    node: str
    releases: bool
    """True for `release-from`, which sends the address away from the node; false for `move-to`."""


@dataclass(frozen=True, slots=True)
class VipObject:
    """A DuraVIP or a Binding: an object that names a virtual address."""

    kind: Literal["DuraVIP", "Binding"]
    namespace: str
    name: str
    uid: str
    created: str
    generation: int = 1
    address: str = ""
    """In canonical form; empty if the object names none, or none that can be parsed."""
    enabled: bool = True
    preference: str = ""
    follow: str = ""
    services: frozenset[Service] = frozenset()
    selector: Selector = ()
    failback_s: float = 0.0
    """How long the preferred node must be well before it takes the address back, in seconds."""
    may_balance: bool = True
    """Whether it may be moved to even out the load."""
    readiness: ReadinessKeys = frozenset()
    """What makes a node fit for it: all of these; empty: every node is."""
    readiness_policy: Literal["Require", "Prefer"] = "Require"
    is_guarded: bool = False
    """Whether it lets in declared ports alone (`expose: Declared`)."""
    adaptive: bool = False
    """Whether adaptive delivery uses it."""
    origin: ServiceOrigin | None = None
    """The Service that it was generated for; None: people have made it."""
    requests: tuple[MoveRequest, ...] = ()
    """The requests of its annotations that are in force."""
    unparsable: tuple[str, ...] = ()
    """One sentence for each annotation that cannot be parsed."""
    rejection: Rejection | None = None
    status: Mapping[str, Any] = field(default_factory=dict, compare=False, hash=False)
    """The status as it stands in the API."""

    @property
    def label(self) -> str:
        """The object's name for a message, e.g. `DuraVIP mail/smtp-1`."""
        return f"{self.kind} {self.namespace}/{self.name}"

    @property
    def seniority(self) -> tuple[str, str, str, str]:
        """Sort key: the older object first, in the same order on every replica."""
        return (self.created, self.namespace, self.name, self.kind)


Fencing = Literal["", "Segment", "Strict"]
"""How a suspect node is kept from answering for its addresses; empty = the operator's default."""


class Placement(NamedTuple):
    """Where and how addresses are plumbed and announced: one entry of `spec.interfaces`."""

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
    """How its addresses are plumbed; each node chooses its interface (`placement_on`)."""
    candidates: Candidates = NO_CANDIDATES
    """The interfaces that may carry it."""
    selector: Selector = ()
    namespaces: frozenset[str] | None = None
    """The namespaces whose objects may share an address; None = only those of one namespace."""
    reserved: tuple[Range, ...] = ()
    """Ranges that no object may use, in ascending order."""
    excludes_off_subnet: bool = False
    """Whether a node is excluded whose interface has no address in the network of the virtual
    address.
    """
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
        """Whether an administrator has labelled the node as excluded."""
        return EXCLUDE_LABEL in self.labels


@dataclass(frozen=True, slots=True)
class Plumbing:
    """A NodePlumbing: what a node is granted (our spec) and serves (its agent's status)."""

    node: str
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    epoch: int = 0
    pulse: tuple[str, ...] = ()
    pulse_keys: tuple[str, ...] = ()
    """The public key of each replica named in `pulse`, in the same order."""
    grants: Mapping[Placement, frozenset[str]] = field(default_factory=dict)
    contested: frozenset[str] = frozenset()
    """The granted addresses that the agent must probe for before it takes them."""
    guarded: tuple[str, ...] = ()
    """The granted addresses that let in declared ports alone, as the spec lists them."""
    strict: frozenset[str] = frozenset()
    """The interfaces that its agent promises to mute by itself when heartbeats are not
    acknowledged.
    """
    observed_generation: int | None = None
    """The generation that the agent has acted on; None: none yet, or a status that cannot be
    parsed.
    """
    seen_epoch: int | None = None
    """The highest leader epoch that its agent has seen; None: the agent does not report it."""
    served: frozenset[str] = frozenset()
    failures: Mapping[str, str] = field(default_factory=dict)
    claims: Mapping[str, str] = field(default_factory=dict)
    """`{granted address: MAC of another host that has it}`, whether or not the node serves it."""
    ports: tuple[str, ...] = ()
    """The ports whose listeners its agent is to report."""
    checks: tuple[str, ...] = ()
    """The checks that its agent is to make."""
    passing: frozenset[str] = frozenset()
    """Those that pass, as its agent reports."""
    ports_decide: bool = False
    """Whether the agent is to look at them often, since addresses move by who listens there."""
    listening: Listening = ()
    """The listeners that its agent reports for those ports."""
    wildcard_ports: frozenset[str] = frozenset()
    """The ports that somebody listens on for all addresses of an IP version: `TCP/25 4`."""
    unconfirmed: frozenset[str] | None = None
    """What the spec says the node may still hold beside its grants; None: it does not say."""
    granted_count: int | None = None
    """How many addresses the spec claims to grant; None: this operator built the value itself."""
    next_hops: frozenset[str] = frozenset()
    """The next hops of the node's routes."""
    nics: Mapping[str, Nic] = field(default_factory=dict)
    own_ranges: tuple[Range, ...] = ()
    """Further addresses of the node's own, which `nics` has no room for."""
    lists_all_own: bool = True
    """Whether `nics` and `own_ranges` together are all of the node's own addresses."""
    omits_failures: bool = False
    """Whether more addresses fail than `failures` lists."""
    boot: str = ""
    """Identifies one start of the agent."""
    public_key: str = ""
    """The public key of this start of the agent; empty for versions that have none."""
    unfit: Reason | None = None
    """Why the agent reports that the node can serve nothing at all."""
    unready: tuple[str, str] | None = None
    """`(reason, message)` of the first condition that the agent reports as failing."""
    heard_condition: tuple[bool, str] | None = None
    """`(status is True, reason)` of the `Heard` condition as it stands: an operator wrote it."""
    shares_name: str = ""
    """The agent's message about another machine that runs under the same node name."""
    leaving: bool = False
    """The agent is shutting down and serves until other nodes have taken over."""
    stopped: bool = False
    """The agent has shut down: it holds nothing."""

    @property
    def has_acted(self) -> bool:
        """Whether the agent has acted on the spec as it stands.

        After a backup was restored, another spec may have had the same generation before, so the
        epoch must match as well.
        """
        return self.observed_generation == self.generation and self.seen_epoch in {
            None,
            self.epoch,
        }

    def is_strict_on(self, interface: str) -> bool:
        """Whether its agent mutes the interface by itself, and no grant tells it otherwise.

        An agent keeps doing so until it has reported that it no longer does.
        """
        granted_fencing = {where.fencing for where in self.grants if where.interface == interface}
        return granted_fencing <= {"Strict"} and interface in self.strict

    @property
    def granted(self) -> frozenset[str]:
        """Every address that the spec grants."""
        return union(self.grants.values())


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that one pass decides from."""

    vips: tuple[VipObject, ...] = ()
    topologies: tuple[Topology, ...] = ()
    nodes: Mapping[str, Node] = field(default_factory=dict)
    plumbings: Mapping[str, Plumbing] = field(default_factory=dict)
    api_hosts: frozenset[str] = frozenset()
    """The addresses at which the API server is reached."""
    liveness: Mapping[str, Liveness] = field(default_factory=dict)
    """By node: the failure detector's state."""
    suspicions: Mapping[str, Suspicion] = field(default_factory=dict)
    """By node: details about every node that is SUSPECT."""
    witnessed: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By node: the interfaces on which another node has lately seen this one answer probes."""
    quarantined: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """`{address: nodes that have failed to hold it for too long}`."""
    quarantined_until: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """By `(address, node)`: when the address is tried there again, as an API time."""
    untrusted: frozenset[str] = frozenset()
    """Nodes whose heartbeats and status have disagreed for too long."""
    duplicate_holders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """`{address: nodes that have all reported for a while that they serve it}`."""
    release_confirmed: frozenset[str] = frozenset()
    """Nodes whose heartbeats confirm that they serve nothing beyond their present grants."""
    pending_grants: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By node: what writes that are not answered yet may grant it."""
    ahead_of_store: frozenset[str] = frozenset()
    """Nodes that have acted on specs which the API server, after a restored backup, no longer
    has."""
    stability: Stability = field(default_factory=Stability)
    """For how long each node has been well."""
    fencing: Fencing = "Segment"
    """The fencing of Topologies that set none."""
    max_aliases: int = 10240
    fit_nodes: NodesByReadiness = field(default_factory=dict)
    """By what objects ask for: the nodes that are fit."""
    serving_nodes: NodesByReadiness = field(default_factory=dict)
    """Where only terminating endpoints are left, the nodes on which some still serve."""
    just_unfit: NodesByReadiness = field(default_factory=dict)
    """The nodes that are not fit, and were so a moment ago."""
    just_moved: frozenset[str] = frozenset()
    """Addresses that moved a moment ago because their owner was not fit."""
    unknown_services: ReadinessKeys = frozenset()
    """Services without an EndpointSlice."""
    unread_services: ReadinessKeys = frozenset()
    """Services that were named a moment ago: their EndpointSlices are on the way."""
    balance_moves: int | None = None
    """How many groups this pass may move to even out the load; 0: one in twenty; None: none."""
    _choices: dict[tuple[str, str], InterfaceChoice] = field(
        init=False, default_factory=dict, compare=False, repr=False
    )
    """By Topology and node: each is worked out once."""

    def interface_on(self, node: str, topology: Topology) -> InterfaceChoice:
        """The interface that a node uses for a Topology, whether or not it works."""
        key = (topology.name, node)
        choice = self._choices.get(key)
        if choice is None:
            plumbing = self.plumbings.get(node)
            choice = topology.candidates.choose(plumbing.nics if plumbing else {})
            self._choices[key] = choice
        return choice

    def placement_on(self, node: str, topology: Topology) -> Placement:
        """How a node plumbs the addresses of a Topology."""
        return topology.placement._replace(interface=self.interface_on(node, topology).name)

    def is_gone(self, node: str, where: Placement) -> bool:
        """Whether a node that was granted something there can no longer answer for it.

        Either a witness got no answer from it, which counts under `Segment` fencing only; or the
        node is strictly fenced and must have muted itself by now.
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
