"""What a pass decided, said in the statuses of the objects that people wrote.

Statuses follow the decision at the API server's pace; nothing waits for them and nothing is
decided from them.
"""

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from duravip_api.reasons import MoveReason
from duravip_operator.cluster import StatusWriter
from duravip_operator.core import statuses
from duravip_operator.core.decision import Decision
from duravip_operator.core.departures import Departures, departures
from duravip_operator.core.snapshot import Entity, Snapshot
from duravip_operator.core.verdicts import Verdict
from duravip_operator.events import Events
from duravip_operator.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Said:
    """What was last said of an entity."""

    entity: Entity
    """The object as it was seen then."""
    verdict: Verdict
    status: statuses.Status


class Reporting:
    """Turns decisions into status writes; remembers what it has said, to say only what is new."""

    def __init__(self, writer: StatusWriter, events: Events, metrics: Metrics) -> None:
        self._writer = writer
        self._events = events
        self._metrics = metrics
        self.forget()

    def forget(self) -> None:
        """Leadership changed hands: what the statuses say now is all that is known."""
        self._writer.clear()
        self._said: dict[str, Said] = {}
        self._verdicts: dict[str, Verdict] = {}
        self._departures: Departures = {}

    def note(self, snapshot: Snapshot, decision: Decision) -> None:
        """Take down who has left what, and say nothing yet: another pass follows at once.

        It is followed by a report, which says what this one would have said.
        """
        after = self._departed(snapshot, decision, time.monotonic())
        self._departures = {**self._departures, **after}
        self._verdicts = dict(decision.verdicts)

    def report(self, snapshot: Snapshot, decision: Decision) -> None:
        """Queue the status of every object of which there is something new to say."""
        now = time.monotonic()
        moment = statuses.Moment(now, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
        after = self._departed(snapshot, decision, now)
        for entity in snapshot.entities:
            self._report_entity(entity, decision, moment)
        self._report_topologies(snapshot, decision, moment.time)
        self._departures = after
        self._verdicts = dict(decision.verdicts)
        known = {entity.uid for entity in snapshot.entities}
        for uid in self._said.keys() - known:
            del self._said[uid]
        self._metrics.show(snapshot, decision)

    def _departed(self, snapshot: Snapshot, decision: Decision, now: float) -> Departures:
        def last_heard(node: str) -> float:
            silence = snapshot.silences.get(node)
            return silence.since if silence else now

        return departures(self._departures, self._verdicts, decision, last_heard)

    def _report_entity(self, entity: Entity, decision: Decision, moment: statuses.Moment) -> None:
        verdict = decision.verdict_on(entity)
        said = self._said.get(entity.uid)
        if said and said.entity is entity and said.verdict == verdict:
            return
        base = replace(entity, status=said.status) if said else entity
        departure = self._departures.get(entity.address)
        status = statuses.entity_status(base, verdict, departure, moment)
        self._said[entity.uid] = Said(entity, verdict, status)
        if status != entity.status:
            moved = status.get("owner") != entity.status.get("owner")
            if status.get("lastMove") != base.status.get("lastMove"):
                self._tell_of_move(entity, status["lastMove"])
            self._writer.put((entity.kind, entity.namespace, entity.name), status, urgent=moved)

    def _tell_of_move(self, entity: Entity, move: statuses.Status) -> None:
        former = f" from {move['from']}" if "from" in move else ""
        sentence = f"{entity.address} moved{former} to {move['to']}"
        self._events.say(entity, MoveReason(move["reason"]), sentence, "Normal")

    def _report_topologies(self, snapshot: Snapshot, decision: Decision, time: str) -> None:
        addresses = decision.addresses_in()
        for topology in decision.topologies:
            status = statuses.topology_status(topology, addresses[topology.name], snapshot, time)
            if status != topology.status:
                self._writer.put(("Topology", "", topology.name), status, urgent=False)
