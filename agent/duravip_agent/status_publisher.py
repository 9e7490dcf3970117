"""Publishes what the agent serves: in its status, in its heartbeats and as metrics."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from duravip_agent import clock
from duravip_agent.checks.client import Checks
from duravip_agent.clock import Monotonic
from duravip_agent.control.heartbeat import HeartbeatContent, HeartbeatSender
from duravip_agent.control.status_writer import StatusWriter
from duravip_agent.core.check_targets import probes
from duravip_agent.core.node_commands import NodeCommands
from duravip_agent.core.node_health import NodeHealth
from duravip_agent.core.node_spec import Placement
from duravip_agent.core.node_status import (
    ConditionState,
    StatusReport,
    build_status,
    conflict_message,
    unreadable_message,
)
from duravip_agent.core.spec_tracker import SpecTracker
from duravip_agent.facts import FactCollector
from duravip_agent.kernel.address_manager import AddressManager
from duravip_agent.kernel.listening_ports import ListeningPorts
from duravip_agent.kernel.netlink import NextHops
from duravip_agent.local_api import LocalApi
from duravip_agent.metrics import Metrics
from duravip_agent.reconciler import Reconciler
from duravip_api.annotations import format_clock_time
from duravip_api.heartbeat import address_digest, new_boot
from duravip_api.reasons import Reason
from duravip_api.timing import CONTACT

log = logging.getLogger(__name__)

BATCH_FOR_S = 0.15
"""How long changes that heartbeats have told the leader already are gathered before the status is
written."""

EXPECT_MORE_FOR_S = 0.3
"""The same while something granted is about to be served, which the status will name as well."""


@dataclass
class AgentIdentity:
    """By what the operator knows this agent."""

    version: str
    public_key: str
    """A new one each time that the agent starts: by it the operator knows its datagrams."""
    boot: str = ""
    """A new value each time that the agent starts, or begins anew."""

    def __post_init__(self) -> None:
        """Start."""
        self.change_boot()

    def change_boot(self) -> None:
        """Report under another boot, with the same key."""
        self.boot = new_boot(self.public_key)


class StatusPublisher:
    """For the loop's thread. Nothing here ever waits."""

    def __init__(  # noqa: PLR0913 - it reports on all parts of the agent
        self,
        identity: AgentIdentity,
        *,
        writer: StatusWriter,
        heartbeat: HeartbeatSender,
        metrics: Metrics,
        reconciler: Reconciler,
        specs: SpecTracker,
        facts: FactCollector,
        addresses: AddressManager,
        health: NodeHealth,
        commands: NodeCommands,
        listening_ports: ListeningPorts,
        checks: Checks,
        local_api: LocalApi,
        duplicate_message: Callable[[], str] = str,
    ) -> None:
        """`duplicate_message` gives what to report about other machines under this node's name."""
        self._identity, self._writer, self._heartbeat = identity, writer, heartbeat
        self._metrics, self._reconciler, self._specs = metrics, reconciler, specs
        self._facts, self._addresses, self._health = facts, addresses, health
        self._commands, self._listening_ports = commands, listening_ports
        self._checks, self._local_api = checks, local_api
        self._duplicate_message = duplicate_message
        self._next_hops = NextHops()
        self._failing_since: dict[str, str] = {}
        self._ready = ConditionState(Reason.AGENT_STARTING, format_clock_time(time.time()))
        self._conditions: dict[str, ConditionState] = {}
        """By type, those beside Ready that were reported last."""
        self._starts_unfenced = not reconciler.fence.is_fenced
        self._granted_on: frozenset[str] = frozenset()
        self.status_error = ""
        """Why the status does not tell all; empty: it does."""
        self._acted_on: int | None = None
        """The generation that was acted on."""
        self._strict: tuple[str, ...] = ()
        """The interfaces that it fences strictly."""
        self._served: frozenset[str] = frozenset()
        self._digest = address_digest(self._served)
        self._wanted: Mapping[str, Placement] = {}
        self._stopping: Reason | None = None
        """Why it is not ready for much longer."""
        self.due = Monotonic(float("inf"))
        """When the status is to be written."""

    @property
    def reason(self) -> Reason:
        """The reason of the condition Ready, as it was last reported."""
        return self._ready.reason

    @property
    def boot(self) -> str:
        """The boot that it reports under."""
        return self._identity.boot

    def start(self) -> None:
        """Report that nothing was acted on yet, and begin to write the status."""
        self.publish({})
        self._writer.start()

    def change_boot(self, wanted: Mapping[str, Placement]) -> None:
        """Report under another boot: nothing that was reported before counts any more."""
        self._identity.change_boot()
        log.info("goes on as %s", self.boot)
        self.publish(wanted, is_urgent=True)

    def first_report_stored(self) -> None:
        """The status names this boot: heartbeats may name it as well."""
        self._heartbeat.change_boot(self.boot)

    def is_stale(self) -> bool:
        """Whether the spec that was read is not the one that leaders go by."""
        return self._heartbeat.is_stale or self._specs.is_rolled_back

    def publish_if_staleness_changed(self) -> None:
        """Let the status tell whether the spec is stale, if that has changed."""
        if self.is_stale() != ("SpecStale" in self._conditions):
            self.publish(self._wanted)

    def announce_stop(self, reason: Reason, wanted: Mapping[str, Placement]) -> None:
        """Report from now on that the agent is about to end, or has ended."""
        self._stopping = reason
        self.publish(wanted, is_urgent=True)
        self._heartbeat.send_now()

    def publish(self, wanted: Mapping[str, Placement], *, is_urgent: bool = False) -> None:
        """Report what is served, of what is wanted: in a heartbeat at once, in the status later.

        A write of the status costs the API server as much as what others wait for. So changes are
        gathered for a moment, as long as a leader acknowledges heartbeats, and does not need the
        status to know why an address was lost.
        """
        specs, served = self._specs, self._reconciler.served
        if not specs.is_current:
            self._acted_on = None
        elif served <= wanted.keys():
            self._acted_on, self._strict = specs.in_force.generation, specs.in_force.strict
        self._local_api.update(self._reconciler.announced, wanted)
        lost, is_more = self._served - served, not served <= self._served
        self._update_digest(served)
        self.update_heartbeat()
        if lost:  # another node may wait for it
            self._heartbeat.send_now()
        self._wanted = wanted
        is_more_to_come = not wanted.keys() <= served | self._failures().keys()
        is_urgent |= (is_more and not is_more_to_come) or not lost.isdisjoint(wanted)
        may_wait = self._acted_on is not None and self.is_acknowledged() and not is_urgent
        pause = EXPECT_MORE_FOR_S if is_more_to_come else BATCH_FOR_S
        due = clock.monotonic() + (pause if may_wait else 0.0)
        self.due = Monotonic(min(self.due, due))
        self.report_if_due()

    def withdraw_locally(self) -> None:
        """Tell programs of this node that it serves nothing any more, and wait a moment for it."""
        self._local_api.update(frozenset(), {})
        self._local_api.wait_until_notified()

    def update_checks(self) -> None:
        """Make the checks that the spec names, of the addresses that the node has now."""
        self._checks.replace(probes(self._specs.in_force.checks, self._addresses.observed))

    def report_if_due(self) -> None:
        """Write the status, if changes were gathered for long enough."""
        if clock.monotonic() < self.due:
            return
        self.due = Monotonic(float("inf"))
        wanted, served = self._wanted, self._reconciler.served
        now, (reason, message) = format_clock_time(time.time()), self._ready_reason()
        self._ready = self._ready.changed_to(reason, now, message)
        failures = {**self._specs.in_force.failures, **self._failures()}
        self._failing_since = {a: self._failing_since.get(a) or now for a in failures}
        try:
            status, self.status_error = build_status(self._report(served, failures)), ""
        except Exception as error:
            if not self.status_error:
                log.exception("cannot say what is there, but for what is served")
            self.status_error = f"{type(error).__name__}: {error}"
            status = build_status(self._least_report(served))
        self._writer.submit(status)
        metrics = self._metrics
        metrics.well.set(self._health.problem is None)
        metrics.granted.set(len(wanted))
        metrics.served.set(len(served))
        metrics.held.set(len(self._reconciler.fence.active))
        metrics.contested.set(len(self._facts.contested))
        metrics.failing.set(len(failures))

    def is_acknowledged(self, within: float = CONTACT) -> bool:
        """Whether a leader has acknowledged a heartbeat of the last `within` seconds."""
        contact = self._facts.contact()
        return contact is not None and clock.now() - contact.sent < within

    def update_heartbeat(self) -> None:
        """Let heartbeats name the spec that is in force now."""
        specs = self._specs
        self._heartbeat.content = HeartbeatContent(
            targets=specs.pulse,
            public_keys=specs.pulse_keys,
            epoch=specs.epoch or 0,
            generation=0 if specs.is_rolled_back else specs.in_force.generation,
            newest_read=specs.newest_read,
            newest_epoch=specs.newest_epoch,
            digest=self._digest,
            stopped=self._stopping is Reason.AGENT_STOPPED,
        )

    def heartbeat_now(self) -> None:
        """Let the operator know at once that there is a new spec in force."""
        self._update_digest(self._reconciler.served)  # of what is active and not yet reported, too
        self.update_heartbeat()
        self._heartbeat.send_now()

    def _report(self, served: frozenset[str], failures: Mapping[str, str]) -> StatusReport:
        spec = self._specs.in_force
        return replace(
            self._least_report(served),
            observed=self._addresses.observed,
            failures=failures,
            failing_since=self._failing_since,
            next_hops=self._next_hops.current(clock.monotonic()),
            listening=self._listening_ports.on(spec.ports, is_urgent=spec.ports_decide),
            passing=self._passing(),
            granted_on=self._interfaces(),
            contested=self._facts.contested,
            unguarded=self._health.unguarded,
            claimed={a: conflict.mac for a, conflict in self._facts.conflicts.open.items()},
            notes=tuple(self._other_conditions()),
            done=self._commands.done,
            neighbours=self._commands.neighbours(clock.monotonic()),
        )

    def _passing(self) -> list[str]:
        passing = self._checks.passing
        return [line for line in self._specs.in_force.checks if line in passing]

    def _failures(self) -> dict[str, str]:
        """The addresses that cannot be added, deleted or guarded, each with the reason."""
        why = f"cannot keep all but the declared ports closed: {self._health.guard_problem}"
        return {**dict.fromkeys(self._facts.unguardable, why), **self._addresses.failures}

    def _least_report(self, served: frozenset[str]) -> StatusReport:
        """What others wait for, where anything else cannot be written down."""
        return StatusReport(
            version=self._identity.version,
            boot=self._identity.boot,
            public_key=self._identity.public_key,
            readiness=self._ready,
            generation=self._acted_on,
            epoch=self._specs.epoch,
            passing=self._passing(),
            served=served,
            strict=self._strict,
        )

    def _interfaces(self) -> frozenset[str]:
        """Those that something is, or was, granted on: people ask what became of them."""
        self._granted_on |= {place.interface for place in self._wanted.values()}
        return self._granted_on

    def _update_digest(self, served: frozenset[str]) -> None:
        if served != self._served:
            self._served, self._digest = served, address_digest(served)

    def _ready_reason(self) -> tuple[Reason, str]:
        """Of the condition Ready, with its message; empty: the reason's own sentence."""
        if self._stopping:
            return self._stopping, ""
        if problem := self._health.problem:
            return problem
        if self._specs.refusal:
            return Reason.SPEC_REFUSED, self._specs.refusal
        return Reason.AGENT_STARTING if self._acted_on is None else Reason.AGENT_READY, ""

    def _other_conditions(self) -> Iterator[ConditionState]:
        in_use = conflict_message(self._facts.conflicts.open)
        no_priority = self._heartbeat.refused_priority
        late = f"{Reason.NO_REALTIME.sentence} ({no_priority})" if no_priority else ""
        unreadable, shared = self._unreadable(), self._duplicate_message()
        conditions = (
            ("Fenced", Reason.UNFENCED, "", self._starts_unfenced),
            ("AddressInUse", Reason.ADDRESS_IN_USE, in_use, in_use),
            ("SpecStale", Reason.SPEC_STALE, "", self.is_stale()),
            ("InterfacesRead", Reason.INTERFACE_UNREADABLE, unreadable, unreadable),
            ("Realtime", Reason.NO_REALTIME, late, late),
            ("NameShared", Reason.NAME_SHARED, shared, shared),
        )
        for kind, reason, message, applies in conditions:
            if not applies:
                self._conditions.pop(kind, None)
                continue
            condition = self._conditions.get(kind) or ConditionState(
                reason, format_clock_time(time.time()), kind=kind
            )
            self._conditions[kind] = condition.changed_to(reason, condition.since, message)
            yield self._conditions[kind]

    def _unreadable(self) -> str:
        """Which interfaces are not reported, or not used, and why; empty: none."""
        unguarded = [
            f"the fence cannot guard the interface {name!a}, so nothing is held there: {why}"
            for name, why in self._health.unguarded.items()
        ]
        strange = unreadable_message(self._addresses.observed, self._interfaces())
        return "; ".join([strange, *unguarded]).strip("; ")
