"""What the operator counts.

Only `duravip_address_info`, which is off by default, names addresses: there may be thousands.
"""

from collections import Counter as Tally
from collections.abc import Iterable, Sequence

from duravip_api.reasons import State
from duravip_operator.address_info import AddressInfo
from duravip_operator.core import readiness
from duravip_operator.core.address_status import AddressStatus
from duravip_operator.core.decision import Decision
from duravip_operator.core.service_vips import ServicePlan
from duravip_operator.core.snapshot import Liveness, Snapshot
from duravip_runtime.program_metrics import ProgramMetrics

FLAGS = ("Broken", "Conflict", "Unsafe")
FAILOVER_PHASES = ("suspect", "scout", "decide", "write", "serve")
_HEARD = frozenset({Liveness.ALIVE, Liveness.WARMING_UP})


class Metrics(ProgramMetrics):
    """All of them; each can be set from any thread."""

    def __init__(self, version: str, address_info: int = 0) -> None:
        """With `address_info` of so many addresses; 0: there is none."""
        super().__init__("duravip_operator")
        self.addresses = AddressInfo(address_info)
        if address_info:
            self.registry.register(self.addresses)
        self.info = self._gauge("info", "Always 1; its label names the program.", "version")
        self.info.labels(version).set(1)
        self.leading = self._gauge("leading", "1 while this replica leads.")
        self.epoch = self._gauge("epoch", "The epoch of the last leadership of this replica.")
        self.nodes = self._gauge("nodes", "Nodes, by what is heard of their agents.", "hearing")
        self.node_heard = self._gauge(
            "node_heard", "1: the agent that runs on this node is heard; 0: it is not.", "node"
        )
        self.units = self._gauge("units", "Addresses, by the state that is said of them.", "state")
        self.contested = self._gauge(
            "contested_addresses", "Addresses granted so that their taker asks the wire first."
        )
        self.vips = self._gauge("entities", "DuraVIPs and Bindings, by state.", "state")
        self.flagged = self._gauge(
            "flagged_entities", "DuraVIPs and Bindings that have a flag.", "flag"
        )
        self.conditions = self._gauge(
            "entity_conditions",
            "DuraVIPs and Bindings with a warning among their conditions.",
            "condition",
            "reason",
        )
        self.unwitnessed = self._gauge(
            "topologies_without_witness", "Topologies on which nobody else hears some node."
        )
        self.given_up = self._gauge(
            "given_up_addresses", "Addresses that some node has failed to hold for too long."
        )
        self.distrusted = self._gauge(
            "distrusted_nodes", "Nodes whose beats contradict their status."
        )
        self.unfit_nodes = self._gauge(
            "unfit_nodes",
            "Nodes that are not fit for some address with a readiness, by why.",
            "reason",
        )
        self.services = self._gauge(
            "services", "Services of type LoadBalancer that are ours, by their condition.", "ready"
        )
        self.pool_addresses = self._gauge(
            "pool_addresses", "Addresses that an AddressPool can give out.", "pool", "family"
        )
        self.pool_addresses_used = self._gauge(
            "pool_addresses_used", "Those of them that some object names.", "pool", "family"
        )
        self.moves = self._counter(
            "moves", "Addresses that got another owner.", "reason", "from", "to"
        )
        self.failover_seconds = self._histogram(
            "failover_seconds",
            "From a lost node's last beat to the end of each phase of its fail-over.",
            (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.6, 1, 2, 5, 10),
            "phase",
        )
        for phase in FAILOVER_PHASES:  # `increase` does not see a series begin
            self.failover_seconds.labels(phase)
        self.suspicions = self._counter("suspicions", "How often a node fell silent.", "node")
        self.false_alarms = self._counter(
            "false_alarms", "How often it was heard again within a second.", "node"
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
        clustered = (self.nodes, self.node_heard, self.units, self.vips, self.flagged)
        for gauge in (*clustered, self.conditions, self.unfit_nodes):
            gauge.clear()  # what it last knew means nothing any more
        self.addresses.statuses = {}
        self.contested.set(0)
        self.unwitnessed.set(0)
        for gauge in (self.services, self.pool_addresses, self.pool_addresses_used):
            gauge.clear()

    def show(self, snapshot: Snapshot, decision: Decision, said: Iterable[AddressStatus]) -> None:
        """What the last pass has seen and decided, and what is said of each entity."""
        unheard = Liveness.UNKNOWN
        heard = Tally(snapshot.liveness.get(name, unheard) for name in snapshot.nodes)
        for hearing in Liveness:
            self.nodes.labels(hearing.value).set(heard[hearing])
        self.node_heard.clear()  # a node may be gone
        for name, plumbing in snapshot.plumbings.items():
            has_agent = plumbing.observed_generation is not None and not plumbing.stopped
            if has_agent and name in snapshot.nodes:
                is_heard = snapshot.liveness.get(name, unheard) in _HEARD
                self.node_heard.labels(name).set(is_heard)
        self.addresses.statuses = decision.address_statuses
        states = Tally(verdict.state for verdict in decision.address_statuses.values())
        for state in State:
            self.units.labels(state.value).set(states[state])
        self.contested.set(sum(len(p.contested) for p in snapshot.plumbings.values()))
        self._show_unfit(snapshot)
        self._show_entities(list(said))

    def show_services(self, plan: ServicePlan) -> None:
        """What the last plan has found of Services and pools."""
        conditions = [status.condition for status in plan.statuses.values()]
        ready = Tally(c.status if c else "False" for c in conditions)
        for value in ("True", "False"):
            self.services.labels(value).set(ready[value])
        for gauge in (self.pool_addresses, self.pool_addresses_used):
            gauge.clear()  # a pool may be gone
        for name, pool in plan.pools.items():
            families = {"4": (pool.total4, pool.used4), "6": (pool.total6, pool.used6)}
            for family, (total, used) in families.items():
                self.pool_addresses.labels(name, family).set(total)
                self.pool_addresses_used.labels(name, family).set(used)

    def _show_unfit(self, snapshot: Snapshot) -> None:
        unfit = readiness.unfit_nodes(snapshot)
        for reason in readiness.REASONS:
            self.unfit_nodes.labels(reason.value).set(len(unfit[reason]))

    def _show_entities(self, said: Sequence[AddressStatus]) -> None:
        states = Tally(verdict.state for verdict in said)
        for state in State:
            self.vips.labels(state.value).set(states[state])
        advised = (verdict.flags.split(",") for verdict in said if verdict.advisories)
        flags = Tally(flag for flags in advised for flag in flags)
        for flag in FLAGS:
            self.flagged.labels(flag).set(flags[flag])
        self.conditions.clear()
        advice = Tally(
            (kind, str(reason)) for verdict in said for kind, reason, _ in verdict.advisories
        )
        for labels, number in advice.items():
            self.conditions.labels(*labels).set(number)
