"""The status of DuraVIP, Binding and Topology, as it is to be written.

A status is written only when it says something new: times are kept from the status as it stands
wherever what they speak of has not changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from duravip_api.reasons import MoveReason, Reason, State
from duravip_operator.core.address_status import AddressStatus
from duravip_operator.core.eligibility import Eligibility
from duravip_operator.core.heard_condition import HEARD_CONDITION, HeardCondition
from duravip_operator.core.moves import PendingMove
from duravip_operator.core.snapshot import Plumbing, Snapshot, Topology, VipObject

Status = dict[str, Any]

_PROGRESS = {State.BROKEN: "Stalled", State.MOVING: "Reconciling"}
"""What tools that wait for any kind of object look at (kstatus): it needs a hand; it goes on."""


@dataclass(frozen=True, slots=True)
class Timestamp:
    """When this is said."""

    now: float
    """The operator's clock, in seconds."""
    time: str
    """The same as RFC 3339 text, with its fractions: moves are compared with requests."""


def object_status(
    vip: VipObject,
    verdict: AddressStatus,
    departure: PendingMove | None,
    moment: Timestamp,
    first: MoveReason = MoveReason.ELECTED,
) -> Status:
    """The whole status of a DuraVIP or Binding under this verdict.

    `entity.status` is what was last said of it, whether or not that is written already. `first`
    says why its first owner is the one that it is.
    """
    old = vip.status
    status: Status = {
        "state": str(verdict.state),
        "flags": verdict.flags,
        "participants": verdict.participants,
        "observedGeneration": vip.generation,
        "conditions": _conditions(vip, verdict, moment),
    }
    if verdict.owner:
        status["owner"] = verdict.owner
    if verdict.interface:
        status["interface"] = verdict.interface
    # What is not served says of which address it speaks: that may be the one before an edit.
    address, move = old.get("address"), old.get("lastMove")
    if verdict.state is State.OWNED:
        address, changed = vip.address, _move(vip, verdict, departure, moment, first)
        move = changed or move
        status["since"] = _since(old, verdict.owner, changed, moment)
    elif address is None and vip.address:
        address = vip.address
    status |= {key: value for key, value in (("address", address), ("lastMove", move)) if value}
    return status


def topology_status(topology: Topology, addresses: int, snapshot: Snapshot, time: str) -> Status:
    """The whole status of a Topology that holds so many managed addresses."""
    status: Status = {"observedGeneration": topology.generation}
    if topology.rejection:
        reason, message = topology.rejection
        conflict = reason is Reason.DUPLICATE_CIDR
        kinds = ("Ready", "Conflict") if conflict else ("Ready",)
        said = [(kind, str(kind != "Ready"), reason, message) for kind in kinds]
    else:
        nodes = Eligibility(snapshot).count_nodes(topology)
        status |= {
            "nodes": nodes,
            "addresses": addresses,
            "mask": topology.placement.mask,
        }
        reason = Reason.ACCEPTED if nodes else Reason.NO_NODE_HAS_INTERFACE
        message = (
            f"{nodes} nodes have interface {topology.placement.interface}"
            if nodes
            else f"spec.interface: no node reports an interface {topology.placement.interface!r}"
        )
        said = [("Ready", str(bool(nodes)), reason, message)]
        unseen = Eligibility(snapshot).unwitnessed_nodes(topology)
        if unseen and nodes > 1:
            why = f"no other node hears {', '.join(unseen)} on {topology.placement.interface}"
            said.append(("NoWitness", "True", Reason.NO_WITNESS, why))
    status["conditions"] = [
        _condition(topology.status, (*item, topology.generation), time) for item in said
    ]
    return status


def heard_condition_body(said: HeardCondition, plumbing: Plumbing, time: str) -> Status:
    """The operator's own condition of a NodePlumbing."""
    return {
        "type": HEARD_CONDITION,
        "status": str(said.is_heard),
        "reason": str(said.reason),
        "message": said.message[:1024],
        "lastTransitionTime": whole_seconds(time),
        "observedGeneration": plumbing.generation,
    }


def _conditions(vip: VipObject, verdict: AddressStatus, moment: Timestamp) -> list[Status]:
    ready = str(verdict.state in {State.OWNED, State.UNMANAGED})
    said = [("Ready", ready, verdict.reason, verdict.message)]
    if kind := _PROGRESS.get(verdict.state):
        said.append((kind, "True", verdict.reason, verdict.message))
    said += [(kind, "True", reason, message) for kind, reason, message in verdict.advisories]
    return [_condition(vip.status, (*item, vip.generation), moment.time) for item in said]


def _condition(
    old: Mapping[str, Any], said: tuple[str, str, Reason, str, int], time: str
) -> Status:
    kind, status, reason, message, generation = said
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
    """The time in whole seconds, as Kubernetes gives it."""
    return f"{time[:19]}Z"


def _move(
    vip: VipObject,
    verdict: AddressStatus,
    departure: PendingMove | None,
    moment: Timestamp,
    first: MoveReason,
) -> Status | None:
    """What has changed since the owner before: another one, another interface, or an outage."""
    old, is_edited = vip.status, is_other_address(vip)
    last = {} if is_edited else old.get("lastMove") or {}
    known = "" if is_edited else str(old.get("owner") or last.get("to") or "")
    former = departure.former_owner if departure else known
    where = departure.interface if departure else str(old.get("interface") or "")
    is_elsewhere = bool(former and where) and where != verdict.interface and not is_edited
    is_back = departure is not None and departure.is_outage
    if last and former == verdict.owner and not (is_elsewhere or is_back):
        return None
    reason = departure.reason if departure else MoveReason.ELECTED
    if is_edited or (is_elsewhere and former == verdict.owner):
        reason = MoveReason.EDITED
    elif not former:
        reason = first
    move: Status = {"from": former} if former else {}
    move |= {"to": verdict.owner, "reason": str(reason), "time": moment.time}
    if departure:
        move["gapMilliseconds"] = max(0, round((moment.now - departure.unserved_since) * 1000))
    return move


def _since(old: Mapping[str, Any], owner: str, changed: Status | None, moment: Timestamp) -> str:
    """Since when the owner serves it: never later than the last move to it, unless that is new."""
    last = old.get("lastMove") or {}
    if changed:
        return whole_seconds(moment.time)
    if old.get("owner") == owner and old.get("since"):
        return str(old["since"])
    return whole_seconds(str(last["time"]) if last.get("to") == owner else moment.time)


def is_other_address(vip: VipObject) -> bool:
    """Whether the status speaks of the address that the object had before it was edited."""
    return vip.status.get("address") not in {None, vip.address}
