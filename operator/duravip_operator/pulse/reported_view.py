"""Reports the pulse's view: to the loop, where suspicions are debounced; in the log; in metrics.

A suspicion is withheld until the neighbours have been asked: what they report is shown, or, when
they report nothing, the suspicion itself 0.1 s later. So a late heartbeat changes nothing, and no
pass is under way when a crash has to be decided on.
"""

import logging
from collections import Counter
from typing import Final

from duravip_operator.core.snapshot import Liveness, Suspicion
from duravip_operator.metrics import Metrics
from duravip_operator.pulse.ipc import Message, PulseView

log = logging.getLogger(__name__)

PROBING_TAKES_S: Final = 0.1
"""So long the neighbours of a silent node are given, in seconds."""

FALSE_ALARM_WITHIN_S: Final = 1.0
"""A node that is heard again this soon, in seconds, was suspected for nothing."""


class ReportedView:
    """What is known, and what of it is shown. Times are arguments, of one steady clock."""

    def __init__(self) -> None:
        self.actual = PulseView()
        self._withheld: dict[str, tuple[Liveness, float]] = {}
        """What is still shown of those that have just fallen silent, and until when."""

    def update(self, after: PulseView, now: float) -> bool:
        """Take what is known now; whether something of it is kept back for a moment."""
        before, self.actual = self.actual, after
        fallen = after.silences.keys() - before.silences.keys()
        for name in fallen & before.hearing.keys():
            self._withheld[name] = before.hearing[name], now + PROBING_TAKES_S
        for name in [name for name in self._withheld if _is_settled(after.silences.get(name))]:
            del self._withheld[name]
        return not fallen.isdisjoint(self._withheld)

    def visible(self, now: float) -> PulseView:
        """What others are to see of it."""
        held = {name: was for name, (was, until) in self._withheld.items() if now < until}
        if not held:
            return self.actual
        silences = {n: how for n, how in self.actual.silences.items() if n not in held}
        return PulseView({**self.actual.hearing, **held}, silences, self.actual.witnessed)


def _is_settled(silence: Suspicion | None) -> bool:
    """Whether the silence is over, or something follows from it."""
    return silence is None or bool(silence.unreachable_on) or silence.is_self_fenced


def log_changes(before: PulseView, after: PulseView) -> None:
    """One line for each node of which something else is said."""
    for name, now in after.hearing.items():
        was = before.hearing.get(name, Liveness.UNKNOWN)
        if now is not was:
            level = logging.WARNING if now is Liveness.SUSPECT else logging.INFO
            log.log(level, "node %s is %s, was %s", name, now.value, was.value)
    for name, silence in after.silences.items():
        known = before.silences.get(name, Suspicion())
        if gone := silence.unreachable_on - known.unreachable_on:
            log.warning("node %s is gone from %s", name, ", ".join(sorted(gone)))
        if answering := silence.reachable_on - known.reachable_on:
            log.warning("node %s still answers on %s", name, ", ".join(sorted(answering)))
        if silence.is_self_fenced and not known.is_self_fenced:
            log.warning("node %s has muted by now what is strictly fenced", name)


class ProbeMetrics:
    """Keeps the metrics of the pulse."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._counts: dict[str, Counter[str]] = {}
        self._suspected: dict[str, float] = {}

    def count(self, message: Message) -> None:
        """Take how many probes and drops the process has counted since it was started."""
        for part, counter in (("sights", self._metrics.looks), ("drops", self._metrics.drops)):
            counts = Counter[str](message.get(part, {}))
            known = self._counts.get(part, Counter())
            if counts.total() < known.total():
                known = Counter()  # it was started anew
            for label, number in counts.items():
                counter.labels(label).inc(max(0, number - known[label]))
            self._counts[part] = counts

    def observe(self, before: PulseView, after: PulseView, now: float) -> None:
        """Take a change of what is known."""
        for name in after.hearing.keys() - before.hearing.keys():
            self._metrics.suspicions.labels(name)  # `increase` does not see a series begin
            self._metrics.false_alarms.labels(name)
        for name, silence in after.silences.items():
            known = before.silences.get(name)
            if known is None and before.hearing.get(name) is not None:
                self._suspected[name] = now
                self._metrics.suspicions.labels(name).inc()
                self._metrics.failover_seconds.labels("suspect").observe(now - silence.last_heard)
            if silence.unreachable_on and not (known and known.unreachable_on):
                self._metrics.failover_seconds.labels("scout").observe(now - silence.last_heard)
        for name in [name for name in self._suspected if name not in after.silences]:
            if now - self._suspected.pop(name) < FALSE_ALARM_WITHIN_S and name in after.hearing:
                self._metrics.false_alarms.labels(name).inc()
