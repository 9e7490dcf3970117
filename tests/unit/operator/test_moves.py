"""What is remembered of an address between two owners, and how a fail-over is timed."""

from dataclasses import replace

import pytest

from duravip_api.reasons import MoveReason, State
from duravip_operator.core import decision
from duravip_operator.core.address_status import AddressStatus
from duravip_operator.core.decision import Decision
from duravip_operator.core.moves import (
    PendingMove,
    PendingMoves,
    first_owner_reason,
    update_failover_phases,
    update_pending_moves,
)
from duravip_operator.core.snapshot import Liveness, MoveRequest, Snapshot, Suspicion
from duravip_operator.core.units import Unit
from unit.operator.clusters import cluster, granted, vip

A = vip(1).address
NOW, HEARD = 20.0, 17.5
LOST = Suspicion(unreachable_on=frozenset({"eth1"}), is_lasting=True, last_heard=HEARD)


def lost(snapshot: Snapshot, node: str = "n1") -> Snapshot:
    return replace(
        snapshot,
        liveness={**snapshot.liveness, node: Liveness.SUSPECT},
        suspicions={node: LOST},
    )


def decided(snapshot: Snapshot) -> Decision:
    return decision.decide(snapshot, {})


def updated(
    made: Decision, before: dict[str, AddressStatus], previous: PendingMoves | None = None
) -> PendingMoves:
    return update_pending_moves(
        previous or {}, before, made, lambda node: HEARD if node == "n1" else NOW
    )


SERVED = granted(cluster((vip(1, "n1"),)))
BEFORE = dict(decided(SERVED).address_statuses)


def test_what_is_served_is_not_on_its_way() -> None:
    assert BEFORE[A].state is State.OWNED
    assert updated(decided(SERVED), BEFORE) == {}


def test_a_lost_owner_is_remembered_with_the_reason_and_when_it_was_last_heard() -> None:
    wanted = PendingMove("n1", MoveReason.NODE_LOST, HEARD, "eth1")
    moves = updated(decided(lost(SERVED)), BEFORE)
    assert moves == {A: wanted}
    assert moves[A].is_outage


def test_the_first_reason_counts_however_long_the_move_takes() -> None:
    first = {A: PendingMove("n1", MoveReason.DRAIN, HEARD)}
    assert updated(decided(lost(SERVED)), BEFORE, first)[A].reason is MoveReason.DRAIN
    unclear = {A: PendingMove("n1", MoveReason.ELECTED, HEARD, was_unserved=False)}
    found = updated(decided(lost(SERVED)), BEFORE, unclear)[A]
    assert (found.reason, found.was_unserved) == (MoveReason.NODE_LOST, True)


def test_an_owner_that_merely_does_not_serve_it_has_lost_it_for_no_reason_yet() -> None:
    idle = replace(SERVED.plumbings["n1"], served=frozenset())
    seen = replace(SERVED, plumbings={**SERVED.plumbings, "n1": idle})
    found = updated(decided(seen), BEFORE)[A]
    assert (found.former_owner, found.reason) == ("n1", MoveReason.ELECTED)
    assert not found.is_outage


def test_a_new_leader_knows_the_former_owner_from_the_status() -> None:
    status = {"address": A, "owner": "n1", "interface": "eth1"}
    seen = lost(replace(SERVED, vips=(replace(vip(1, "n1"), status=status),)))
    assert updated(decided(seen), {})[A].former_owner == "n1"
    edited = replace(vip(1, "n1"), status={**status, "address": "10.1.1.99"})
    assert updated(decided(replace(seen, vips=(edited,))), {}) == {}


@pytest.mark.parametrize(
    ("unit", "reason"),
    [
        (Unit(A, ()), MoveReason.ELECTED),
        (Unit(A, (), preference="n1"), MoveReason.PREFERENCE),
        (Unit(A, (), preference="n2"), MoveReason.ELECTED),
        (Unit(A, (), leader="10.1.1.9"), MoveReason.FOLLOW),
        (Unit(A, (), request=MoveRequest(1.0, "n1", releases=False)), MoveReason.REQUESTED),
        (Unit(A, (), request=MoveRequest(1.0, "n1", releases=True)), MoveReason.ELECTED),
    ],
)
def test_a_first_owner_has_its_reason(unit: Unit, reason: MoveReason) -> None:
    assert first_owner_reason(unit, "n1") is reason


def test_a_fail_over_goes_through_its_phases() -> None:
    seen = lost(SERVED)
    made = decided(seen)
    moves = updated(made, BEFORE)
    waiting = update_failover_phases({}, seen.suspicions, moves, made)
    assert waiting == {"n1": {"decide"}}
    revoked = {n: replace(p, grants=made.plans[n].grants) for n, p in seen.plumbings.items()}
    written = decided(replace(seen, plumbings=revoked))
    after = update_failover_phases(waiting, seen.suspicions, moves, written)
    assert after == {"n1": {"decide", "write"}}
    served = update_failover_phases(after, seen.suspicions, {}, written)
    assert served == {"n1": {"decide", "write", "serve"}}
    assert update_failover_phases(served, {}, {}, written) == {}
