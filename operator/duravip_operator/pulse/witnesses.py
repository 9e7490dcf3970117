"""Assigns witnesses to every node, and remembers which of them have heard it lately.

Every node has up to three witnesses on each of its segments, among the other nodes that are alive
and have an interface of that name, or an address in the same network: those with the smallest hash
of the three names, so that all replicas assign alike. Each probes once every 20 s; one that has
heard nothing yet, more often. An answer makes the witness reliable for a minute.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from heapq import nsmallest
from math import inf
from typing import Final, NamedTuple

from duravip_api.timing import WATCH_EVERY, WITNESS_FOR
from duravip_operator.pulse.probe_targets import ClusterTargets, ProbeTargets, Segment

MAX_WITNESSES: Final = 3
FIRST_WAIT_S: Final = 0.25
"""A look that was not answered is repeated after this long, then twice as long, and so on."""

UNKNOWN_WITNESS: Final = ""
"""In the book: whoever it was that an earlier process heard of."""


class WitnessAssignment(NamedTuple):
    """One node that is a witness of another one on a segment."""

    scout: str
    suspect: str
    segment: Segment


@dataclass(slots=True)
class _Schedule:
    due: float
    wait: float = FIRST_WAIT_S
    was_answered: bool = False


@dataclass(slots=True)
class Witnesses:
    """Times are arguments, of one steady clock."""

    _schedules: dict[WitnessAssignment, _Schedule] = field(default_factory=dict)
    _next: float = inf
    """No turn comes before."""
    _last_heard: dict[tuple[str, Segment], dict[str, float]] = field(
        default_factory=lambda: defaultdict(dict)
    )

    def assign(self, targets: ClusterTargets, heard: frozenset[str], now: float) -> None:
        """Choose the witnesses of everybody; those that are new look at once."""
        peers = _Peers(targets, heard)
        chosen = {
            WitnessAssignment(scout, suspect, segment)
            for suspect, entry in targets.items()
            for segment, presence in entry.items()
            for scout in _smallest(suspect, segment.interface, peers.of(segment, presence))
        }
        self._schedules = {
            watch: self._schedules.get(watch) or _Schedule(now) for watch in sorted(chosen)
        }
        self._next = now

    def due(self, now: float) -> list[WitnessAssignment]:
        """Who is to look for whom now."""
        if now < self._next:
            return []
        found = [watch for watch, turn in self._schedules.items() if turn.due <= now]
        for watch in found:
            turn = self._schedules[watch]
            turn.due = now + turn.wait
            turn.wait = min(2 * turn.wait, WATCH_EVERY)
        self._next = min((turn.due for turn in self._schedules.values()), default=inf)
        return found

    def next_due(self) -> float:
        """When somebody is to look next."""
        return self._next

    def record_answer(self, watch: WitnessAssignment, asked: float) -> None:
        """The suspect has answered the scout, which had asked at that time."""
        seen = self._last_heard[watch.suspect, watch.segment]
        seen[watch.scout] = max(asked, seen.get(watch.scout, asked))
        turn = self._schedules.get(watch)
        if turn:
            # At the same time for all is what a fresh cluster does; it must not stay so.
            turn.wait = FIRST_WAIT_S
            rank = _rank(watch.suspect, watch.segment.interface, watch.scout)
            turn.due = asked + WATCH_EVERY * (1.0 if turn.was_answered else (1 + rank[0]) / 256)
            turn.was_answered = True

    def record_remote(self, watch: WitnessAssignment, heard: float) -> None:
        """The scout remembers when it last heard the suspect: perhaps before we were there."""
        seen = self._last_heard[watch.suspect, watch.segment]
        seen[watch.scout] = max(heard, seen.get(watch.scout, heard))

    def resume(self, suspect: str, segment: Segment, now: float) -> None:
        """An earlier process knew of a witness; who it was must be learnt anew."""
        self._last_heard[suspect, segment][UNKNOWN_WITNESS] = now

    def is_reliable(self, watch: WitnessAssignment, now: float) -> bool:
        """Whether this scout's silence about this suspect means anything."""
        seen = self._last_heard.get((watch.suspect, watch.segment), {})
        return now - seen.get(watch.scout, -inf) <= WITNESS_FOR

    def witnesses_of(self, suspect: str, segment: Segment, now: float) -> list[str]:
        """Whom to ask: those who have heard the suspect first, then others that watch it."""
        seen = self._last_heard.get((suspect, segment), {})
        true = [scout for scout, at in seen.items() if scout and now - at <= WITNESS_FOR]
        true.sort(key=lambda scout: _rank(suspect, segment.interface, scout))
        others = sorted(
            watch.scout
            for watch in self._schedules
            if watch.suspect == suspect and watch.segment == segment and watch.scout not in true
        )
        return true + others

    def has_witness(self, suspect: str, segment: Segment, now: float) -> bool:
        """Whether anybody has lately heard the suspect there."""
        seen = self._last_heard.get((suspect, segment), {})
        return any(now - at <= WITNESS_FOR for at in seen.values())

    def lately_heard(self, now: float) -> Iterator[tuple[str, Segment]]:
        """Every node with each segment on which somebody has lately heard it."""
        for key, seen in list(self._last_heard.items()):
            for scout in [scout for scout, at in seen.items() if now - at > WITNESS_FOR]:
                del seen[scout]
            if seen:
                yield key
            else:
                del self._last_heard[key]


class _Peers:
    """Which nodes that are heard have a part in a segment, whatever they call their interface."""

    def __init__(self, targets: ClusterTargets, heard: frozenset[str]) -> None:
        self._by_name: dict[Segment, set[str]] = defaultdict(set)
        self._by_network: dict[tuple[str, int], set[str]] = defaultdict(set)
        self._joined: dict[tuple[Segment, tuple[str, ...]], list[str]] = {}
        """Worked out once for all nodes that have the same."""
        for name in targets.keys() & heard:
            for segment, presence in targets[name].items():
                self._by_name[segment].add(name)
                for network in presence.networks:
                    self._by_network[network, segment.family].add(name)

    def of(self, segment: Segment, presence: ProbeTargets) -> list[str]:
        """Those of a node's segment."""
        key = (segment, presence.networks)
        if key not in self._joined:
            networks = (self._by_network[each, segment.family] for each in presence.networks)
            self._joined[key] = sorted(self._by_name[segment].union(*networks))
        return self._joined[key]


def _smallest(suspect: str, interface: str, scouts: list[str]) -> list[str]:
    others = (scout for scout in scouts if scout != suspect)
    return nsmallest(MAX_WITNESSES, others, key=lambda s: _rank(suspect, interface, s))


@cache
def _rank(suspect: str, interface: str, scout: str) -> bytes:
    return blake2b(f"{scout} {suspect} {interface}".encode(), digest_size=8).digest()
