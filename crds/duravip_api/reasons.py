"""Every reason that a status, an event, a rejection or a metric can give, with its sentence.

Nothing else is used as a reason, so documentation and tests can list them all.
"""

from enum import StrEnum
from typing import Self


class Reason(StrEnum):
    """Why a condition is what it is; `sentence` says it to a person."""

    sentence: str

    def __new__(cls, value: str, sentence: str) -> Self:
        """Keep the sentence beside the value."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.sentence = sentence
        return member

    # --- Ready=True
    SERVED = "Served", "the owner serves the address"

    OWNER_UNREACHABLE = (
        "OwnerUnreachable",
        "the owner's agent is not heard, but its address answers or may answer, so nothing moves",
    )
    NO_FIT_NODE = (
        "NoFitNode",
        "the owner serves the address, and no node that may hold it is fit: it stays",
    )

    # --- Ready=False, on the way
    ELECTED = "Elected", "an owner is elected and has not yet reported that it serves the address"
    WAITING_FOR_RELEASE = (
        "WaitingForRelease",
        "the address is granted to no node until its former holder has confirmed its release",
    )

    # --- Ready=False, Unassigned: nobody can or may hold it
    NO_TOPOLOGY = "NoTopology", "no Topology covers the address and admits its namespace"
    NO_PARTICIPANT = "NoParticipant", "no node may hold the address at this moment"
    CAPACITY_EXCEEDED = "CapacityExceeded", "every node that may hold the address is full"
    FOLLOW_INVALID = (
        "FollowInvalid",
        "what it follows does not exist, is not managed, or follows something itself",
    )
    FOLLOW_SAME_ADDRESS = "FollowSameAddress", "it has the same address as what it follows"
    LEADER_UNASSIGNED = "LeaderUnassigned", "what it follows has no owner"
    OWNER_LOST = "OwnerLost", "the owner is silent and no other node may hold the address"

    # --- Unmanaged
    NOT_ENABLED = "NotEnabled", "no object on this address has enableDuravip: true"
    NO_ADDRESS = "NoAddress", "the Binding has no address: it is listed but not managed"
    UPGRADED = "Upgraded", "managed because another object enables DuraVIP on the same address"

    # --- Broken: refused, as if it were not there
    INVALID = "Invalid", "the object is not valid for its kind"
    ADDRESS_INVALID = "AddressInvalid", "the address is not one that a single host can hold"
    NODE_ADDRESS = "NodeAddress", "the address belongs to a node itself"
    BLOCK_EDGE = "BlockEdge", "the address is the network or broadcast address of its block"
    RESERVED = "Reserved", "a Topology reserves the address: no node may hold it"
    API_SERVER = "ApiServer", "the API server is reached at the address"
    NEXT_HOP = "NextHop", "a node's route goes via the address: a router has it"
    NAME_MISMATCH = "NameMismatch", "an older Binding of the name has another address"
    NAMESPACE_CONFLICT = (
        "NamespaceConflict",
        "an older object in another namespace has the address",
    )
    RESERVED_NAME = "ReservedName", "the name is reserved"

    # --- Conditions beside Ready
    PREFERENCES_DIFFER = "PreferencesDiffer", "objects on one address prefer different nodes"
    SERVICES_DIFFER = "ServicesDiffer", "nodes offer different services on the address"
    LISTENERS_DIFFER = (
        "ListenersDiffer",
        "only some of the nodes that may hold the address listen on a declared port",
    )
    PREFERRED_NODE_UNKNOWN = "PreferredNodeUnknown", "there is no Node of the preferred name"
    MASK_NOT_HOST = "MaskNotHost", "a mask other than /32 or /128 usually breaks a moving address"
    NO_LOCAL_BINDING = (
        "NoLocalBinding",
        "no Binding has this address: traffic from a Binding's address may leave by another node",
    )
    PREFERENCE_ADVISED = (
        "PreferenceAdvised",
        "adaptive delivery learns per node: the Binding should prefer one",
    )
    EXPOSE_DIFFERS = (
        "ExposeDiffers",
        "another object of the address says expose: Declared: only declared ports are let in",
    )
    CROSS_SUBNET = (
        "CrossSubnet",
        "the node's interface has no address in the network that the address is part of",
    )
    DISJOINT = "Disjoint", "most addresses of its Topology may be held by other nodes"
    REQUEST_UNREADABLE = "RequestUnreadable", "the annotation is not of the form NODE@TIME"
    REQUEST_REFUSED = "RequestRefused", "a preference, or what is followed, decides the node"
    REQUEST_VOID = "RequestVoid", "at this moment no node may hold the address as requested"
    HELD = "Held", "a request holds the address on the node that has it"
    FAILBACK_NEVER = "FailbackNever", "the preferred node gets the address when it has to move"
    FAILBACK_DELAYED = (
        "FailbackDelayed",
        "the preferred node takes the address back once it has been well for long enough",
    )
    FLAPPING = (
        "Flapping",
        "the node was lost again within ten minutes: nothing returns to it until it has been well "
        "for twice as long each time, at most 5 minutes",
    )
    SERVED_TWICE = "ServedTwice", "two nodes report that they serve the address"
    DUPLICATE_CIDR = "DuplicateCidr", "an older Topology has the same block and wins"

    # --- Topology and NodePlumbing
    ACCEPTED = "Accepted", "the object is in use"
    NO_NODE_HAS_INTERFACE = "NoNodeHasInterface", "no node reports an interface that it asks for"
    NO_WITNESS = (
        "NoWitness",
        "some nodes are seen by no other node on this segment: they are fenced strictly",
    )
    AGENT_READY = "AgentReady", "the agent is running"
    AGENT_STARTING = "AgentStarting", "the agent has started and is reading what it is granted"
    AGENT_STOPPING = (
        "AgentStopping",
        "the agent is shutting down; other nodes take over its addresses first",
    )
    AGENT_STOPPED = "AgentStopped", "the agent has released everything and has shut down"
    SPEC_REFUSED = (
        "SpecRefused",
        "the agent keeps the previous spec: this one was written by a former leader, or cannot be "
        "parsed",
    )
    SPEC_STALE = (
        "SpecStale",
        "the operator has another spec than the one that this node has read: a backup was "
        "restored, or one of them misses changes; nothing new is taken until they agree",
    )

    UNFENCED = (
        "Unfenced",
        "the node has no fence: should its agent hang or die, its addresses go on answering, and "
        "two nodes may answer for one",
    )
    MUTED = (
        "Muted",
        "the node's fence is not kept open: nothing that the node sends gets out, so nothing is "
        "served",
    )
    AGENT_FAILING = (
        "AgentFailing",
        "the agent cannot finish its work: nothing is served until it can",
    )
    INTERFACE_UNREADABLE = (
        "InterfaceUnreadable",
        "the kernel's report of an interface or an address cannot be parsed: it is left out",
    )
    NO_REALTIME = (
        "NoRealtime",
        "the kernel refuses the agent a real-time priority: on a busy node it may be late, and "
        "lose its addresses",
    )
    NAME_SHARED = (
        "NameShared",
        "another machine runs an agent under this node's name; the one that started later ends",
    )
    ADDRESS_IN_USE = "AddressInUse", "another host claims the address"

    # --- why one node may not hold an address
    NODE_UNKNOWN = "NodeUnknown", "there is no such Node"
    NODE_EXCLUDED = "NodeExcluded", "the Node is excluded from external load balancers"
    NODE_SILENT = "NodeSilent", "the agent is not heard"
    NODE_GONE = (
        "NodeGone",
        "the agent is not heard, and the node answers no probe or must have muted itself",
    )
    AGENT_HEARD = "AgentHeard", "the operator hears the agent"
    NODE_BACK = "NodeBack", "the agent is heard again"
    NODE_YOUNG = "NodeYoung", "the agent has not been heard for long enough without a gap"
    NODE_STOPPED = "NodeStopped", "the agent is shutting down or has shut down"
    SELECTOR_MISMATCH = "SelectorMismatch", "the Node's labels do not match a nodeSelector"
    INTERFACE_MISSING = "InterfaceMissing", "the node has no interface that the Topology asks for"
    INTERFACE_AMBIGUOUS = (
        "InterfaceAmbiguous",
        "several interfaces of the node have an address in the block's subnet: name one",
    )
    INTERFACE_DOWN = "InterfaceDown", "the Topology's interface is down or has no carrier"
    INTERFACE_UNUSABLE = (
        "InterfaceUnusable",
        "something keeps the Topology's interface from answering for the address",
    )
    REPAIR_FAILED = (
        "RepairFailed",
        "the node failed to hold the address for too long: it is not tried there for a while",
    )
    NODE_CONTRADICTS = (
        "NodeContradicts",
        "the agent's heartbeats and its status disagree about what it serves",
    )
    PLUMBING_FAILED = "PlumbingFailed", "the node could not plumb the address"

    # --- Services of type LoadBalancer
    OVERLAP = "Overlap", "an older AddressPool has some of the addresses, and this one is not used"
    POOL_EXHAUSTED = "PoolExhausted", "no pool that the Service may use has a free address"
    POOL_UNKNOWN = "PoolUnknown", "there is no AddressPool of the name that the Service may use"
    OUT_OF_POOL = "OutOfPool", "the pool that the address came from has it no longer: it stays"
    VIP_UNKNOWN = "VipUnknown", "a DuraVIP that the Service names is not there, or Broken"
    NAMESPACE_NOT_ADMITTED = "NamespaceNotAdmitted", "the pool is for other namespaces"
    NOT_OURS = "NotOurs", "the Service is not, or no longer, one that DuraVIP serves"
    ADDRESS_REFUSED = "AddressRefused", "the Service does not get an address, or has lost it"
    ADDRESS_TAKEN = "AddressTaken", "another Service has the address without having asked for it"
    PORT_TAKEN = "PortTaken", "another Service has the same port of the address"
    MOVED = "Moved", "another node serves the address of the Service"
    ADDRESS_ASSIGNED = "AddressAssigned", "the Service has its address; an owner is being elected"
    NAME_TAKEN = "NameTaken", "the DuraVIP that would carry the address belongs to something else"
    ANNOTATION_CONFLICT = (
        "AnnotationConflict",
        "annotations of the Service ask for different things: the first one counts",
    )
    PORT_IGNORED = (
        "PortIgnored",
        "a port is not let in: it is one of too many, or its protocol cannot be declared",
    )

    # --- why a node is not fit for an address (spec.readiness)
    NO_READY_ENDPOINT = "NoReadyEndpoint", "the node has no ready endpoint of the Service"
    NOT_LISTENING = "NotListening", "nobody on the node listens on a port of the services"
    CHECK_FAILED = "CheckFailed", "the node does not pass the check, or has not passed it yet"
    SERVICE_UNKNOWN = (
        "ServiceUnknown",
        "the Service has no EndpointSlice: it does not exist, or selects nothing",
    )


class MoveReason(StrEnum):
    """Why an address changed its owner (`status.lastMove.reason`)."""

    ELECTED = "Elected"
    NODE_LOST = "NodeLost"
    LINK_DOWN = "LinkDown"
    PREFERENCE = "Preference"
    BALANCE = "Balance"
    DRAIN = "Drain"
    REQUESTED = "Requested"
    FOLLOW = "Follow"
    EDITED = "Edited"
    REPAIR_FAILED = "RepairFailed"
    READINESS = "Readiness"


class State(StrEnum):
    """`status.state` of a DuraVIP or Binding."""

    OWNED = "Owned"
    MOVING = "Moving"
    UNASSIGNED = "Unassigned"
    BROKEN = "Broken"
    UNMANAGED = "Unmanaged"
