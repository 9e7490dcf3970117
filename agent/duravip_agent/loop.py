"""The agent's loop: waits for events and timers, and reconciles the node with its spec.

It is level-triggered: an event is only a reason to look at the world again. What an event says is
put where the next step finds it (spec, probe answers, claims), and the step decides from all of
that. Each turn of the loop

1.  checks the fence and repairs it;
2.  handles the events that have come;
3.  makes a step (`reconciler`), if anything has changed or is due;
4.  sends announcements that are due, and the status.

A part that fails does not keep the others from being done, and is tried again with a growing
pause; after `FAILING_AFTER_S` of failing turns the agent mutes everything and reports that.

The start is in a fixed order. First the status says that this boot has acted on nothing yet
(`observedGeneration: null`): the answer to that write is the object as it stood then, and only
that state or a later one is acted on. Whatever an operator concluded from the status of an
earlier boot, it wrote into the object before.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import Empty
from typing import assert_never

from duravip_agent import clock
from duravip_agent.clock import BootTime, Monotonic
from duravip_agent.control.duplicate_node_guard import DuplicateNodeError, DuplicateNodeGuard
from duravip_agent.core.node_health import NodeHealth
from duravip_agent.events import (
    AccessDenied,
    AddressesClaimed,
    ApiTrouble,
    ContactChanged,
    Event,
    Inbox,
    KernelChanged,
    ObjectAbsent,
    ObjectSeen,
    ReadinessChanged,
    SegmentProbed,
    StatusWritten,
    StopRequested,
)
from duravip_agent.facts import FactCollector
from duravip_agent.kernel.address_manager import AddressManager
from duravip_agent.kernel.fence_keeper import FenceKeeper
from duravip_agent.kernel.nftables import FenceError
from duravip_agent.kernel.watchdog import Watchdog
from duravip_agent.local_api import LocalApi
from duravip_agent.metrics import Metrics
from duravip_agent.reconciler import Reconciler, StepContext
from duravip_agent.segment.announcer import Announcer
from duravip_agent.segment.conflict_checks import ConflictChecker
from duravip_agent.shutdown import Shutdown
from duravip_agent.spec_intake import NOTHING_GRANTED, PermissionDeniedError, SpecIntake
from duravip_agent.status_publisher import StatusPublisher
from duravip_api.reasons import Reason
from duravip_api.timing import BEAT, SWEEP
from duravip_runtime.credentials import REFUSALS
from duravip_runtime.gc_tuning import IDLE_S, GcTuning

log = logging.getLogger(__name__)

STUCK_AFTER_S = 15.0
"""A turn that takes longer makes /healthz fail."""

MAX_BACKOFF_S = 5.0
"""The longest pause after turns that failed."""

FAILING_AFTER_S = 2.0
"""An agent whose turns have failed for this long mutes everything and reports that."""

SETTINGS_EVERY_S = 1.0
"""How often the settings of interfaces are read, for which there are no events."""


class Loop:
    """Runs until it is asked to stop."""

    def __init__(  # noqa: PLR0913 - it drives all parts of the agent
        self,
        *,
        inbox: Inbox,
        intake: SpecIntake,
        reconciler: Reconciler,
        fence_keeper: FenceKeeper,
        publisher: StatusPublisher,
        shutdown: Shutdown,
        duplicates: DuplicateNodeGuard,
        facts: FactCollector,
        addresses: AddressManager,
        announcer: Announcer,
        conflict_checks: ConflictChecker,
        watchdog: Watchdog,
        health: NodeHealth,
        metrics: Metrics,
        local_api: LocalApi,
    ) -> None:
        self._inbox, self._intake, self._reconciler = inbox, intake, reconciler
        self._fence_keeper, self._publisher, self._shutdown = fence_keeper, publisher, shutdown
        self._duplicates, self._facts, self._addresses = duplicates, facts, addresses
        self._announcer, self._conflict_checks = announcer, conflict_checks
        self._watchdog, self._health, self._metrics = watchdog, health, metrics
        self._local_api = local_api
        self._pending: list[Event] = []
        self._needs_plan = True
        """The kernel or the spec may have changed: compare them in the next step."""
        self._needs_resync = True
        """The kernel's addresses have to be read again before that."""
        self._needs_link_resync = True
        """The links as well."""
        self._needs_evaluation = False
        """The rules have to be asked again, even if nothing has changed in kernel and spec."""
        self._report_is_urgent = False
        self._failing_since: BootTime | None = None
        self._has_failed, self._failure = False, ""
        """Whether a part of this turn has failed; what went wrong last."""
        self._settings_read_at = self._links_read_at = self._retry_at = Monotonic(0.0)
        self._busy_since: Monotonic | None = None
        self._garbage = GcTuning()
        self._collect_garbage_at: Monotonic | None = None
        """When to do so, unless something happens before."""

    def run(self) -> None:
        """Work; returns when everything is removed.

        Raises PermissionDeniedError when the API server does not let the agent work, and
        DuplicateNodeError when another machine has this node's name.
        """
        self._try(lambda: self._resync(clock.monotonic()))
        self._needs_resync = self._needs_link_resync = True  # events come only from about now on
        self._publisher.start()
        failures = 0
        try:
            while not self._shutdown.is_ready():
                self._receive(self._next_due())
                self._busy_since = clock.monotonic()
                failures = self._turn(failures)
                self._collect_garbage_if_quiet(clock.monotonic())
                self._busy_since = None
        finally:
            self._shutdown.run()

    def healthz(self) -> str:
        """What is wrong with the loop; empty = nothing."""
        since = self._busy_since
        is_stuck = since is not None and clock.monotonic() - since > STUCK_AFTER_S
        return "the loop does not come to an end" if is_stuck else ""

    def readyz(self) -> str:
        """Why the agent does not serve what it is granted; empty = it does."""
        if denial := REFUSALS.lasting():
            return denial
        reason = self._publisher.reason
        return "" if reason is Reason.AGENT_READY else reason.sentence

    def _turn(self, failures: int) -> int:
        """Handle what happened; gives back how many turns in a row have failed.

        A part that fails does not keep the others from being done: what was revoked must be muted
        although an interface cannot be read, and what is served reported although nothing can be
        announced.
        """
        self._has_failed = False
        self._try(self._repair_fence)
        self._pending[:0] = self._duplicates.release()
        while self._pending:
            self._try(partial(self._handle, self._pending.pop(0)))
        self._try(lambda: self._step_if_due(clock.monotonic()))
        self._try(lambda: self._announcer.announce(clock.monotonic()))
        self._try(self._publisher.report_if_due)
        if self._has_failed or self._publisher.status_error:
            self._needs_plan = self._needs_resync = self._needs_link_resync = True
            self._try(self._contain)
            self._back_off(min(0.1 * 2.0**failures, MAX_BACKOFF_S))
            return min(failures + 1, 10)
        self._failing_since = None
        self._health.report_recovery(Reason.AGENT_FAILING, clock.now())
        self._watchdog.loop_alive()
        return 0

    def _try(self, part: Callable[[], None]) -> bool:
        """Do a part of a turn; False when it has failed. Without a fence it counts as done."""
        try:
            part()
        except (PermissionDeniedError, DuplicateNodeError):
            raise
        except FenceError as error:
            log.error("there is no fence: %s", error)  # noqa: TRY400 - it says what is wrong
            self._fence_keeper.fence_failed(error)
            self._needs_plan = self._needs_resync = self._report_is_urgent = True
        except Exception as error:
            log.exception("a part of this turn failed and is tried again")
            self._failure = f"{type(error).__name__}: {error}"
            self._has_failed = True
            return False
        return True

    def _repair_fence(self) -> None:
        before = self._health.problem
        if self._fence_keeper.check():
            self._needs_evaluation = True
        if before != self._health.problem:
            self._needs_plan = self._report_is_urgent = True
        is_unfenced = not self._reconciler.fence.is_fenced
        if self._health.problem and is_unfenced and self._addresses.present:
            self._needs_plan = self._needs_resync = True  # that can be heard, and must be deleted

    def _contain(self) -> None:
        """A turn has failed: mute what is not granted, and everything once that lasts."""
        now, fence = clock.now(), self._reconciler.fence
        wanted = self._intake.wanted or NOTHING_GRANTED
        self._failing_since = self._failing_since or now
        is_lasting = now - self._failing_since >= FAILING_AFTER_S
        if is_lasting:
            self._health.report_failure(Reason.AGENT_FAILING, self._failure, now)
        try:
            fence.deactivate(fence.active if is_lasting else fence.active - wanted.keys())
        except Exception:
            self._watchdog.mute()
            raise
        finally:
            self._publisher.publish(wanted, is_urgent=True)

    def _collect_garbage_if_quiet(self, now: Monotonic) -> None:
        if self._collect_garbage_at is not None and now >= self._collect_garbage_at:
            self._garbage.collect_when_idle()
            self._collect_garbage_at = None

    def _back_off(self, seconds: float) -> None:
        """Wait after a failure; the watchdog is fed meanwhile, so what is active stays so."""
        end = clock.monotonic() + seconds
        is_ready = self._shutdown.is_ready
        while not (self._pending or is_ready()) and (left := end - clock.monotonic()) > 0:
            if not (self._publisher.status_error and self._health.problem):
                self._watchdog.loop_alive()  # else others must find out by our silence
            self._receive(min(left, BEAT))

    def _handle(self, event: Event) -> None:
        match event:
            case ObjectSeen() | StatusWritten() if self._duplicates.holds_back(event):
                self._intake.held_back(event.body)
            case ObjectSeen(body, requested_at):
                self._needs_plan |= self._intake.on_object(body, requested_at)
            case StatusWritten(body, begun_at):
                self._needs_plan |= self._intake.on_status_written(body, begun_at)
            case ObjectAbsent():
                self._needs_plan |= self._intake.on_object_absent()
            case ApiTrouble(error):
                self._intake.on_api_error(error)
            case KernelChanged(with_links):
                self._needs_plan = self._needs_resync = True
                self._needs_link_resync |= with_links
            case SegmentProbed() | AddressesClaimed() | ReadinessChanged() | ContactChanged():
                self._needs_evaluation = True
                self._take_up(event)
                self._needs_plan |= self._intake.on_contact_changed()
            case AccessDenied(sentence):
                is_out_of_contact = self._reconciler.is_out_of_contact()
                self._intake.on_access_denied(sentence, is_out_of_contact=is_out_of_contact)
            case StopRequested():
                self._shutdown.request()
            case _:
                assert_never(event)

    def _take_up(
        self, event: SegmentProbed | AddressesClaimed | ReadinessChanged | ContactChanged
    ) -> None:
        if isinstance(event, ReadinessChanged):
            self._report_is_urgent |= event.moves_addresses
            self._publish()
        elif isinstance(event, SegmentProbed):
            if self._facts.add_probe_result(event.generation, event.result, event.at):
                self._publish()
        elif isinstance(event, AddressesClaimed):
            self._metrics.claims.inc(len(event.claims))
            self._facts.add_claims(event.claims, self._reconciler.active)
            self._publish()

    def _step_if_due(self, now: Monotonic) -> None:
        self._needs_plan |= self._intake.start_timed_out()
        if self._facts.conflicts.expire(now) or self._duplicates.has_changed():
            self._publish()
        self._conflict_checks.sample(now, self._facts.conflicts.open)
        reconciler = self._reconciler
        is_sweep = now - self._links_read_at >= SWEEP
        self._needs_link_resync |= is_sweep or self._settings_changed(now)
        is_time = now >= self._retry_at or clock.now() >= reconciler.deferred_due
        self._needs_resync |= self._needs_link_resync or is_time
        self._needs_plan |= self._needs_resync
        is_due = clock.now() >= reconciler.due or reconciler.is_out_of_contact()
        if self._needs_plan or self._needs_evaluation or is_due:
            with self._metrics.step.time():
                self._step(now)

    def _step(self, now: Monotonic) -> None:
        needs_plan, self._needs_plan, self._needs_evaluation = self._needs_plan, False, False
        self._collect_garbage_at = Monotonic(now + IDLE_S)
        addresses, wanted = self._addresses, self._intake.wanted or NOTHING_GRANTED
        is_unfenced = not self._reconciler.fence.is_fenced
        must_delete = is_unfenced and addresses.has_ungranted(wanted)
        may_delete = needs_plan and (self._needs_resync or must_delete)
        may_delete &= is_unfenced or not self._local_api.is_notifying_loss()
        if may_delete:
            may_delete = self._try(lambda: self._resync(now))
        if needs_plan:
            granted_on = frozenset(place.interface for place in wanted.values())
            self._try(lambda: self._fence_keeper.guard_interfaces(addresses.observed, granted_on))
        if self._intake.wanted is not None:
            context = StepContext(now, needs_plan, self._publish, self._must_yield, may_delete)
            self._needs_plan |= not self._reconciler.reconcile(context)
            self._needs_resync |= self._needs_plan and addresses.has_ungranted(wanted)
        if needs_plan:
            self._publisher.update_checks()
            self._retry_at = Monotonic(addresses.next_due(now))
            self._publish()

    def _settings_changed(self, now: Monotonic) -> bool:
        if now - self._settings_read_at < SETTINGS_EVERY_S:
            return False
        self._settings_read_at = now
        return self._addresses.settings_changed()

    def _resync(self, now: Monotonic) -> None:
        self._links_read_at = now if self._needs_link_resync else self._links_read_at
        self._addresses.read_kernel(with_links=self._needs_link_resync)
        self._announcer.links_changed(self._addresses.observed.links, now)
        self._needs_resync = self._needs_link_resync = False

    def _publish(self) -> None:
        is_urgent, self._report_is_urgent = self._report_is_urgent, False
        self._publisher.publish(self._intake.wanted or NOTHING_GRANTED, is_urgent=is_urgent)

    def _must_yield(self) -> bool:
        """Whether something came in that must not wait until thousands of addresses are added."""
        self._publisher.report_if_due()
        self._receive(0.0)
        return any(
            isinstance(event, StopRequested | SegmentProbed)
            or (isinstance(event, ObjectSeen) and self._intake.is_newer(event.body))
            for event in self._pending
        )

    def _next_due(self) -> float:
        """Seconds until there is something to do without any event; at most a heartbeat's."""
        now = clock.monotonic()
        times = [now + BEAT, self._links_read_at + SWEEP, self._retry_at]
        times += [self._announcer.next_due(now), self._publisher.due]
        if self._intake.wanted is not None:
            reconciler = self._reconciler
            times.append(now + min(reconciler.due, reconciler.deferred_due) - clock.now())
        return 0.0 if self._needs_plan or self._needs_evaluation else max(0.0, min(times) - now)

    def _receive(self, seconds: float) -> None:
        """Wait for an event, and take all that are there."""
        inbox = self._inbox
        with suppress(Empty):
            if seconds > 0 and not self._pending:
                self._pending.append(inbox.get(timeout=seconds))
            while True:
                self._pending.append(inbox.get_nowait())
