"""The agent's loop: something happened, so look at the world, make it right, say what is there.

The start is in a fixed order. First the status says that this boot has acted on nothing yet
(`observedGeneration: null`): the answer to that write is the object as it stood then, and only
that state or a later one is acted on. Whatever an operator concluded from the status of an
earlier boot, it wrote into the object before.
"""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from queue import Empty
from types import MappingProxyType
from typing import assert_never

from duravip_agent.announcer import Announcer
from duravip_agent.cluster import ApiError, Body
from duravip_agent.core.grant import Placement
from duravip_agent.core.specs import Specs
from duravip_agent.events import (
    Absent,
    Event,
    Inbox,
    KernelChanged,
    Seen,
    Stop,
    Troubled,
    Written,
)
from duravip_agent.metrics import Metrics
from duravip_agent.plumber import Plumber
from duravip_agent.reporter import Reporter
from duravip_agent.voice import Voice
from duravip_api.reasons import Reason
from duravip_api.timing import SWEEP

log = logging.getLogger(__name__)

START_PATIENCE = 2.0
"""What an earlier run has left is served for so long while the grant cannot be read; then it is
removed: the operator may have given it to another node meanwhile."""

LAST_WORDS = 1.6
"""The last report may take this long after the agent was asked to stop."""

STUCK_AFTER = 15.0
"""A turn that takes longer makes /healthz fail."""

WORST_PAUSE = 5.0
"""The longest pause after turns that failed."""

NOTHING: Mapping[str, Placement] = MappingProxyType({})


class DeniedError(Exception):
    """The API server does not let the agent do its work."""


@dataclass(frozen=True)
class Parts:
    """What the loop works through."""

    inbox: Inbox
    specs: Specs
    plumber: Plumber
    announcer: Announcer
    reporter: Reporter
    voice: Voice
    metrics: Metrics


class Loop:
    """Runs until it is asked to stop."""

    def __init__(self, parts: Parts) -> None:
        self._parts, self._specs = parts, parts.specs
        self._began = time.monotonic()
        self._wanted: Mapping[str, Placement] | None = None
        """None = not known yet: nothing is added, nothing removed."""
        self._pending: list[Event] = []
        self._is_dirty = self._with_links = True
        self._swept = self._retry_at = 0.0
        self._denied_since: float | None = None
        self._busy_since: float | None = None
        self._stop_asked: float | None = None

    def run(self) -> None:
        """Work; returns when everything is withdrawn, raises DeniedError when it cannot start."""
        self._parts.plumber.look(time.monotonic(), with_links=True)
        self._parts.voice.speak(NOTHING)
        self._parts.reporter.start()
        failures = 0
        try:
            while self._stop_asked is None:
                self._collect(self._next_due())
                self._busy_since = time.monotonic()
                failures = self._turn(failures)
                self._busy_since = None
        finally:
            self._parts.plumber.withdraw()
        self._say_goodbye()

    def healthz(self) -> str:
        """What is wrong with the loop; empty = nothing."""
        since = self._busy_since
        is_stuck = since is not None and time.monotonic() - since > STUCK_AFTER
        return "the loop does not come to an end" if is_stuck else ""

    def readyz(self) -> str:
        """Why the agent does not serve what it is granted; empty = it does."""
        reason = self._parts.voice.reason
        return "" if reason is Reason.AGENT_READY else reason.sentence

    def _turn(self, failures: int) -> int:
        """Handle what happened; gives back how many turns in a row have failed."""
        try:
            while self._pending:
                self._handle(self._pending.pop(0))
            self._check_start()
            now = time.monotonic()
            if self._is_due(now):
                self._step(now)
            self._parts.announcer.announce(time.monotonic())
        except DeniedError:
            raise
        except Exception:
            log.exception("this turn failed and is tried again")
            self._is_dirty = self._with_links = True
            self._collect(min(0.1 * 2.0**failures, WORST_PAUSE))
            return min(failures + 1, 10)
        return 0

    def _handle(self, event: Event) -> None:
        match event:
            case Seen(body):
                self._parts.reporter.notice(body)
                self._take_up(body)
            case Written(body):
                self._denied_since = None
                self._specs.introduced(body)
                self._take_up(body)
            case Absent():
                self._lose()
            case Troubled(error):
                self._note_trouble(error)
            case KernelChanged(with_links):
                self._is_dirty = True
                self._with_links |= with_links
            case Stop():
                self._stop_asked = self._stop_asked or time.monotonic()
            case _:
                assert_never(event)

    def _take_up(self, body: Body) -> None:
        """Act on the object from now on, if it may be acted on and says something new."""
        if not self._specs.take(body):
            return
        grant = self._specs.grant
        if self._specs.refusal:
            log.warning("the spec is refused, the one before stays: %s", self._specs.refusal)
        elif grant.failures:
            log.warning("parts of the spec are left out: %s", dict(grant.failures))
        self._wanted, self._is_dirty = grant.wanted, True
        self._parts.voice.beat()

    def _lose(self) -> None:
        """There is no object: what is served stays, since the new one will grant it as well."""
        if self._wanted is None:
            log.warning("this node has no NodePlumbing yet: nothing is granted")
            self._wanted, self._is_dirty = NOTHING, True
        elif self._specs.lose():
            log.warning("this node's NodePlumbing was deleted: everything stays until it is back")
            self._parts.voice.speak(self._wanted)  # which a new object then shows first

    def _note_trouble(self, error: ApiError) -> None:
        if error.is_forbidden and not self._specs.is_introduced:
            self._denied_since = self._denied_since or time.monotonic()
            if time.monotonic() - self._denied_since > START_PATIENCE:
                raise DeniedError(f"no permission to read and report on the NodePlumbing: {error}")

    def _check_start(self) -> None:
        if self._wanted is None and time.monotonic() - self._began > START_PATIENCE:
            log.warning("cannot learn what this node is granted: what was left here is removed")
            self._wanted, self._is_dirty = NOTHING, True

    def _is_due(self, now: float) -> bool:
        if now - self._swept >= SWEEP:
            self._is_dirty = self._with_links = True
        return self._is_dirty or now >= self._retry_at

    def _step(self, now: float) -> None:
        plumber, wanted = self._parts.plumber, self._wanted
        with_links, self._is_dirty, self._with_links = self._with_links, False, False
        if with_links:
            self._swept = now

        def speak() -> None:
            self._parts.voice.speak(wanted or NOTHING)

        with self._parts.metrics.step.time():
            plumber.look(now, with_links=with_links)
            if wanted is not None and not plumber.step(wanted, now, speak, self._must_yield):
                self._is_dirty = True
            self._retry_at = plumber.next_due(now)
            speak()

    def _must_yield(self) -> bool:
        """Whether something came in that must not wait until thousands of addresses are added."""
        self._collect(0.0)
        return any(
            isinstance(event, Stop)
            or (isinstance(event, Seen) and self._specs.is_news(event.body))
            for event in self._pending
        )

    def _next_due(self) -> float:
        """Seconds until there is something to do without any event."""
        now = time.monotonic()
        times = [self._swept + SWEEP, self._retry_at, self._parts.announcer.next_due(now)]
        if self._wanted is None:
            times.append(self._began + START_PATIENCE)
        return 0.0 if self._is_dirty else max(0.0, min(times) - now)

    def _collect(self, seconds: float) -> None:
        """Wait for an event, and take all that are there."""
        inbox = self._parts.inbox
        try:
            if seconds > 0 and not self._pending:
                self._pending.append(inbox.get(timeout=seconds))
            while True:
                self._pending.append(inbox.get_nowait())
        except Empty:
            pass

    def _say_goodbye(self) -> None:
        """The last report. What could not be removed is never called withdrawn."""
        if self._parts.plumber.observed.marked:
            raise RuntimeError("some addresses could not be removed")
        self._parts.voice.speak(NOTHING, is_stopped=True)
        deadline = (self._stop_asked or time.monotonic()) + LAST_WORDS
        if not self._parts.reporter.wait_until_written(deadline):
            log.warning("ended without a last report: the API server does not answer")
