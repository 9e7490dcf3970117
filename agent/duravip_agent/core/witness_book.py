"""Probing for the operator: whether a node answers on a segment, and what its silence proves.

The silence of a suspected node counts only if this node is a witness: it has heard the other one
answer on that segment within the last minute. To stay one, it probes one address of each node
that it is told to watch, once every 20 seconds. The operator decides who watches whom, and what
follows from an outcome.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from duravip_agent.core.probing import ONE_PROBE, ProbeResult, ProbeSpec
from duravip_api.timing import MOST_SCOUTED, WATCH_EVERY, WITNESS_FOR


@dataclass(frozen=True, slots=True)
class ProbeSubject:
    """A node on a segment, and what it should answer for."""

    node: str
    interface: str
    """Ours, on that segment."""
    addresses: tuple[str, ...]
    macs: frozenset[str] = frozenset()
    """Those of its interfaces: other answers are not its own. Empty: any answer is its own."""


class Reachability(StrEnum):
    """What a scout makes of a suspect."""

    ANSWERING = "answering"
    """It answers for at least one address: its kernel is alive and not muted."""
    SILENT = "silent"
    """It answers for none of them."""
    UNKNOWN = "unknown"
    """Not all could be asked: our own link is down, for one."""


@dataclass(frozen=True, slots=True)
class ProbeOutcome:
    """What a scout reports."""

    verdict: Reachability
    heard_ago: float
    """Seconds since we last heard it answer: its silence means something for a minute."""

    @property
    def is_witness(self) -> bool:
        """Whether we have heard it lately, so that its silence means something."""
        return self.heard_ago <= WITNESS_FOR


def suspect_probe(suspect: ProbeSubject) -> ProbeSpec:
    """What to ask when the node is suspected."""
    return ProbeSpec(suspect.addresses[:MOST_SCOUTED], macs=suspect.macs, is_one_enough=True)


def reachability(suspect: ProbeSubject, findings: ProbeResult) -> Reachability:
    """What the findings say of the suspect."""
    heard = {mac for macs in findings.answered.values() for mac in macs}
    if heard & suspect.macs if suspect.macs else heard:
        return Reachability.ANSWERING
    is_sure = findings.silent and not findings.unasked
    return Reachability.SILENT if is_sure else Reachability.UNKNOWN


@dataclass(slots=True)
class _WatchedSubject:
    suspect: ProbeSubject
    due: float
    turn: int = 0
    """Which of its addresses comes next."""

    def question(self) -> ProbeSpec:
        addresses = self.suspect.addresses
        return ProbeSpec((addresses[self.turn % len(addresses)],), ONE_PROBE, self.suspect.macs)


@dataclass(slots=True)
class WitnessBook:
    """When which node was last heard on which of our interfaces. Times are on one clock."""

    _heard: dict[tuple[str, str], float] = field(default_factory=dict)
    _watches: dict[tuple[str, str], _WatchedSubject] = field(default_factory=dict)

    def watch(self, suspects: Iterable[ProbeSubject], now: float) -> None:
        """Exactly these are to be watched; those that are new are asked at once."""
        wanted = {(s.node, s.interface): s for s in suspects if s.addresses}
        self._watches = {
            key: replace(known, suspect=suspect) if known else _WatchedSubject(suspect, now)
            for key, suspect in wanted.items()
            for known in (self._watches.get(key),)
        }
        self._heard = {key: at for key, at in self._heard.items() if now - at <= WITNESS_FOR}

    def due(self, now: float) -> list[tuple[ProbeSubject, ProbeSpec]]:
        """The subjects to probe now, and how; `note` takes the result."""
        probes: list[tuple[ProbeSubject, ProbeSpec]] = []
        for watch in self._watches.values():
            if watch.due <= now:
                probes.append((watch.suspect, watch.question()))
                watch.due, watch.turn = now + WATCH_EVERY, watch.turn + 1
        return probes

    def next_due(self) -> float | None:
        """When the next one is to be asked."""
        return min((watch.due for watch in self._watches.values()), default=None)

    def note(self, suspect: ProbeSubject, findings: ProbeResult, now: float) -> ProbeOutcome:
        """Note the result of a probe run; gives back its outcome."""
        key = suspect.node, suspect.interface
        verdict = reachability(suspect, findings)
        if verdict is Reachability.ANSWERING:
            self._heard[key] = now
        return ProbeOutcome(verdict, now - self._heard.get(key, float("-inf")))
