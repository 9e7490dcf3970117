"""The agent's loop: something happened, so look at the world, make it right, say what is there.

The start is in a fixed order. First the status says that this boot has acted on nothing yet
(`observedGeneration: null`): the answer to that write is the object as it stood then, and only
that state or a later one is acted on. Whatever an operator concluded from the status of an
earlier boot, it wrote into the object before.
"""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from queue import Empty
from typing import assert_never

from duravip_agent import clock
from duravip_agent.control.duplicate_node_guard import NamesakeError, Namesakes
from duravip_agent.control.status_writer import Reporter
from duravip_agent.events import (
    Absent,
    Answered,
    Claimed,
    ContactChanged,
    Denied,
    Event,
    Inbox,
    KernelChanged,
    Seen,
    Stop,
    Troubled,
    Written,
)
from duravip_agent.kernel.fence import FenceError
from duravip_agent.kernel.fence_keeper import Upkeep
from duravip_agent.reconciler import Handover
from duravip_agent.shutdown import Farewell
from duravip_agent.spec_intake import NOTHING, DeniedError, Intake
from duravip_agent.status_publisher import Voice
from duravip_agent.tools import Occasion, Tools
from duravip_api.reasons import Reason
from duravip_api.timing import BEAT, SWEEP
from duravip_runtime.credentials import REFUSALS
from duravip_runtime.gc_tuning import QUIET, GcTuning

log = logging.getLogger(__name__)

STUCK_AFTER = 15.0
"""A turn that takes longer makes /healthz fail."""

WORST_PAUSE = 5.0
"""The longest pause after turns that failed."""

FAILING_AFTER = 2.0
"""An agent whose turns have failed for so long, in seconds, lets go of everything and says so."""

SETTINGS_EVERY = 1.0
"""So often, in seconds, the settings of cards are looked at, of which no event tells."""


@dataclass(frozen=True)
class Parts:
    """What the loop works through."""

    inbox: Inbox
    tools: Tools
    intake: Intake
    handover: Handover
    upkeep: Upkeep
    reporter: Reporter
    voice: Voice
    farewell: Farewell
    namesakes: Namesakes


class Loop:
    """Runs until it is asked to stop."""

    def __init__(self, parts: Parts) -> None:
        self._parts, self._tools, self._specs = parts, parts.tools, parts.tools.specs
        self._pending: list[Event] = []
        self._is_dirty = self._must_look = self._with_links = True
        self._must_judge = self._must_say = False
        self._failing_since: float | None = None
        self._has_failed, self._failure = False, ""
        """What went wrong last."""
        self._settings_at = 0.0
        """When the cards' settings were looked at last."""
        self._swept = self._retry_at = 0.0
        self._busy_since: float | None = None
        self._garbage = GcTuning()
        self._tidy_at: float | None = None
        """When to tidy up, unless something happens before."""

    def run(self) -> None:
        """Work; returns when everything is withdrawn, raises DeniedError when it cannot start.

        Raises NamesakeError when another machine has this node's name.
        """
        self._does(lambda: self._look(time.monotonic()))
        self._must_look = self._with_links = True  # events come only from about now on
        self._parts.voice.speak(NOTHING)
        self._parts.reporter.start()
        failures = 0
        try:
            while not self._parts.farewell.is_due():
                self._collect(self._next_due())
                self._busy_since = time.monotonic()
                failures = self._turn(failures)
                self._tidy_if_quiet(time.monotonic())
                self._busy_since = None
        finally:
            self._parts.farewell.say()

    def healthz(self) -> str:
        """What is wrong with the loop; empty = nothing."""
        since = self._busy_since
        is_stuck = since is not None and time.monotonic() - since > STUCK_AFTER
        return "the loop does not come to an end" if is_stuck else ""

    def readyz(self) -> str:
        """Why the agent does not serve what it is granted; empty = it does."""
        if denial := REFUSALS.lasting():
            return denial
        reason = self._parts.voice.reason
        return "" if reason is Reason.AGENT_READY else reason.sentence

    def _turn(self, failures: int) -> int:
        """Handle what happened; gives back how many turns in a row have failed.

        Whatever fails costs the rest of the turn nothing: what was revoked must be muted although
        a card cannot be read, and what is served said although nothing can be announced.
        """
        parts = self._parts
        self._has_failed = False
        self._does(self._tend)
        self._pending[:0] = parts.namesakes.released()
        while self._pending:
            self._does(partial(self._handle, self._pending.pop(0)))
        self._does(lambda: self._step_if_due(time.monotonic()))
        self._does(lambda: self._tools.announcer.announce(time.monotonic()))
        self._does(parts.voice.report_if_due)
        if self._has_failed or parts.voice.trouble:
            self._is_dirty = self._must_look = self._with_links = True
            self._does(self._contain)
            self._rest(min(0.1 * 2.0**failures, WORST_PAUSE))
            return min(failures + 1, 10)
        self._failing_since = None
        self._tools.health.is_well(Reason.AGENT_FAILING, clock.now())
        self._tools.lifeline.come_round()
        return 0

    def _does(self, part: Callable[[], None]) -> bool:
        """Do a part of a turn; False when it has failed, but for the want of a fence."""
        try:
            part()
        except (DeniedError, NamesakeError):
            raise
        except FenceError as error:
            log.error("there is no fence: %s", error)  # noqa: TRY400 - it says what is wrong
            self._parts.upkeep.has_failed(error)
            self._is_dirty = self._must_look = self._must_say = True
        except Exception as error:
            log.exception("a part of this turn failed and is tried again")
            self._failure = f"{type(error).__name__}: {error}"
            self._has_failed = True
            return False
        return True

    def _tend(self) -> None:
        tools, before = self._tools, self._tools.health.problem
        if self._parts.upkeep.tend():
            self._must_judge = True
        if before != tools.health.problem:
            self._is_dirty = self._must_say = True
        if tools.health.problem and not tools.fence.is_fenced and tools.plumber.present:
            self._is_dirty = self._must_look = True  # that can be heard, and must be deleted

    def _contain(self) -> None:
        """A turn has failed: mute what is not granted, and everything once that lasts."""
        tools, now = self._tools, clock.now()
        wanted = self._parts.intake.wanted or NOTHING
        self._failing_since = self._failing_since or now
        is_lasting = now - self._failing_since >= FAILING_AFTER
        if is_lasting:
            tools.health.failed(Reason.AGENT_FAILING, self._failure, now)
        try:
            tools.fence.release(
                tools.fence.held if is_lasting else tools.fence.held - wanted.keys()
            )
        except Exception:
            tools.lifeline.mute()
            raise
        finally:
            self._parts.voice.speak(wanted, is_urgent=True)

    def _tidy_if_quiet(self, now: float) -> None:
        if self._tidy_at is not None and now >= self._tidy_at:
            self._garbage.collect_when_idle()
            self._tidy_at = None

    def _rest(self, seconds: float) -> None:
        """Wait after a failure, without being taken for dead: what is held stays."""
        end = time.monotonic() + seconds
        is_due = self._parts.farewell.is_due
        while not (self._pending or is_due()) and (left := end - time.monotonic()) > 0:
            if not (self._parts.voice.trouble and self._tools.health.problem):
                self._tools.lifeline.come_round()  # else others shall find out by our silence
            self._collect(min(left, BEAT))

    def _handle(self, event: Event) -> None:
        match event:
            case Seen() | Written() if self._parts.namesakes.holds(event):
                self._parts.reporter.notice(event.body)  # which waits for an object to be there
            case Seen(body, asked):
                self._is_dirty |= self._parts.intake.seen(body, asked)
            case Written(body, asked):
                self._is_dirty |= self._parts.intake.written(body, asked)
            case Absent():
                self._is_dirty |= self._parts.intake.absent()
            case Troubled(error):
                self._parts.intake.troubled(error)
            case KernelChanged(with_links):
                self._is_dirty = self._must_look = True
                self._with_links |= with_links
            case Answered() | Claimed() | ContactChanged():
                self._must_judge = True
                self._note(event)
                self._is_dirty |= self._parts.intake.contact_changed()
            case Denied(sentence):
                self._parts.intake.denied(sentence, is_alone=self._parts.handover.is_alone())
            case Stop():
                self._parts.farewell.ask()
            case _:
                assert_never(event)

    def _note(self, event: Answered | Claimed | ContactChanged) -> None:
        judge = self._tools.judge
        if isinstance(event, Answered):
            if judge.answered(event.generation, event.findings, event.at):
                self._speak()
        elif isinstance(event, Claimed):
            self._tools.metrics.claims.inc(len(event.claims))
            judge.claimed(event.claims, self._parts.handover.armed)
            self._speak()

    def _step_if_due(self, now: float) -> None:
        self._is_dirty |= self._parts.intake.is_out_of_patience()
        if self._tools.judge.conflicts.expire(now) or self._parts.namesakes.has_news():
            self._speak()
        self._tools.inquiry.sample(now, self._tools.judge.conflicts.open)
        handover = self._parts.handover
        self._with_links |= now - self._swept >= SWEEP or self._is_set_otherwise(now)
        is_time = now >= self._retry_at or clock.now() >= handover.rest_due
        self._must_look |= self._with_links or is_time
        self._is_dirty |= self._must_look
        is_due = clock.now() >= handover.due or handover.is_alone()
        if self._is_dirty or self._must_judge or is_due:
            with self._tools.metrics.step.time():
                self._step(now)

    def _step(self, now: float) -> None:
        is_dirty, self._is_dirty, self._must_judge = self._is_dirty, False, False
        self._tidy_at = now + QUIET
        tools, wanted = self._tools, self._parts.intake.wanted or NOTHING
        plumber = tools.plumber
        must_delete = not tools.fence.is_fenced and plumber.has_surplus(wanted)
        may_delete = is_dirty and (self._must_look or must_delete)
        if may_delete:
            may_delete = self._does(lambda: self._look(now))
        if is_dirty:
            granted_on = frozenset(place.interface for place in wanted.values())
            self._does(lambda: self._parts.upkeep.guard(plumber.observed, granted_on))
        if self._parts.intake.wanted is not None:
            occasion = Occasion(now, is_dirty, self._speak, self._must_yield, may_delete)
            self._is_dirty |= not self._parts.handover.step(occasion)
            self._must_look |= self._is_dirty and plumber.has_surplus(wanted)
        if is_dirty:
            self._retry_at = plumber.next_due(now)
            self._speak()

    def _is_set_otherwise(self, now: float) -> bool:
        if now - self._settings_at < SETTINGS_EVERY:
            return False
        self._settings_at = now
        return self._tools.plumber.has_other_settings()

    def _look(self, now: float) -> None:
        self._swept = now if self._with_links else self._swept
        self._tools.plumber.look(with_links=self._with_links)
        self._tools.announcer.links_changed(self._tools.plumber.observed.links, now)
        self._must_look = self._with_links = False

    def _speak(self) -> None:
        is_urgent, self._must_say = self._must_say, False
        self._parts.voice.speak(self._parts.intake.wanted or NOTHING, is_urgent=is_urgent)

    def _must_yield(self) -> bool:
        """Whether something came in that must not wait until thousands of addresses are added."""
        self._parts.voice.report_if_due()
        self._collect(0.0)
        return any(
            isinstance(event, Stop | Answered)
            or (isinstance(event, Seen) and self._specs.is_news(event.body))
            for event in self._pending
        )

    def _next_due(self) -> float:
        """Seconds until there is something to do without any event; never more than a beat."""
        now = time.monotonic()
        times = [now + BEAT, self._swept + SWEEP, self._retry_at]
        times += [self._tools.announcer.next_due(now), self._parts.voice.due]
        if self._parts.intake.wanted is not None:
            handover = self._parts.handover
            times.append(now + min(handover.due, handover.rest_due) - clock.now())
        return 0.0 if self._is_dirty or self._must_judge else max(0.0, min(times) - now)

    def _collect(self, seconds: float) -> None:
        """Wait for an event, and take all that are there."""
        inbox = self._parts.inbox
        with suppress(Empty):
            if seconds > 0 and not self._pending:
                self._pending.append(inbox.get(timeout=seconds))
            while True:
                self._pending.append(inbox.get_nowait())
