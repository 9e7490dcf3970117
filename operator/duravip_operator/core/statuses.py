"""The status of DuraVIP, Binding and Topology, as it is to be written.

A status is written only when it says something new: times are kept from the status as it stands
wherever what they speak of has not changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from duravip_api.reasons import MoveReason, Reason, State
from duravip_operator.core.departures import Departure
from duravip_operator.core.eligibility import Eligibility
from duravip_operator.core.snapshot import Entity, Snapshot, Topology
from duravip_operator.core.verdicts import Verdict

Status = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Moment:
    """When this is said."""

    now: float
    """The operator's clock, in seconds."""
    time: str
    """The same as RFC 3339 text, with its fractions: moves are compared with requests."""


def entity_status(
    entity: Entity, verdict: Verdict, departure: Departure | None, moment: Moment
) -> Status:
    """The whole status of a DuraVIP or Binding under this verdict.

    `entity.status` is what was last said of it, whether or not that is written already.
    """
    old = entity.status
    status: Status = {
        "state": str(verdict.state),
        "flags": verdict.flags,
        "participants": verdict.participants,
        "observedGeneration": entity.generation,
        "conditions": _conditions(entity, verdict, moment),
    }
    owned = verdict.state is State.OWNED
    if verdict.owner:
        status["owner"] = verdict.owner
    if verdict.interface:
        status["interface"] = verdict.interface
    if owned and old.get("owner") == verdict.owner and old.get("since"):
        status["since"] = old["since"]
    elif owned:
        status["since"] = _whole(moment.time)
    last = old.get("lastMove")
    if owned and (old.get("owner") != verdict.owner or not last):
        last = _move(old, verdict, departure, moment) or last
    if last:
        status["lastMove"] = last
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
        nodes = Eligibility(snapshot).nodes_with(topology)
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
        unseen = Eligibility(snapshot).nodes_unwitnessed(topology)
        if unseen and nodes > 1:
            why = f"no other node hears {', '.join(unseen)} on {topology.placement.interface}"
            said.append(("NoWitness", "True", Reason.NO_WITNESS, why))
    status["conditions"] = [
        _condition(topology.status, (*item, topology.generation), time) for item in said
    ]
    return status


def _conditions(entity: Entity, verdict: Verdict, moment: Moment) -> list[Status]:
    ready = str(verdict.state is State.OWNED)
    said = [("Ready", ready, verdict.reason, verdict.message)]
    said += [(kind, "True", reason, message) for kind, reason, message in verdict.advisories]
    return [_condition(entity.status, (*item, entity.generation), moment.time) for item in said]


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
        "lastTransitionTime": kept or _whole(time),
        "observedGeneration": generation,
    }


def _whole(time: str) -> str:
    """The time in whole seconds, as Kubernetes gives it."""
    return f"{time[:19]}Z"


def _move(
    old: Mapping[str, Any], verdict: Verdict, departure: Departure | None, moment: Moment
) -> Status | None:
    former = departure.owner if departure else str(old.get("owner") or "")
    if former == verdict.owner:
        return None
    move: Status = {"from": former} if former else {}
    move |= {
        "to": verdict.owner,
        "reason": str(departure.reason if departure else MoveReason.ELECTED),
        "time": moment.time,
    }
    if departure:
        move["gapMilliseconds"] = max(0, round((moment.now - departure.at) * 1000))
    return move
