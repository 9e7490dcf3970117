"""Remote probes: whether a suspected node is gone from a segment, as its neighbours see it.

All witnesses are asked at once, and every 100 ms while the question is open, to probe some
addresses that the node serves there. One answer from the node: it is ANSWERING. Silence, reported
by a reliable witness, and no answer in the same round: it is GONE. The latest round counts; a
round is over when all witnesses have reported, or after 60 ms. Without a reliable witness there is
no verdict. Where a node serves nothing there is nothing to probe: it counts as gone if it has a
witness.
"""

from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple

from duravip_api.heartbeat import ProbeReport
from duravip_operator.core.snapshot import Liveness
from duravip_operator.pulse.probe_targets import (
    NodeTargets,
    ProbeTargets,
    Segment,
    interface_of,
    segments,
)
from duravip_operator.pulse.witnesses import MAX_WITNESSES, WitnessAssignment, Witnesses

ROUND_EVERY_S: Final = 0.1
LATE_ROUND_EVERY_S: Final = 1.0
"""Rounds follow one another so fast, in seconds; the latter once the node is gone from there."""

FREQUENT_ROUNDS_FOR_S: Final = 10.0
"""After this long they are as rare where the node still answers, or nothing can be decided."""

ROUND_TIMEOUT_S: Final = 0.06
"""A round waits so long for those that say nothing, in seconds."""


class ProbeOutcome(Enum):
    """What a round has shown."""

    ANSWERING = "answering"
    GONE = "gone"


@dataclass(slots=True, eq=False)
class Suspect:
    """A silent node."""

    began: float
    targets: dict[Segment, ProbeTargets] = field(default_factory=dict)
    """As it was when the node fell silent: what moves away since is still asked for."""
    due: dict[Segment, float] = field(default_factory=dict)
    """When the next round begins."""
    outcomes: dict[Segment, ProbeOutcome] = field(default_factory=dict)
    decided: dict[Segment, float] = field(default_factory=dict)
    """When the round was begun that has brought the outcome."""

    @classmethod
    def resumed(cls, gone: AbstractSet[str], now: float) -> "Suspect":
        """One that an earlier process has decided about these interfaces."""
        suspicion = cls(now)
        for segment in segments(gone):
            suspicion.targets[segment] = ProbeTargets((), (), ())
            suspicion.outcomes[segment] = ProbeOutcome.GONE
            suspicion.due[segment] = suspicion.decided[segment] = now
        return suspicion

    def add_targets(self, entry: NodeTargets, now: float) -> None:
        """Take what was not known of the node when it fell silent."""
        for segment, presence in entry.items():
            known = self.targets.get(segment)
            if known is None or (presence.served and not known.served):
                self.targets[segment] = presence
                self.due[segment] = now
                if segment not in self.decided:
                    self.outcomes.pop(segment, None)

    def pause(self, segment: Segment, now: float) -> float:
        """How long to wait until the next round there."""
        is_gone = self.outcomes.get(segment) is ProbeOutcome.GONE
        return (
            LATE_ROUND_EVERY_S
            if is_gone or now - self.began > FREQUENT_ROUNDS_FOR_S
            else ROUND_EVERY_S
        )

    def by_interface(self) -> tuple[frozenset[str], frozenset[str]]:
        """`(interfaces it is gone from, interfaces on which it answers)`.

        What it serves there counts; where it serves nothing, one family will do.
        """
        gone: set[str] = set()
        answering: set[str] = set()
        for interface in {segment.interface for segment in self.targets}:
            present = [s for s in self.targets if s.interface == interface]
            served = [s for s in present if self.targets[s].served]
            outcomes = [self.outcomes.get(segment) for segment in served or present]
            if ProbeOutcome.ANSWERING in outcomes:
                answering.add(interface)
            elif (all if served else any)(o is ProbeOutcome.GONE for o in outcomes):
                gone.add(interface)
        return frozenset(gone), frozenset(answering)


@dataclass(slots=True, eq=False)
class ProbeRound:
    """All witnesses of a silent node on one segment were asked at once."""

    suspicion: Suspect
    segment: Segment
    began: float
    waiting: set[str]
    """Those that have said nothing yet."""
    is_silent: bool = False
    """A true witness has heard nothing."""
    is_answered: bool = False

    def take(self, scout: str, verdict: str, *, is_true: bool) -> None:
        """Take what a scout has seen; `is_true`: its silence means something."""
        self.waiting.discard(scout)
        self.is_answered |= verdict == "answering"
        self.is_silent |= verdict == "silent" and is_true

    def decide(self, heard: AbstractSet[str], now: float) -> None:
        """Say what it has shown, if that is clear and no later round has spoken."""
        if self.began < self.suspicion.decided.get(self.segment, 0.0):
            return
        is_over = now >= self.began + ROUND_TIMEOUT_S or not self.waiting & heard
        if self.is_answered:
            outcome = ProbeOutcome.ANSWERING
        elif self.is_silent and is_over:
            outcome = ProbeOutcome.GONE
        else:
            return
        self.suspicion.decided[self.segment] = self.began
        self.suspicion.outcomes[self.segment] = outcome
        pause = self.suspicion.pause(self.segment, now)
        due = self.suspicion.due
        due[self.segment] = min(due[self.segment], now + pause)


GONE_UNPROBED_AFTER_S: Final = 0.1
"""A silent node is gone so much later, in seconds, from where it serves nothing."""

REPORT_TIMEOUT_S: Final = 2.0
"""A sight that comes later than this after its look is not taken, in seconds."""

ASSIGN_EVERY_S: Final = 0.1


class OutgoingProbe(NamedTuple):
    """A look to be sent."""

    number: int
    watch: WitnessAssignment
    interface: str
    """The scout's own."""
    addresses: tuple[str, ...]
    macs: tuple[str, ...]


class _SentProbe(NamedTuple):
    watch: WitnessAssignment
    interface: str
    at: float
    begun: ProbeRound | None


class ProbeRounds:
    """Looks and what came of them. Times are arguments, of one steady clock."""

    def __init__(self, number: int) -> None:
        """`number` is above that of every look that an earlier process has sent."""
        self._number = number
        self._targets: dict[str, NodeTargets] = {}
        self._heard: frozenset[str] = frozenset()
        self._suspects: dict[str, Suspect] = {}
        self._sent: dict[int, _SentProbe] = {}
        self._rounds: list[ProbeRound] = []
        self._must_assign, self._assigned_at = True, 0.0
        self.witnesses = Witnesses()
        self.reports = Counter[str]()
        """How many of each verdict."""

    def update_targets(self, changes: Mapping[str, NodeTargets | None], now: float) -> None:
        """Take what has changed of the nodes' probe targets."""
        for name, entry in changes.items():
            if entry is None:
                self._targets.pop(name, None)
                continue
            self._targets[name] = entry
            if suspicion := self._suspects.get(name):
                suspicion.add_targets(entry, now)
        self._must_assign = True

    def update_liveness(self, hearing: Mapping[str, Liveness], now: float) -> None:
        """Take what is heard: whoever is silent is suspected from now on."""
        heard = {Liveness.WARMING_UP, Liveness.ALIVE}
        before, self._heard = self._heard, frozenset(n for n, h in hearing.items() if h in heard)
        self._must_assign |= self._heard != before
        for name in [n for n in self._suspects if hearing.get(n) is not Liveness.SUSPECT]:
            del self._suspects[name]
        for name, how in hearing.items():
            if how is Liveness.SUSPECT and name not in self._suspects:
                self._suspects[name] = suspicion = Suspect(now)
                suspicion.add_targets(self._targets.get(name, {}), now)

    def resume(self, name: str, gone: frozenset[str], now: float) -> None:
        """An earlier process has found a silent node gone from these interfaces."""
        self._suspects[name] = Suspect.resumed(gone, now)

    def due(self, now: float) -> list[OutgoingProbe]:
        """What is to be asked now; the silent first."""
        asks: list[OutgoingProbe] = []
        for suspect, suspicion in self._suspects.items():
            for segment in [s for s, due in suspicion.due.items() if due <= now]:
                asks += self._begin_round(suspect, suspicion, segment, now)
        if not asks and self._must_assign and now - self._assigned_at >= ASSIGN_EVERY_S:
            self.witnesses.assign(self._targets, self._heard, now)
            self._must_assign, self._assigned_at = False, now
        for watch in self.witnesses.due(now):
            presence = self._targets.get(watch.suspect, {}).get(watch.segment)
            if presence:
                asks.append(self._probe(watch, presence, None, now))
        return asks

    def next_due(self) -> float:
        """When something is to be asked or decided, if nothing happens before."""
        times = [due for suspicion in self._suspects.values() for due in suspicion.due.values()]
        times += [begun.began + ROUND_TIMEOUT_S for begun in self._rounds]
        return min([self.witnesses.next_due(), *times])

    def take_report(self, sight: ProbeReport, now: float) -> bool:
        """Take a scout's report; False when nobody has asked for it."""
        asked = self._sent.get(sight.number)
        said = (sight.scout, sight.suspect, sight.interface)
        if asked is None:
            return False
        watch, interface, at, begun = asked
        if said != (watch.scout, watch.suspect, interface):
            return False
        del self._sent[sight.number]
        self.reports[sight.verdict] += 1
        if sight.heard_ago >= 0:
            self.witnesses.record_remote(watch, at - sight.heard_ago)
        was_true = self.witnesses.is_reliable(watch, at)
        if sight.verdict == "answering":
            self.witnesses.record_answer(watch, at)
        if begun:
            begun.take(watch.scout, sight.verdict, is_true=was_true)
            begun.decide(self._heard, now)
        return True

    def evaluate(self, now: float) -> None:
        """Decide what is over, forget what is too late."""
        for begun in self._rounds:
            begun.decide(self._heard, now)
        self._rounds = [r for r in self._rounds if now - r.began < ROUND_TIMEOUT_S]
        late = [n for n, asked in self._sent.items() if now - asked.at > REPORT_TIMEOUT_S]
        for number in late:
            del self._sent[number]
            self.reports["none"] += 1

    def outcomes(self) -> dict[str, tuple[frozenset[str], frozenset[str]]]:
        """`{silent node: (interfaces it is gone from, interfaces on which it answers)}`."""
        return {name: suspicion.by_interface() for name, suspicion in self._suspects.items()}

    def witnessed(self, now: float) -> dict[str, frozenset[str]]:
        """The interfaces on which each node was lately heard, for all that it serves there."""
        seen: dict[str, set[Segment]] = {}
        for name, segment in self.witnesses.lately_heard(now):
            seen.setdefault(name, set()).add(segment)
        found: dict[str, frozenset[str]] = {}
        for name, lately in seen.items():
            entry = self._targets.get(name, {})
            missing = {s.interface for s, p in entry.items() if p.served and s not in lately}
            found[name] = frozenset(s.interface for s in lately) - missing
        return found

    def _begin_round(
        self, suspect: str, suspicion: Suspect, segment: Segment, now: float
    ) -> list[OutgoingProbe]:
        presence = suspicion.targets[segment]
        if not presence.served:
            # Nobody waits for this: it comes after what was asked for.
            is_late = now >= suspicion.began + GONE_UNPROBED_AFTER_S
            if is_late and self.witnesses.has_witness(suspect, segment, now):
                suspicion.outcomes[segment] = ProbeOutcome.GONE
        suspicion.due[segment] = now + suspicion.pause(segment, now)
        scouts = [
            s for s in self.witnesses.witnesses_of(suspect, segment, now) if s in self._heard
        ]
        if not presence.served or not scouts:
            return []
        scouts = scouts[:MAX_WITNESSES]
        begun = ProbeRound(suspicion, segment, now, set(scouts))
        self._rounds.append(begun)
        watches = [WitnessAssignment(scout, suspect, segment) for scout in scouts]
        return [self._probe(watch, presence, begun, now) for watch in watches]

    def _probe(
        self,
        watch: WitnessAssignment,
        presence: ProbeTargets,
        begun: ProbeRound | None,
        now: float,
    ) -> OutgoingProbe:
        self._number += 1
        interface = interface_of(self._targets.get(watch.scout, {}), watch.segment, presence)
        self._sent[self._number] = _SentProbe(watch, interface, now, begun)
        addresses = presence.served if begun else presence.any_address
        return OutgoingProbe(self._number, watch, interface, addresses, presence.macs)
