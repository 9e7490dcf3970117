"""What the operator counts. No label names an address: there may be thousands."""

from collections import Counter as Tally

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from duravip_api.reasons import State
from duravip_operator.core.decision import Decision
from duravip_operator.core.snapshot import Hearing, Snapshot

PREFIX = "duravip_operator"


class Metrics:
    """All of them; each can be set from any thread."""

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry()
        self.leading = self._gauge("leading", "1 while this replica leads.")
        self.epoch = self._gauge("epoch", "The epoch of the last leadership of this replica.")
        self.nodes = self._gauge("nodes", "Nodes, by what is heard of their agents.", "hearing")
        self.units = self._gauge("units", "Addresses, by the state that is said of them.", "state")
        self.pending = self._gauge("pending_statuses", "Statuses that are still to be written.")
        self.writes = self._counter("writes", "Writes to the API server.", "kind", "result")
        self.events = self._counter("events", "Kubernetes events.", "result")
        self.pulse_restarts = self._counter("pulse_restarts", "Restarts of the pulse's process.")
        self.looks = self._counter("looks", "Looks at nodes, by what the scout saw.", "verdict")
        self.suspicions = self._counter("suspicions", "Nodes that fell silent.")
        self.false_alarms = self._counter(
            "false_alarms", "Silent nodes that were heard again within a second."
        )
        self.detection_seconds = Histogram(
            f"{PREFIX}_detection_seconds",
            "From a node's last beat to the suspicion, and to the verdict that it is gone.",
            ["what"],
            registry=self.registry,
            buckets=(0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.6, 1, 2, 5),
        )
        self.pass_seconds = Histogram(
            f"{PREFIX}_pass_seconds",
            "How long one pass took to decide.",
            registry=self.registry,
            buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3),
        )
        self.info = self._gauge("info", "Always 1; its label names the program.", "version")
        self.info.labels(version).set(1)

    def lead(self, epoch: int | None) -> None:
        """Leadership has changed."""
        self.leading.set(epoch is not None)
        if epoch is not None:
            self.epoch.set(epoch)

    def show(self, snapshot: Snapshot, decision: Decision) -> None:
        """What the last pass has seen and decided."""
        unheard = Hearing.UNHEARD
        heard = Tally(snapshot.hearing.get(name, unheard) for name in snapshot.nodes)
        for hearing in Hearing:
            self.nodes.labels(hearing.value).set(heard[hearing])
        states = Tally(verdict.state for verdict in decision.verdicts.values())
        for state in State:
            self.units.labels(state.value).set(states[state])

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"{PREFIX}_{name}", text, labels, registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}_{name}", text, labels, registry=self.registry)
