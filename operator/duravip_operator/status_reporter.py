"""Reports what a pass decided in the statuses of people's objects, in Events and in metrics.

Statuses follow the decision at the API server's pace; nothing waits for them and nothing is
decided from them.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from duravip_api.annotations import format_time
from duravip_api.reasons import MoveReason, Reason, State
from duravip_operator.core import object_status
from duravip_operator.core.address_status import AddressStatus
from duravip_operator.core.decision import Decision
from duravip_operator.core.event_queue import OwnerChange
from duravip_operator.core.moves import (
    FailoverPhases,
    PendingMoves,
    first_owner_reason,
    update_failover_phases,
    update_pending_moves,
)
from duravip_operator.core.snapshot import Snapshot, VipObject
from duravip_operator.event_recorder import EventRecorder
from duravip_operator.kube import Priority, StatusWriter, priority_of
from duravip_operator.metrics import Metrics

VIPS_PER_TURN = 256
"""So many objects are looked at before others get to run: about 2 ms, if all is new."""

ADDRESS_IN_USE_CONDITION = "AddressInUse"
"""The condition that says that somebody else has the address."""

UNOWNED = frozenset({State.UNASSIGNED, State.BROKEN, State.UNMANAGED})


@dataclass(frozen=True, slots=True)
class LastReported:
    """What was last said of an entity."""

    vip: VipObject
    """The object as it was seen then."""
    verdict: AddressStatus
    status: object_status.Status


class StatusReporter:
    """Turns decisions into status writes; remembers what it has said, to say only what is new."""

    def __init__(self, writer: StatusWriter, events: EventRecorder, metrics: Metrics) -> None:
        self._writer = writer
        self._events = events
        self._metrics = metrics
        self.reset()

    def reset(self, epoch: int | None = None) -> None:
        """Leadership changed hands: what the statuses say now is all that is known.

        What is said from now on is dropped when this epoch of ours is over.
        """
        self._writer.reset(epoch)
        self._events.begin(epoch)
        self._said: dict[str, LastReported] = {}
        self._verdicts: dict[str, AddressStatus] = {}
        self._departures: PendingMoves = {}
        self._failovers: FailoverPhases = {}
        self._noted: list[tuple[Snapshot, Decision, float]] = []
        self._lost: Mapping[str, StrEnum] = {}
        """The nodes that are said to be lost, or silent."""
        self._hearings: dict[str, object_status.Status] = {}
        """What is said of nodes, and not there yet."""
        self._shared: frozenset[str] = frozenset()
        """The nodes of which another machine has the name."""

    def record(self, snapshot: Snapshot, decision: Decision) -> None:
        """Keep it for the next report: another pass follows at once, and must not wait.

        Of a hand-over, one choice carried out in steps, the first and the last step are kept.
        """
        alike = [
            kept for _, kept, _ in self._noted[-2:] if kept.assignments is decision.assignments
        ]
        del self._noted[len(self._noted) - (len(alike) > 1) :]
        self._noted.append((snapshot, decision, time.monotonic()))
        self._report_hearings(snapshot, format_time(datetime.now(UTC)))

    async def report(
        self,
        snapshot: Snapshot,
        decision: Decision,
        must_hurry: Callable[[], bool] = lambda: False,
    ) -> None:
        """Queue the status of every object of which there is something new to say.

        Others get to run meanwhile; when a pass must follow at once, the next one says the rest.
        """
        now = time.monotonic()
        while self._noted:
            self._replay(*self._noted.pop(0))
            await asyncio.sleep(0)
            if must_hurry():
                self.record(snapshot, decision)
                return
        moment = object_status.Timestamp(now, format_time(datetime.now(UTC)))
        after = self._departed(snapshot, decision, now)
        moves: dict[str, OwnerChange] = {}
        for first in range(0, len(snapshot.vips), VIPS_PER_TURN):
            for vip in snapshot.vips[first : first + VIPS_PER_TURN]:
                if move := self._report_entity(vip, decision, moment):
                    moves[vip.address] = move
            await asyncio.sleep(0)
            if must_hurry():
                self._noted.append((snapshot, decision, now))
                self._tell_nodes(snapshot, list(moves.values()))
                return
        self._report_hearings(snapshot, moment.time)
        self._report_topologies(snapshot, decision, moment.time)
        self._departures = after
        self._verdicts = dict(decision.address_statuses)
        known = {vip.uid for vip in snapshot.vips}
        for uid in self._said.keys() - known:
            del self._said[uid]
        self._tell_nodes(snapshot, list(moves.values()))
        self._time(snapshot, decision, now)
        said = (said.verdict for said in self._said.values())
        self._metrics.show(snapshot, decision, said)

    def _replay(self, snapshot: Snapshot, decision: Decision, now: float) -> None:
        """Who has left what, which was not reported."""
        after = self._departed(snapshot, decision, now)
        self._departures = {**self._departures, **after}
        self._verdicts = dict(decision.address_statuses)
        self._time(snapshot, decision, now)

    def _departed(self, snapshot: Snapshot, decision: Decision, now: float) -> PendingMoves:
        def last_heard(node: str) -> float:
            silence = snapshot.suspicions.get(node)
            return silence.last_heard if silence else now

        return update_pending_moves(self._departures, self._verdicts, decision, last_heard)

    def _report_entity(
        self, vip: VipObject, decision: Decision, moment: object_status.Timestamp
    ) -> OwnerChange | None:
        """Say what is new of it; gives back the change of owner, if that is."""
        verdict = decision.status_of(vip)
        said = self._said.get(vip.uid)
        if said and said.vip is vip and said.verdict == verdict:
            return None
        before = said.status if said else vip.status
        departure = self._departures.get(vip.address)
        base = replace(vip, status=before)
        unit = decision.units.get(vip.address)
        first = first_owner_reason(unit, verdict.owner) if unit else MoveReason.ELECTED
        status = object_status.object_status(base, verdict, departure, moment, first)
        self._said[vip.uid] = LastReported(vip, verdict, status)
        self._write(vip, before, status)
        former = departure.former_owner if departure else str(before.get("owner") or "")
        if verdict.state in UNOWNED and former and before.get("state") != status["state"]:
            left = status.get("address") or vip.address
            sentence = f"{left} has left {former}: {verdict.message}"
            self._events.record(vip, verdict.reason, sentence, "Warning")
        self._tell_of_claims(vip, verdict, said.verdict if said else None, before)
        last = status.get("lastMove")
        if not last or last == before.get("lastMove"):
            return None
        move = move_of(base, status)
        self._events.record(vip, move.reason, move.sentence, move.kind, str(last["time"]))
        return move if move.former != move.owner else None

    def _tell_of_claims(
        self,
        vip: VipObject,
        verdict: AddressStatus,
        last: AddressStatus | None,
        before: Mapping[str, Any],
    ) -> None:
        """That somebody else has the address: once, and again when it is somebody else."""
        for kind, reason, message in verdict.advisories:
            if kind != ADDRESS_IN_USE_CONDITION or (
                last and (kind, reason, message) in last.advisories
            ):
                continue
            stands = [c for c in before.get("conditions") or () if c.get("type") == kind]
            if last or not any(c.get("message") == message for c in stands):
                sentence = f"{vip.address}: {message}"
                self._events.record(vip, reason, sentence, "Warning")

    def _write(
        self, vip: VipObject, before: Mapping[str, Any], status: object_status.Status
    ) -> None:
        key = (vip.kind, vip.namespace, vip.name)
        if status != vip.status:
            self._writer.put(key, status, priority_of(vip.status, status))
        elif status != before and not self._writer.cancel(key):
            self._writer.put(key, status, Priority.CHANGE)

    def _report_hearings(self, snapshot: Snapshot, time: str) -> None:
        """The condition of each NodePlumbing that is ours."""
        for name, plumbing in snapshot.plumbings.items():
            said, key = object_status.heard_condition(snapshot, name), ("NodePlumbing", "", name)
            before = self._hearings.get(name)
            if said is None or plumbing.heard_condition == said[:2]:
                if before and self._hearings.pop(name):
                    self._writer.cancel(key)
                continue
            if before is None or before["reason"] != said.reason:
                self._hearings[name] = object_status.heard_condition_body(said, plumbing, time)
            # Again each time that it is not there: the agent may have written at the same moment.
            self._writer.put(key, self._hearings[name], Priority.NODE_CONDITION)
        for name in self._hearings.keys() - snapshot.plumbings.keys():
            del self._hearings[name]

    def _report_topologies(self, snapshot: Snapshot, decision: Decision, time: str) -> None:
        addresses = decision.addresses_in()
        unwitnessed = 0
        for topology in decision.topologies:
            status = object_status.topology_status(
                topology, addresses[topology.name], snapshot, time
            )
            unwitnessed += any(c["type"] == object_status.NO_WITNESS for c in status["conditions"])
            key = ("Topology", "", topology.name)
            if status != topology.status:
                self._writer.put(key, status, Priority.CHANGE)
            else:
                self._writer.cancel(key)
        self._metrics.unwitnessed.set(unwitnessed)

    def _tell_nodes(self, snapshot: Snapshot, moves: Sequence[OwnerChange]) -> None:
        """What concerns nodes: what they took over, and that they are lost or back."""
        self._events.record_takeovers(moves)
        for move in moves:
            self._metrics.moves.labels(str(move.reason), move.former, move.owner).inc()
        lost = {name: _lost(snapshot, name) for name in snapshot.suspicions}
        for name, why in lost.items():
            if why and why[0] != self._lost.get(name):
                self._events.record_for_node(name, *why, "Warning")
        for name in self._lost.keys() - lost.keys() & snapshot.nodes.keys():
            self._events.record_for_node(name, Reason.NODE_BACK, Reason.NODE_BACK.sentence)
        shared = {n: p.shares_name for n, p in snapshot.plumbings.items() if p.shares_name}
        for name in sorted(shared.keys() - self._shared):
            self._events.record_for_node(name, Reason.NAME_SHARED, shared[name], "Warning")
        self._shared = frozenset(shared)
        # An agent that starts anew reports before it is heard, and is lost until then.
        known = {name: reason for name, reason in self._lost.items() if name in lost}
        self._lost = known | {name: why[0] for name, why in lost.items() if why}

    def _time(self, snapshot: Snapshot, decision: Decision, now: float) -> None:
        """How long the phases of fail-overs took that are over now."""
        silences, before = snapshot.suspicions, self._failovers
        after = update_failover_phases(before, silences, self._departures, decision)
        for node, phases in after.items():
            for phase in phases - before.get(node, frozenset()):
                since = silences[node].last_heard
                self._metrics.failover_seconds.labels(phase).observe(now - since)
        self._failovers = after


def move_of(vip: VipObject, status: object_status.Status) -> OwnerChange:
    """What the new status says that has happened; that of the entity is the one before."""
    last, before = status["lastMove"], vip.status
    former, owner = str(last.get("from") or ""), str(last["to"])
    reason = MoveReason(last["reason"])
    is_same = former == owner and reason is MoveReason.EDITED
    old = str(before.get("address")) if object_status.is_other_address(vip) else ""
    interface = str(status.get("interface") or "") if is_same else ""
    return OwnerChange(vip.address, former, owner, reason, old, interface)


def _lost(snapshot: Snapshot, name: str) -> tuple[StrEnum, str] | None:
    """What is said of a silent node; nothing where no agent has run, or it has ended in order."""
    plumbing, silence = snapshot.plumbings.get(name), snapshot.suspicions[name]
    if plumbing is None or plumbing.stopped or plumbing.observed_generation is None:
        return None
    if silence.unreachable_on:
        where = ", ".join(sorted(silence.unreachable_on))
        return MoveReason.NODE_LOST, f"its agent is not heard, and nothing answers on {where}"
    if silence.is_self_fenced:
        return MoveReason.NODE_LOST, "its agent is not heard, and must have muted itself"
    return (Reason.NODE_SILENT, Reason.NODE_SILENT.sentence) if silence.is_lasting else None
