"""Who is there, told from beats alone. Times are arguments, in seconds of one steady clock.

UNHEARD  expected, never heard; LOST after `mature` + `lost_after`
YOUNG    heard, but not yet for `mature` without a gap of `suspect_after`
ALIVE    heard for `mature` without such a gap; an agent that is restarted in time keeps that
SILENT   not heard for `suspect_after`; ALIVE again as soon as it is heard, if it was
LOST     not heard for `lost_after`; YOUNG when it is heard again
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from duravip_api.beats import Beat
from duravip_operator.core.snapshot import Hearing

BOOTS_REMEMBERED: Final = 16
"""Of so many earlier starts of an agent a beat is known to be a replay."""


class Times(NamedTuple):
    """The settings that count here."""

    mature: float
    suspect_after: float
    lost_after: float

    @property
    def first_patience(self) -> float:
        """How long we listen before the silence of somebody whom we have never heard counts."""
        return self.mature + self.lost_after


@dataclass(slots=True)
class _Node:
    last: float
    """When it was last heard; before that, when we began to listen for it."""
    since: float
    """Since when it is heard without a gap."""
    patience: float
    """After so long a silence it is lost."""
    hearing: Hearing = Hearing.UNHEARD
    is_mature: bool = False
    beat: Beat | None = None
    boots: deque[str] = field(default_factory=lambda: deque(maxlen=BOOTS_REMEMBERED))


class Detector:
    """Keeps what is heard of every node that is expected, or was heard."""

    def __init__(self, times: Times) -> None:
        self._times = times
        self._nodes: dict[str, _Node] = {}
        self._expected: frozenset[str] = frozenset()

    def expect(self, names: frozenset[str], now: float) -> None:
        """The agents of these nodes have been told to beat here."""
        for name in names - self._nodes.keys():
            self._nodes[name] = _Node(now, now, self._times.first_patience)
        for name in self._expected - names:
            if self._nodes[name].hearing in {Hearing.UNHEARD, Hearing.LOST}:
                del self._nodes[name]
        self._expected = names & self._nodes.keys()

    def resume(self, known: Mapping[str, Hearing], now: float) -> None:
        """Go on from what an earlier process knew: nobody is young or lost because that died."""
        for name, hearing in known.items():
            mature = hearing is Hearing.ALIVE
            self._nodes[name] = _Node(now, now, self._times.first_patience, hearing, mature)

    def heard(self, beat: Beat, now: float) -> bool:
        """Take a beat; False when it is a replay, or another has overtaken it."""
        node = self._nodes.setdefault(beat.node, _Node(now, now, self._times.lost_after))
        if beat.boot in node.boots:
            return False
        if node.beat is not None:
            if beat.boot != node.beat.boot:
                node.boots.append(node.beat.boot)
            elif beat.seq <= node.beat.seq:
                return False
        self._judge(node, now)
        is_new = node.hearing in {Hearing.UNHEARD, Hearing.LOST}
        if is_new or (node.hearing is Hearing.SILENT and not node.is_mature):
            node.since = now
        node.hearing = Hearing.YOUNG
        node.last, node.beat, node.patience = now, beat, self._times.lost_after
        self._judge(node, now)
        return True

    def excuse(self, seconds: float, now: float) -> None:
        """We were deaf for so long: that does not count as anybody's silence."""
        for node in self._nodes.values():
            node.last = min(node.last + seconds, now)

    def judge(self, now: float) -> None:
        """Judge every silence as of now."""
        for node in self._nodes.values():
            self._judge(node, now)
        for name in self._nodes.keys() - self._expected:
            if self._nodes[name].hearing is Hearing.LOST:
                del self._nodes[name]

    def hearing(self) -> dict[str, Hearing]:
        """What was last judged of each node."""
        return {name: node.hearing for name, node in self._nodes.items()}

    def beats(self) -> Iterator[Beat]:
        """The last beat of each node that was heard."""
        return (node.beat for node in self._nodes.values() if node.beat)

    def _judge(self, node: _Node, now: float) -> None:
        silence = now - node.last
        if node.hearing is Hearing.LOST or silence >= node.patience:
            node.hearing, node.is_mature = Hearing.LOST, False
        elif node.hearing is Hearing.UNHEARD:
            pass
        elif silence >= self._times.suspect_after:
            node.hearing = Hearing.SILENT
        else:
            node.is_mature = node.is_mature or now - node.since >= self._times.mature
            node.hearing = Hearing.ALIVE if node.is_mature else Hearing.YOUNG
