"""Counts probes, suspicions, how fast verdicts came, and false alarms."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from duravip_operator.metrics import Metrics
from duravip_operator.pulse.ipc import PulseView

FALSE_ALARM_WITHIN_S: Final = 1.0
"""A node that is heard again this soon, in seconds, was suspected for nothing."""


class ProbeMetrics:
    """Keeps the metrics of the pulse."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._looks = Counter[str]()
        self._drops = Counter[str]()
        self._suspected: dict[str, float] = {}

    def count_reports(self, looks: Mapping[str, int]) -> None:
        """Take how many looks of each verdict the process has made since it was started."""
        if sum(looks.values()) < self._looks.total():
            self._looks.clear()  # it was started anew
        for verdict, number in looks.items():
            self._metrics.looks.labels(verdict).inc(max(0, number - self._looks[verdict]))
        self._looks = Counter(looks)

    def count_drops(self, drops: Mapping[str, int]) -> None:
        """Take how many datagrams the process has dropped for each reason since it was started."""
        if sum(drops.values()) < self._drops.total():
            self._drops.clear()  # it was started anew
        for reason, number in drops.items():
            self._metrics.drops.labels(reason).inc(max(0, number - self._drops[reason]))
        self._drops = Counter(drops)

    def observe(self, before: PulseView, after: PulseView, now: float) -> None:
        """Take a change of what is known."""
        for name, silence in after.silences.items():
            known = before.silences.get(name)
            if known is None and before.hearing.get(name) is not None:
                self._suspected[name] = now
                self._metrics.suspicions.inc()
                self._metrics.failover_seconds.labels("suspect").observe(now - silence.last_heard)
            if silence.unreachable_on and not (known and known.unreachable_on):
                self._metrics.failover_seconds.labels("scout").observe(now - silence.last_heard)
        for name in [name for name in self._suspected if name not in after.silences]:
            if now - self._suspected.pop(name) < FALSE_ALARM_WITHIN_S and name in after.hearing:
                self._metrics.false_alarms.inc()
