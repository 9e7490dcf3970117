"""One silent node, segment by segment, and the rounds in which its witnesses are asked for it."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from duravip_operator.pulse.roster import Entry, Presence, Segment, segments

AGAIN: Final = 0.1
LATER: Final = 1.0
"""Rounds follow one another so fast, in seconds; the latter once the node is gone from there."""

OPEN_FOR: Final = 10.0
"""After this long they are as rare where the node still answers, or nothing can be decided."""

DECIDED_AFTER: Final = 0.06
"""A round waits so long for those that say nothing, in seconds."""


class Outcome(Enum):
    """What a round has shown."""

    ANSWERING = "answering"
    GONE = "gone"


@dataclass(slots=True, eq=False)
class Suspicion:
    """A silent node."""

    began: float
    entry: dict[Segment, Presence] = field(default_factory=dict)
    """As it was when the node fell silent: what moves away since is still asked for."""
    due: dict[Segment, float] = field(default_factory=dict)
    """When the next round begins."""
    outcomes: dict[Segment, Outcome] = field(default_factory=dict)
    decided: dict[Segment, float] = field(default_factory=dict)
    """When the round was begun that has brought the outcome."""

    @classmethod
    def resumed(cls, gone: AbstractSet[str], now: float) -> "Suspicion":
        """One that an earlier process has decided about these interfaces."""
        suspicion = cls(now)
        for segment in segments(gone):
            suspicion.entry[segment] = Presence((), (), ())
            suspicion.outcomes[segment] = Outcome.GONE
            suspicion.due[segment] = suspicion.decided[segment] = now
        return suspicion

    def learn(self, entry: Entry, now: float) -> None:
        """Take what was not known of the node when it fell silent."""
        for segment, presence in entry.items():
            known = self.entry.get(segment)
            if known is None or (presence.served and not known.served):
                self.entry[segment] = presence
                self.due[segment] = now
                if segment not in self.decided:
                    self.outcomes.pop(segment, None)

    def pause(self, segment: Segment, now: float) -> float:
        """How long to wait until the next round there."""
        is_gone = self.outcomes.get(segment) is Outcome.GONE
        return LATER if is_gone or now - self.began > OPEN_FOR else AGAIN

    def summed(self) -> tuple[frozenset[str], frozenset[str]]:
        """`(interfaces it is gone from, interfaces on which it answers)`.

        What it serves there counts; where it serves nothing, one family will do.
        """
        gone: set[str] = set()
        answering: set[str] = set()
        for interface in {segment.interface for segment in self.entry}:
            present = [s for s in self.entry if s.interface == interface]
            served = [s for s in present if self.entry[s].served]
            outcomes = [self.outcomes.get(segment) for segment in served or present]
            if Outcome.ANSWERING in outcomes:
                answering.add(interface)
            elif (all if served else any)(o is Outcome.GONE for o in outcomes):
                gone.add(interface)
        return frozenset(gone), frozenset(answering)


@dataclass(slots=True, eq=False)
class Round:
    """All witnesses of a silent node on one segment were asked at once."""

    suspicion: Suspicion
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
        is_over = now >= self.began + DECIDED_AFTER or not self.waiting & heard
        if self.is_answered:
            outcome = Outcome.ANSWERING
        elif self.is_silent and is_over:
            outcome = Outcome.GONE
        else:
            return
        self.suspicion.decided[self.segment] = self.began
        self.suspicion.outcomes[self.segment] = outcome
        pause = self.suspicion.pause(self.segment, now)
        due = self.suspicion.due
        due[self.segment] = min(due[self.segment], now + pause)
