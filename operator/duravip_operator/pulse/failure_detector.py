"""The failure detector: which nodes are alive, by their heartbeats alone, and since when not.

It is a timeout detector: a node is suspected when its last heartbeat is `suspect_after` old. A phi
accrual detector would derive that limit from the spacing of earlier heartbeats. We do without: a
suspicion moves nothing by itself, but has the node's neighbours probe it, so a false one is cheap
and a constant limit makes the time of a fail-over predictable. What would blame many nodes at once
is our own stall, and `compensate_stall` gives everybody the time that we did not run.

Times are arguments, in seconds of one monotonic clock.

UNKNOWN     expected, never heard; SUSPECT after `mature` + GRACE_S
WARMING_UP  heard, but not yet for `mature` without a gap of `suspect_after`
ALIVE       heard for `mature` without such a gap
SUSPECT     not heard for `suspect_after`. Only a heartbeat ends this: the node is what it was
            after less than GRACE_S, else it warms up. An agent restarted in time stays ALIVE

What time alone proves of a suspect, `suspicions` says beside what probes have shown: how long a
silence lasts, and that a strictly fenced node must have muted itself by now.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Final, NamedTuple

from duravip_api.heartbeat import Heartbeat
from duravip_api.timing import STRICT_HOLD, STRICT_MARGIN
from duravip_operator.core.snapshot import Liveness, Suspicion

MAX_BOOTS_REMEMBERED: Final = 16
"""Of so many starts of an agent it is known which of its beats came last: others are replays."""

GRACE_S: Final = 1.0
"""A node that returns after a shorter silence is as mature as before, in seconds."""


class Timeouts(NamedTuple):
    """The settings that count here."""

    mature: float
    suspect_after: float


class KnownLiveness(NamedTuple):
    """What an earlier process knew of a node."""

    hearing: Liveness
    since: float
    """If it is SILENT: when it was last heard."""


@dataclass(slots=True)
class _Node:
    last: float
    """When it was last heard; before that, when we began to listen for it."""
    since: float
    """Since when it is heard without a gap."""
    hearing: Liveness = Liveness.UNKNOWN
    is_mature: bool = False
    beat: Heartbeat | None = None
    newest: dict[str, int] = field(default_factory=dict)
    """By boot, the number of the last beat that was heard; the boot heard last comes last."""


class FailureDetector:
    """Keeps what is heard of every node that is expected, or was heard."""

    def __init__(self, times: Timeouts) -> None:
        self._timeouts = times
        self._nodes: dict[str, _Node] = {}
        self._expected: frozenset[str] = frozenset()

    def expect(self, names: frozenset[str], now: float) -> None:
        """The agents of these nodes have been told to beat here."""
        for name in names - self._nodes.keys():
            self._nodes[name] = _Node(now, now)
        self._expected = names
        self._forget(now)

    def resume(self, known: Mapping[str, KnownLiveness], now: float) -> None:
        """Go on from what an earlier process knew: nobody is young or silent because that died."""
        for name, (hearing, since) in known.items():
            last = since if hearing is Liveness.SUSPECT else now
            self._nodes[name] = _Node(last, now, hearing, hearing is Liveness.ALIVE)

    def is_new(self, beat: Heartbeat) -> bool:
        """Whether neither it nor a later one of the same boot was heard."""
        node = self._nodes.get(beat.node)
        return node is None or beat.seq > node.newest.get(beat.boot, 0)

    def record(self, beat: Heartbeat, now: float) -> bool:
        """Take a beat; False when it is a replay, or another has overtaken it."""
        if not self.is_new(beat):
            return False
        node = self._nodes.setdefault(beat.node, _Node(now, now))
        node.newest.pop(beat.boot, None)
        node.newest[beat.boot] = beat.seq
        while len(node.newest) > MAX_BOOTS_REMEMBERED:
            del node.newest[next(iter(node.newest))]
        self._suspect_if_silent(node, now)
        if now - node.last >= GRACE_S:
            node.is_mature = False
        is_new = node.hearing in {Liveness.UNKNOWN, Liveness.SUSPECT}
        if is_new and not node.is_mature:
            node.since = now
        node.last, node.beat = now, beat
        node.is_mature = node.is_mature or now - node.since >= self._timeouts.mature
        node.hearing = Liveness.ALIVE if node.is_mature else Liveness.WARMING_UP
        return True

    def compensate_stall(self, seconds: float, now: float) -> None:
        """We were deaf for so long: that does not count as anybody's silence."""
        for node in self._nodes.values():
            if node.hearing is not Liveness.SUSPECT:
                node.last = min(node.last + seconds, now)

    def evaluate(self, now: float) -> None:
        """Suspect every node whose heartbeat is overdue as of now."""
        for node in self._nodes.values():
            self._suspect_if_silent(node, now)
        self._forget(now)

    def next_due(self) -> float:
        """When the next silence is long enough to be judged, if nothing is heard before."""
        return min(
            (
                node.last + self._timeout(node)
                for node in self._nodes.values()
                if node.hearing is not Liveness.SUSPECT
            ),
            default=inf,
        )

    def liveness(self) -> dict[str, Liveness]:
        """What was last judged of each node."""
        return {name: node.hearing for name, node in self._nodes.items()}

    def suspects(self) -> dict[str, float]:
        """When each node that is SILENT was last heard, or first expected."""
        nodes = self._nodes.items()
        return {name: node.last for name, node in nodes if node.hearing is Liveness.SUSPECT}

    def heard_times(self) -> dict[str, float]:
        """When each node was last heard; one that never was is missing."""
        return {name: node.last for name, node in self._nodes.items() if node.beat}

    def beats(self) -> Iterator[Heartbeat]:
        """The last beat of each node that was heard."""
        return (node.beat for node in self._nodes.values() if node.beat)

    def last_beat(self, name: str) -> Heartbeat | None:
        """The last beat of a node that is heard; None when it is silent."""
        node = self._nodes.get(name)
        return node.beat if node and node.hearing is not Liveness.SUSPECT else None

    def _suspect_if_silent(self, node: _Node, now: float) -> None:
        if now - node.last >= self._timeout(node):
            node.hearing = Liveness.SUSPECT

    def _timeout(self, node: _Node) -> float:
        if node.hearing is Liveness.UNKNOWN:
            return self._timeouts.mature + GRACE_S
        return self._timeouts.suspect_after

    def _forget(self, now: float) -> None:
        """Nobody waits for a node that is not expected, once it has been silent for a while."""
        for name in self._nodes.keys() - self._expected:
            node = self._nodes[name]
            was_heard = node.hearing in {Liveness.WARMING_UP, Liveness.ALIVE}
            if not was_heard and (node.beat is None or now - node.last >= GRACE_S):
                del self._nodes[name]


LASTING_AFTER_S: Final = 1.0
"""From here on a silence is worth telling people about, in seconds."""

MASS_FAILURE_NODES: Final = 4
"""If of so many nodes or more the greater part falls silent …"""

MASS_FAILURE_WITHIN_S: Final = 2.0
"""… within so many seconds, it may be our own ears …"""

MASS_FAILURE_DOUBTED_FOR_S: Final = 10.0
"""… and we believe it only after so many, unless half of them are back before."""

Outcomes = Mapping[str, tuple[frozenset[str], frozenset[str]]]


def suspicions(
    silent: Mapping[str, float],
    outcomes: Outcomes,
    heard: int,
    led_since: float | None,
    now: float,
) -> dict[str, Suspicion]:
    """The Silence of every silent node.

    `silent` says when each was last heard, `heard` how many others are heard now. An agent may
    have been acknowledged by another leader until we led, and mutes itself only after that.
    """
    led = -inf if led_since is None else now - led_since
    distrusted = _doubted(silent, heard, now)
    nothing = frozenset[str](), frozenset[str]()
    found = {}
    for name, since in silent.items():
        gone, answering = outcomes.get(name, nothing)
        unheard = min(now - since, led)
        found[name] = Suspicion(
            unreachable_on=gone,
            reachable_on=answering,
            is_self_fenced=unheard >= STRICT_HOLD + STRICT_MARGIN and name not in distrusted,
            is_lasting=now - since >= LASTING_AFTER_S,
            last_heard=since,
        )
    return found


def _doubted(silent: Mapping[str, float], heard: int, now: float) -> frozenset[str]:
    """Those that fell silent together with too many others."""
    found: set[str] = set()
    for first in set(silent.values()):
        fallen = {
            name: at for name, at in silent.items() if first <= at <= first + MASS_FAILURE_WITHIN_S
        }
        is_mass = len(fallen) > heard and len(fallen) + heard >= MASS_FAILURE_NODES
        if is_mass and now - max(fallen.values()) < MASS_FAILURE_DOUBTED_FOR_S:
            found |= fallen.keys()
    return frozenset(found)
