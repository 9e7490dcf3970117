"""What the status of a Service says, and which Events people get.

- `status.loadBalancer.ingress` names an address as soon as its DuraVIP is there, before any node
  serves it: kube-proxy needs a while for its rules, and until then a client would be refused. It
  stays while the address is moving or nobody can hold it at the moment, and goes when the address
  is refused. While a DuraVIP is being created, what the status says already stays.
- The condition `duravip.io/Ready` is that of the DuraVIP; of two, that of the one that is not
  ready. A refusal takes its place.
- An Event tells a change, once: `Told` is what people know already.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from duravip_api.reasons import MoveReason, Reason, State
from duravip_api.services import READY_CONDITION
from duravip_operator.core.address_holders import Holders
from duravip_operator.core.address_pools import PoolTable
from duravip_operator.core.event_queue import event_type
from duravip_operator.core.object_status import whole_seconds
from duravip_operator.core.service_addresses import Choice
from duravip_operator.core.service_objects import (
    Note,
    ServiceCondition,
    ServiceObject,
    ServiceStatus,
)
from duravip_operator.core.snapshot import VipObject

LONGEST_MESSAGE = 1024


class ServiceEvent(NamedTuple):
    """Something to be told about a Service."""

    service: str
    """`namespace/name`."""
    reason: str
    message: str
    is_warning: bool = False


class Told(NamedTuple):
    """What people were told about a Service."""

    ingress: tuple[str, ...] = ()
    reason: str = ""
    """Of the condition."""
    message: str = ""
    moves: tuple[str, ...] = ()
    """The times of the last moves of its addresses."""
    notes: tuple[Note, ...] = ()


def service_status(
    service: ServiceObject, choice: Choice, holders: Holders, pools: PoolTable
) -> ServiceStatus:
    """What the status of a Service is to say."""
    ingress: list[str] = []
    conditions: list[ServiceCondition] = []
    for vip in choice.vips:
        there = holders.there.get(vip.key)
        if there is None or there.address != vip.address or there.origin != vip.origin:
            if vip.address in service.ingress:
                ingress.append(vip.address)  # taken over, or put back
            continue
        if there.rejection is None and _state(there) != State.BROKEN:
            ingress.append(vip.address)
        conditions.append(_condition_of(there, pools))
    if choice.refusal:
        refused = choice.refusal.message[:LONGEST_MESSAGE]
        conditions = [ServiceCondition("False", choice.refusal.reason, refused)]
    worst = min(conditions, key=lambda one: one.status == "True", default=None)
    return ServiceStatus(tuple(ingress), worst or service.status.condition)


def released_status(service: ServiceObject, given: Collection[str]) -> ServiceStatus:
    """What the status of a Service says that is not ours any more.

    Only what we have `given` goes: another controller may have given it addresses by now.
    """
    kept = tuple(address for address in service.ingress if address not in given)
    condition = ServiceCondition("False", Reason.NOT_OURS, Reason.NOT_OURS.sentence)
    return ServiceStatus(kept, condition)


def known_before(service: ServiceObject, vips: Iterable[VipObject]) -> Told:
    """What a leader takes for told that has not planned before: what the status says."""
    condition = service.status.condition
    notes = service.notes if condition else ()
    reason, message = (condition.reason, condition.message) if condition else ("", "")
    return Told(service.ingress, reason, message, _moves(vips), notes)


def told_now(service: ServiceObject, status: ServiceStatus, vips: Iterable[VipObject]) -> Told:
    """What people know once the Events of this plan were written."""
    condition = status.condition
    reason, message = (condition.reason, condition.message) if condition else ("", "")
    return Told(status.ingress, reason, message, _moves(vips), service.notes)


def service_events(
    service: ServiceObject, before: Told, now: Told, vips: Iterable[VipObject]
) -> Iterator[ServiceEvent]:
    """What is new about a Service."""
    for reason, message in now.notes:
        if (reason, message) not in before.notes:
            yield ServiceEvent(service.key, reason, message, is_warning=True)
    vips = list(vips)
    for address in now.ingress:
        if address not in before.ingress:
            pool = next((v.origin.pool for v in vips if v.address == address and v.origin), "")
            source = f" from AddressPool {pool}" if pool else ""
            yield ServiceEvent(service.key, Reason.ADDRESS_ASSIGNED, f"{address}{source}")
    if now.reason != before.reason or (not now.ingress and now.message != before.message):
        yield from _of_condition(service, before, now)
    if now.moves != before.moves:
        yield from _of_moves(service, before, vips)


def _of_condition(service: ServiceObject, before: Told, now: Told) -> Iterator[ServiceEvent]:
    if now.reason == Reason.POOL_EXHAUSTED:
        yield ServiceEvent(service.key, now.reason, now.message, is_warning=True)
    elif now.reason in _REFUSALS or (before.ingress and not now.ingress and now.reason):
        yield ServiceEvent(service.key, Reason.ADDRESS_REFUSED, now.message, is_warning=True)
    elif now.reason == Reason.NO_FIT_NODE:
        why = Reason.NO_READY_ENDPOINT
        message = f"no node that may hold {', '.join(now.ingress)} has a ready endpoint: it stays"
        yield ServiceEvent(service.key, why, message, is_warning=True)


def _of_moves(
    service: ServiceObject, before: Told, vips: Iterable[VipObject]
) -> Iterator[ServiceEvent]:
    for vip in vips:
        move: Mapping[str, Any] = vip.status.get("lastMove") or {}
        former, owner = move.get("from"), move.get("to")
        if not former or former == owner or _move(vip) in before.moves:
            continue
        reason = str(move.get("reason") or "")
        message = f"{vip.address} moved from {former} to {owner}: {reason}"
        is_warning = reason in set(MoveReason) and event_type(MoveReason(reason)) == "Warning"
        yield ServiceEvent(service.key, Reason.MOVED, message, is_warning)


_REFUSALS = {
    Reason.INVALID,
    Reason.NO_TOPOLOGY,
    Reason.BLOCK_EDGE,
    Reason.RESERVED,
    Reason.NAME_TAKEN,
    Reason.NAMESPACE_CONFLICT,
    Reason.NAMESPACE_NOT_ADMITTED,
    Reason.ADDRESS_TAKEN,
    Reason.PORT_TAKEN,
    Reason.POOL_UNKNOWN,
    Reason.VIP_UNKNOWN,
}


def status_patch(
    service: ServiceObject, status: ServiceStatus, time: str
) -> dict[str, Any] | None:
    """The strategic merge patch of a Service's status; None: it is as it is to be.

    `time` is the present moment as RFC 3339 text.
    """
    is_ours = status.condition is None or status.condition.reason != Reason.NOT_OURS
    is_foreign = service.has_foreign_ingress and is_ours
    if service.status == status and not is_foreign:
        return None
    patch: dict[str, Any] = {}
    if service.status.ingress != status.ingress or is_foreign:
        ingress = [{"ip": address, "ipMode": "VIP"} for address in status.ingress]
        patch["loadBalancer"] = {"ingress": ingress or None}
    condition, before = status.condition, service.status.condition
    if condition:
        is_kept = before is not None and before.status == condition.status and service.transition
        patch["conditions"] = [
            {
                "type": READY_CONDITION,
                **condition._asdict(),
                "lastTransitionTime": service.transition if is_kept else whole_seconds(time),
                "observedGeneration": service.generation,
            }
        ]
    return {"status": patch}


def _condition_of(vip: VipObject, pools: PoolTable) -> ServiceCondition:
    """The condition Ready of a DuraVIP; before it has one, that its address is assigned."""
    conditions = vip.status.get("conditions") or ()
    ready = next((one for one in conditions if one.get("type") == "Ready"), None)
    if ready is None or vip.status.get("observedGeneration") != vip.generation:
        reason = Reason.ADDRESS_ASSIGNED
        return ServiceCondition("False", reason, reason.sentence)
    found = ServiceCondition(*(str(ready.get(f) or "") for f in ("status", "reason", "message")))
    pool = vip.origin.pool if vip.origin else ""
    if pool and found.status == "True":
        present = pools.pool_of(vip.address)
        if present is None or present.name != pool:
            why = f"{vip.address} is no longer of AddressPool {pool}, which it came from: it stays"
            return ServiceCondition("True", Reason.OUT_OF_POOL, why)
    return found


def _state(vip: VipObject) -> str:
    """The state that its status gives its present address; empty: none yet."""
    if vip.status.get("observedGeneration") != vip.generation:
        return ""
    return str(vip.status.get("state") or "")


def _moves(vips: Iterable[VipObject]) -> tuple[str, ...]:
    return tuple(map(_move, vips))


def _move(vip: VipObject) -> str:
    return str((vip.status.get("lastMove") or {}).get("time") or "")
