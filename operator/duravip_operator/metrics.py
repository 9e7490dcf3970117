"""What the operator counts. No label names an address: there may be thousands."""

from collections import Counter as Tally
from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from duravip_api.reasons import State
from duravip_operator.core.address_status import AddressStatus
from duravip_operator.core.decision import Decision
from duravip_operator.core.snapshot import Liveness, Snapshot

PREFIX = "duravip_operator"
FLAGS = ("Broken", "Conflict", "Unsafe")


class Metrics:
    """All of them; each can be set from any thread."""

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry()
        self.info = self._gauge("info", "Always 1; its label names the program.", "version")
        self.info.labels(version).set(1)
        self.leading = self._gauge("leading", "1 while this replica leads.")
        self.epoch = self._gauge("epoch", "The epoch of the last leadership of this replica.")
        self.nodes = self._gauge("nodes", "Nodes, by what is heard of their agents.", "hearing")
        self.units = self._gauge("units", "Addresses, by the state that is said of them.", "state")
        self.contested = self._gauge(
            "contested_addresses", "Addresses granted so that their taker asks the wire first."
        )
        self.vips = self._gauge("entities", "DuraVIPs and Bindings, by state.", "state")
        self.flagged = self._gauge(
            "flagged_entities", "DuraVIPs and Bindings that have a flag.", "flag"
        )
        self.given_up = self._gauge(
            "given_up_addresses", "Addresses that some node has failed to hold for too long."
        )
        self.distrusted = self._gauge(
            "distrusted_nodes", "Nodes whose beats contradict their status."
        )
        self.moves = self._counter("moves", "Addresses that got another owner.", "reason")
        self.failover_seconds = self._histogram(
            "failover_seconds",
            "From a lost node's last beat to the end of each phase of its fail-over.",
            (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.6, 1, 2, 5, 10),
            "phase",
        )
        self.suspicions = self._counter("suspicions", "Nodes that fell silent.")
        self.false_alarms = self._counter(
            "false_alarms", "Silent nodes that were heard again within a second."
        )
        self.looks = self._counter("looks", "Looks at nodes, by what the scout saw.", "verdict")
        self.drops = self._counter(
            "datagrams_dropped", "Datagrams that were not believed, by the reason.", "reason"
        )
        self.pulse_restarts = self._counter("pulse_restarts", "Restarts of the pulse's process.")
        self.kopf_restarts = self._counter(
            "kopf_restarts", "Restarts of kopf, which watches what people write."
        )
        self.webhook_listening = self._gauge(
            "webhook_listening", "1 while the admission webhook's port is open."
        )
        self.missed_changes = self._counter(
            "missed_changes", "Sweeps that found what no watch had told.", "kind"
        )
        self.pass_seconds = self._histogram(
            "pass_seconds",
            "How long one pass took to decide.",
            (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3),
        )
        self.writes = self._counter(
            "writes", "Writes to the API server, by what they were of.", "kind", "result"
        )
        self.refusals = self._counter(
            "refusals", "Objects that were refused when somebody wrote them.", "reason"
        )
        self.pending = self._gauge("pending_statuses", "Statuses that are still to be written.")
        self.events = self._counter("events", "Kubernetes Events.", "result")

    def lead(self, epoch: int | None) -> None:
        """Leadership has changed."""
        self.leading.set(epoch is not None)
        if epoch is not None:
            self.epoch.set(epoch)
            return
        for gauge in (self.nodes, self.units, self.vips, self.flagged):
            gauge.clear()  # what it last knew means nothing any more
        self.contested.set(0)

    def show(self, snapshot: Snapshot, decision: Decision, said: Iterable[AddressStatus]) -> None:
        """What the last pass has seen and decided, and what is said of each entity."""
        unheard = Liveness.UNKNOWN
        heard = Tally(snapshot.liveness.get(name, unheard) for name in snapshot.nodes)
        for hearing in Liveness:
            self.nodes.labels(hearing.value).set(heard[hearing])
        states = Tally(verdict.state for verdict in decision.address_statuses.values())
        for state in State:
            self.units.labels(state.value).set(states[state])
        self.contested.set(sum(len(p.contested) for p in snapshot.plumbings.values()))
        self._show_entities(list(said))

    def _show_entities(self, said: Sequence[AddressStatus]) -> None:
        states = Tally(verdict.state for verdict in said)
        for state in State:
            self.vips.labels(state.value).set(states[state])
        advised = (verdict.flags.split(",") for verdict in said if verdict.advisories)
        flags = Tally(flag for flags in advised for flag in flags)
        for flag in FLAGS:
            self.flagged.labels(flag).set(flags[flag])

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"{PREFIX}_{name}", text, labels, registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}_{name}", text, labels, registry=self.registry)

    def _histogram(
        self, name: str, text: str, buckets: Sequence[float], *labels: str
    ) -> Histogram:
        full = f"{PREFIX}_{name}"
        return Histogram(full, text, labels, registry=self.registry, buckets=buckets)
