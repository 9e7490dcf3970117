"""Moves in progress: which owner an address has lost, why, and since when nobody serves it.

A `PendingMove` becomes `lastMove` once the next owner serves the address. The reason is
recorded when the former owner is first seen to lose the address: later passes no longer know
that there was one. An owner that merely fails to serve it has lost it for no reason yet; the
first reason that comes up counts.

The fail-over of a suspect node is measured in phases, each over when a pass finds it so:

    decide  what the node had was taken out of its spec
    write   all of that is granted to other nodes
    serve   the other nodes report that they serve it

The phases before, suspicion and probing, are measured where heartbeats arrive (`pulse`).
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
"""The reasons for which a node that had an address may not have served it."""


class PendingMove(NamedTuple):
    """A former owner that no longer serves an address, until the next one does."""

    former_owner: str
    reason: MoveReason
    unserved_since: float
    """Since when no node was seen to serve it: the operator's clock, in seconds."""
    interface: str = ""
    """Where the former owner served it; empty: not known."""
    was_unserved: bool = True
    """Whether it was seen unserved; if not, nothing may have happened after all."""

    @property
    def is_outage(self) -> bool:
        """Whether nobody has served it for a while, even if the same node serves it next.

        What has no cause may be no more than a report that was late.
        """
        return self.was_unserved and self.reason in OUTAGES


PendingMoves = Mapping[str, PendingMove]
"""By address."""


def update_pending_moves(
    previous: PendingMoves,
    before: Mapping[str, AddressStatus],
    decision: Decision,
    last_heard: Callable[[str], float],
) -> PendingMoves:
    """`{address: PendingMove}` for every address that no owner serves after this decision.

    `before` are the statuses of the last pass; `last_heard` gives for each node the time up to
    which it can be assumed to have served: the present time if it is not suspect.
    """
    moves: dict[str, PendingMove] = {}
    for address, status in decision.address_statuses.items():
        if status.state is State.OWNED:
            continue
        pending = previous.get(address)
        if pending and status.owner == pending.former_owner:
            moves[address] = pending._replace(unserved_since=last_heard(pending.former_owner))
            continue
        assignment = decision.assignments.get(address)
        if pending:
            is_open = assignment and pending.reason is MoveReason.ELECTED
            why = (
                cause_of_loss(assignment, pending.former_owner)
                if assignment and is_open
                else pending.reason
            )
            moves[address] = pending._replace(reason=why, was_unserved=True)
        else:
            owner, interface = _owner_before(before.get(address), decision.units[address])
            if owner and assignment:
                why = cause_of_loss(assignment, owner)
                is_out = status.owner != owner
                moves[address] = PendingMove(owner, why, last_heard(owner), interface, is_out)
    return moves


def first_owner_reason(unit: Unit, owner: str) -> MoveReason:
    """Why the first owner of an address is the one that it is."""
    request = unit.request
    if unit.leader:
        return MoveReason.FOLLOW
    if request and not request.releases and request.node == owner:
        return MoveReason.REQUESTED
    return MoveReason.PREFERENCE if unit.preference == owner else MoveReason.ELECTED


def _owner_before(last: AddressStatus | None, unit: Unit) -> tuple[str, str]:
    """`(owner, interface)` before; after a change of leader only the objects' statuses know."""
    if last:
        is_owned = last.state is State.OWNED
        return (last.owner, last.interface) if is_owned else ("", "")
    for vip in unit.vips:
        written = vip.status
        is_of_it = written.get("address") in {None, unit.address}
        if is_of_it and written.get("owner"):
            return str(written["owner"]), str(written.get("interface") or "")
    return "", ""


FailoverPhases = Mapping[str, frozenset[str]]
"""`{suspect node: the phases that are over}`, for nodes that have lost something."""


def update_failover_phases(
    before: FailoverPhases,
    suspects: Container[str],
    pending_moves: PendingMoves,
    decision: Decision,
) -> FailoverPhases:
    """The phases of all fail-overs after this decision was written."""
    unserved: dict[str, list[str]] = defaultdict(list)
    for address, pending in pending_moves.items():
        if pending.former_owner in suspects and address in decision.units:
            unserved[pending.former_owner].append(address)
    phases_by_node = {
        node: phases | {"write", "serve"} for node, phases in before.items() if node in suspects
    }
    for node, addresses in unserved.items():
        reasons = {decision.address_statuses[address].reason for address in addresses}
        written = set() if Reason.WAITING_FOR_RELEASE in reasons else {"write"}
        phases_by_node[node] = before.get(node, frozenset()) | {"decide"} | written
    return phases_by_node
