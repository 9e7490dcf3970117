"""Owners on their way out: who left an address, why, and since when nobody serves it.

This is what `lastMove` is made from once the next owner serves the address. The reason is taken
when the former owner is first seen to lose it: later passes no longer know that there was one. An
owner that merely fails to serve it has lost it for no reason yet: the one that comes counts.

How far the fail-over of each silent node has come.

    decide  what it had was taken out of its spec
    write   all of that is granted to others
    serve   the others say that they serve it

A phase is over when a pass finds it so. What comes before, the suspicion and the scout's verdict,
the pulse tells.
"""

from collections import defaultdict
from collections.abc import Callable, Container, Mapping
from typing import NamedTuple

from duravip_api.reasons import MoveReason, Reason, State
from duravip_operator.core.address_status import AddressStatus
from duravip_operator.core.decision import Decision
from duravip_operator.core.election import cause_of_loss
from duravip_operator.core.units import Unit

OUTAGES = {MoveReason.NODE_LOST, MoveReason.LINK_DOWN, MoveReason.DRAIN, MoveReason.REPAIR_FAILED}
"""The reasons for which a node that had an address did not serve it."""


class PendingMove(NamedTuple):
    """An owner that no longer serves an address, until another one does."""

    former_owner: str
    reason: MoveReason
    unserved_since: float
    """Since when nobody was seen to serve it: the operator's clock, in seconds."""
    interface: str = ""
    """Where that owner served it; empty: not known."""
    was_unserved: bool = True
    """Whether it was seen not to serve it since: else nothing may have happened after all."""

    @property
    def is_outage(self) -> bool:
        """Whether nobody has served it for a while, even if the same node serves it next.

        What has no cause may be no more than a report that was late.
        """
        return self.was_unserved and self.reason in OUTAGES


PendingMoves = Mapping[str, PendingMove]


def update_pending_moves(
    former: PendingMoves,
    before: Mapping[str, AddressStatus],
    decision: Decision,
    last_heard: Callable[[str], float],
) -> PendingMoves:
    """`{address: Departure}` of every address that no owner serves after this decision.

    `before` are the verdicts of the last pass; `last_heard` gives for each node the time up to
    which it may be taken to have served: for one that is not silent, now.
    """
    found: dict[str, PendingMove] = {}
    for address, verdict in decision.address_statuses.items():
        if verdict.state is State.OWNED:
            continue
        known = former.get(address)
        if known and verdict.owner == known.former_owner:
            found[address] = known._replace(unserved_since=last_heard(known.former_owner))
            continue
        choice = decision.assignments.get(address)
        if known:
            is_open = choice and known.reason is MoveReason.ELECTED
            why = cause_of_loss(choice, known.former_owner) if choice and is_open else known.reason
            found[address] = known._replace(reason=why, was_unserved=True)
        else:
            owner, interface = _owner_before(before.get(address), decision.units[address])
            if owner and choice:
                why = cause_of_loss(choice, owner)
                is_out = verdict.owner != owner
                found[address] = PendingMove(owner, why, last_heard(owner), interface, is_out)
    return found


def first_owner_reason(unit: Unit, owner: str) -> MoveReason:
    """Why the first owner of an address is the one that it is."""
    request = unit.request
    if unit.leader:
        return MoveReason.FOLLOW
    if request and not request.releases and request.node == owner:
        return MoveReason.REQUESTED
    return MoveReason.PREFERENCE if unit.preference == owner else MoveReason.ELECTED


def _owner_before(verdict: AddressStatus | None, unit: Unit) -> tuple[str, str]:
    """Who owned it, and where; after a change of leader only the status knows."""
    if verdict:
        is_owned = verdict.state is State.OWNED
        return (verdict.owner, verdict.interface) if is_owned else ("", "")
    for vip in unit.vips:
        status = vip.status
        is_of_it = status.get("address") in {None, unit.address}
        if is_of_it and status.get("owner"):
            return str(status["owner"]), str(status.get("interface") or "")
    return "", ""


FailoverPhases = Mapping[str, frozenset[str]]
"""`{silent node: the phases that are over}`, of nodes that have lost something."""


def update_failover_phases(
    before: FailoverPhases, silent: Container[str], departures: PendingMoves, decision: Decision
) -> FailoverPhases:
    """The state of all fail-overs after this decision was written."""
    left: dict[str, list[str]] = defaultdict(list)
    for address, departure in departures.items():
        if departure.former_owner in silent and address in decision.units:
            left[departure.former_owner].append(address)
    found = {
        node: phases | {"write", "serve"} for node, phases in before.items() if node in silent
    }
    for node, addresses in left.items():
        reasons = {decision.address_statuses[address].reason for address in addresses}
        written = set() if Reason.WAITING_FOR_RELEASE in reasons else {"write"}
        found[node] = before.get(node, frozenset()) | {"decide"} | written
    return found
