"""The status of DuraVIP, Binding and Topology objects, as it is written to the API server.

A status is written only when it differs from the present one: times are kept from the present
status wherever what they describe has not changed.

Of a NodePlumbing, whose status is its agent's, one condition is the operator's: `Heard`. A dead
agent cannot report that it is dead. So what `kubectl get nodeplumbings` shows as READY is the
operator's word and not the agent's: whether the agent is heard, and ready by its own report.
About a node that this replica has not listened to for long enough it says nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from duravip_api.reasons import MoveReason, Reason, State
from duravip_api.topology import MOST_NAMES
from duravip_operator.core.address_pools import AddressPool, PoolStatus
from duravip_operator.core.address_status import AddressStatus
from duravip_operator.core.eligibility import Eligibility
from duravip_operator.core.moves import PendingMove
from duravip_operator.core.snapshot import Liveness, Plumbing, Snapshot, Topology, VipObject

Status = dict[str, Any]
"""The `status` part of an object's body, or one of its conditions."""

_PROGRESS = {State.BROKEN: "Stalled", State.MOVING: "Reconciling"}
"""The conditions that kstatus, and tools built on it, understand: stalled, and in progress."""

NO_WITNESS = "NoWitness"
"""The condition of a Topology on which nobody else hears some node."""
HEARD_CONDITION = "Heard"
"""The type of the condition, the only one of a NodePlumbing that the agent does not write."""


@dataclass(frozen=True, slots=True)
class Timestamp:
    """The moment of a report, by two clocks."""

    now: float
    """The operator's clock, in seconds."""
    time: str
    """The same as RFC 3339 text with fractions, which moves need for comparison with requests."""


def object_status(
    vip: VipObject,
    address_status: AddressStatus,
    pending: PendingMove | None,
    timestamp: Timestamp,
    first: MoveReason = MoveReason.ELECTED,
) -> Status:
    """The whole status of a DuraVIP or Binding.

    `vip.status` is the last status that was composed, whether or not it is written already.
    `first` is the reason for its first owner.
    """
    old = vip.status
    status: Status = {
        "state": str(address_status.state),
        "flags": address_status.flags,
        "participants": address_status.participants,
        "observedGeneration": vip.generation,
        "conditions": _conditions(vip, address_status, timestamp),
    }
    if address_status.owner:
        status["owner"] = address_status.owner
    if address_status.interface:
        status["interface"] = address_status.interface
    # What is not served says of which address it speaks: that may be the one before an edit.
    address, move = old.get("address"), old.get("lastMove")
    if address_status.state is State.OWNED:
        address, changed = vip.address, _move(vip, address_status, pending, timestamp, first)
        move = changed or move
        status["since"] = _since(old, address_status.owner, changed, timestamp)
    elif address is None and vip.address:
        address = vip.address
    status |= {key: value for key, value in (("address", address), ("lastMove", move)) if value}
    return status


def _interfaces_message(topology: Topology, used: Mapping[str, int]) -> str:
    """Which interfaces the nodes use, or that none can."""
    if used:
        parts = [f"{nodes} nodes have interface {name}" for name, nodes in sorted(used.items())]
        return ", ".join(parts)
    names = topology.candidates.names
    if len(names) == 1:
        return f"spec.interface: no node reports an interface {names[0]!r}"
    if names:
        return f"spec.interfaces: no node reports any interface of {', '.join(names)}"
    return f"spec.bySubnet: no node reports one interface with an address on {topology.cidr}"


def topology_status(topology: Topology, addresses: int, snapshot: Snapshot, time: str) -> Status:
    """The whole status of a Topology that holds `addresses` managed addresses."""
    status: Status = {"observedGeneration": topology.generation}
    if topology.rejection:
        reason, message = topology.rejection
        conflict = reason is Reason.DUPLICATE_CIDR
        kinds = ("Ready", "Conflict") if conflict else ("Ready",)
        rows = [(kind, str(kind != "Ready"), reason, message) for kind in kinds]
    else:
        used = Eligibility(snapshot).count_nodes(topology)
        nodes = used.total()
        status |= {
            "nodes": nodes,
            "addresses": addresses,
            "mask": topology.placement.mask,
            "interface": topology.candidates.label,
            "interfaces": dict(sorted(used.most_common(MOST_NAMES))),
        }
        reason = Reason.ACCEPTED if nodes else Reason.NO_NODE_HAS_INTERFACE
        rows = [("Ready", str(bool(nodes)), reason, _interfaces_message(topology, used))]
        unseen = Eligibility(snapshot).unwitnessed_nodes(topology)
        if unseen and nodes > 1:
            where = " or ".join(sorted(used))
            why = f"no other node hears {', '.join(unseen)} on {where}"
            rows.append((NO_WITNESS, "True", Reason.NO_WITNESS, why))
    status["conditions"] = [
        _condition(topology.status, (*row, topology.generation), time) for row in rows
    ]
    return status


def pool_status(pool: AddressPool, said: PoolStatus, time: str) -> Status:
    """The whole status of an AddressPool; a family that it has no address of is left out."""
    status: Status = {"observedGeneration": pool.generation}
    if said.total4:
        status |= {"total4": said.total4, "used4": said.used4}
    if said.total6:
        status |= {"total6": str(said.total6), "used6": str(said.used6)}
    ready = ("Ready", str(said.reason is Reason.ACCEPTED), said.reason, said.message)
    status["conditions"] = [_condition(pool.status, (*ready, pool.generation), time)]
    return status


class HeardCondition(NamedTuple):
    """The `Heard` condition of one NodePlumbing."""

    is_heard: bool
    reason: str
    message: str


def heard_condition(snapshot: Snapshot, node: str) -> HeardCondition | None:
    """The `Heard` condition for a node that has a NodePlumbing; None: leave what is there."""
    plumbing = snapshot.plumbings[node]
    if plumbing.stopped:
        return _unheard(Reason.NODE_STOPPED)
    liveness = snapshot.liveness.get(node, Liveness.UNKNOWN)
    if liveness is Liveness.UNKNOWN:
        return None
    if liveness is Liveness.SUSPECT:
        suspicion = snapshot.suspicions.get(node)
        is_gone = suspicion is not None and bool(
            suspicion.unreachable_on or suspicion.is_self_fenced
        )
        return _unheard(Reason.NODE_GONE if is_gone else Reason.NODE_SILENT)
    if plumbing.unready:
        return HeardCondition(False, *plumbing.unready)  # noqa: FBT003
    return HeardCondition(True, Reason.AGENT_HEARD, Reason.AGENT_HEARD.sentence)  # noqa: FBT003


def _unheard(reason: Reason) -> HeardCondition:
    return HeardCondition(False, reason, reason.sentence)  # noqa: FBT003


def heard_condition_body(condition: HeardCondition, plumbing: Plumbing, time: str) -> Status:
    """The condition as it is written into the status of a NodePlumbing."""
    return {
        "type": HEARD_CONDITION,
        "status": str(condition.is_heard),
        "reason": str(condition.reason),
        "message": condition.message[:1024],
        "lastTransitionTime": whole_seconds(time),
        "observedGeneration": plumbing.generation,
    }


def _conditions(
    vip: VipObject, address_status: AddressStatus, timestamp: Timestamp
) -> list[Status]:
    ready = str(address_status.state in {State.OWNED, State.UNMANAGED})
    rows = [("Ready", ready, address_status.reason, address_status.message)]
    if kind := _PROGRESS.get(address_status.state):
        rows.append((kind, "True", address_status.reason, address_status.message))
    rows += [
        (kind, "True", reason, message) for kind, reason, message in address_status.advisories
    ]
    return [_condition(vip.status, (*row, vip.generation), timestamp.time) for row in rows]


def _condition(
    old: Mapping[str, Any], row: tuple[str, str, Reason, str, int], time: str
) -> Status:
    kind, status, reason, message, generation = row
    conditions = old.get("conditions") or ()
    before: Mapping[str, Any] = next((c for c in conditions if c.get("type") == kind), {})
    kept = before.get("lastTransitionTime") if before.get("status") == status else None
    return {
        "type": kind,
        "status": status,
        "reason": str(reason),
        "message": message[:1024],
        "lastTransitionTime": kept or whole_seconds(time),
        "observedGeneration": generation,
    }


def whole_seconds(time: str) -> str:
    """The time in whole seconds, as Kubernetes writes it."""
    return f"{time[:19]}Z"


def _move(
    vip: VipObject,
    address_status: AddressStatus,
    pending: PendingMove | None,
    timestamp: Timestamp,
    first: MoveReason,
) -> Status | None:
    """The new `lastMove`: another owner or interface, or the end of an outage; None: none."""
    old, is_edited = vip.status, is_other_address(vip)
    last = {} if is_edited else old.get("lastMove") or {}
    owner_before = "" if is_edited else str(old.get("owner") or last.get("to") or "")
    former = pending.former_owner if pending else owner_before
    where = pending.interface if pending else str(old.get("interface") or "")
    is_elsewhere = bool(former and where) and where != address_status.interface and not is_edited
    is_back = pending is not None and pending.is_outage
    if last and former == address_status.owner and not (is_elsewhere or is_back):
        return None
    reason = pending.reason if pending else MoveReason.ELECTED
    if is_edited:
        reason = MoveReason.EDITED
    elif is_elsewhere and former == address_status.owner:
        reason = _reason_for_interface(where, address_status)
    elif not former:
        reason = first
    move: Status = {"from": former} if former else {}
    move |= {"to": address_status.owner, "reason": str(reason), "time": timestamp.time}
    if pending:
        move["gapMilliseconds"] = max(0, round((timestamp.now - pending.unserved_since) * 1000))
    return move


def _reason_for_interface(former: str, address_status: AddressStatus) -> MoveReason:
    """Why the address has changed its interface at its node."""
    names = address_status.interfaces
    if former not in names or address_status.interface not in names:
        return MoveReason.EDITED
    is_better = names.index(address_status.interface) < names.index(former)
    return MoveReason.PREFERENCE if is_better else MoveReason.LINK_DOWN


def _since(
    old: Mapping[str, Any], owner: str, changed: Status | None, timestamp: Timestamp
) -> str:
    """Since when the owner serves it: never later than the last move to it, unless that is new."""
    last = old.get("lastMove") or {}
    if changed:
        return whole_seconds(timestamp.time)
    if old.get("owner") == owner and old.get("since"):
        return str(old["since"])
    return whole_seconds(str(last["time"]) if last.get("to") == owner else timestamp.time)


def is_other_address(vip: VipObject) -> bool:
    """Whether the status describes the address that the object had before it was edited."""
    return vip.status.get("address") not in {None, vip.address}
