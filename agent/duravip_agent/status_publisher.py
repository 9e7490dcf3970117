"""What the agent says of itself: in its status, in its beats and as metrics."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from duravip_agent import clock
from duravip_agent.control.heartbeat import Heart, Pulse
from duravip_agent.control.status_writer import Reporter
from duravip_agent.core.node_spec import Placement
from duravip_agent.core.node_status import Readiness, Report, said_of, status_of, unread
from duravip_agent.kernel.next_hops import NextHops
from duravip_agent.metrics import Metrics
from duravip_agent.reconciler import Handover
from duravip_agent.tools import Tools
from duravip_api.heartbeat import address_digest, new_boot
from duravip_api.reasons import Reason
from duravip_api.timing import CONTACT

log = logging.getLogger(__name__)

GATHERED_FOR, MORE_COMES_WITHIN = 0.15, 0.3
"""So long, in seconds, what beats have said already is not yet in the status; and when something
that is granted is about to be served, which the status will have to say as well."""


@dataclass
class Identity:
    """Who speaks."""

    version: str
    public_key: str
    """A new one each time that the agent starts: by it the operator knows its datagrams."""
    boot: str = ""
    """A new value each time that the agent starts, or begins anew."""

    def __post_init__(self) -> None:
        """Start."""
        self.begin_anew()

    def begin_anew(self) -> None:
        """Speak under another boot, with the same key."""
        self.boot = new_boot(self.public_key)


@dataclass(frozen=True)
class Channels:
    """Where it is said."""

    reporter: Reporter
    heart: Heart
    metrics: Metrics
    namesakes: Callable[[], str] = str
    """What is to be said of other machines under this node's name."""


class Voice:
    """Says what is there. Nothing here ever waits."""

    def __init__(
        self, identity: Identity, channels: Channels, tools: Tools, handover: Handover
    ) -> None:
        self._identity, self._channels = identity, channels
        self._specs, self._plumber, self._judge = tools.specs, tools.plumber, tools.judge
        self._requests, self._listeners = tools.requests, tools.listeners
        self._handover, self._fence, self._health = handover, tools.fence, tools.health
        self._failing_since: dict[str, str] = {}
        self._next_hops = NextHops()
        self._readiness = Readiness(Reason.AGENT_STARTING, _now())
        self._unfenced = () if tools.fence.is_fenced else (_noted("Fenced", Reason.UNFENCED),)
        self._in_use: Readiness | None = None
        self._namesake: Readiness | None = None
        self._stale: Readiness | None = None
        self._unread: Readiness | None = None
        self._granted_on: frozenset[str] = frozenset()
        self._behind: Readiness | None = None
        self.trouble = ""
        """Why the status does not say all; empty: it does."""
        self._acted: int | None = None
        """The generation that was acted on."""
        self._strict: tuple[str, ...] = ()
        """What it fences strictly."""
        self._served: frozenset[str] = frozenset()
        self._digest = address_digest(self._served)
        self._wanted: Mapping[str, Placement] = {}
        self._ending: Reason | None = None
        """Why it is not ready for much longer."""
        self.due = float("inf")
        """When the status is to be written."""

    @property
    def reason(self) -> Reason:
        """The reason of the condition Ready, as it was last said."""
        return self._readiness.reason

    @property
    def boot(self) -> str:
        """Under which it speaks."""
        return self._identity.boot

    def begin_anew(self, wanted: Mapping[str, Placement]) -> None:
        """Speak under another boot: nothing that was said before is to be believed any more."""
        self._identity.begin_anew()
        log.info("goes on as %s", self.boot)
        self.speak(wanted, is_urgent=True)

    def introduced(self) -> None:
        """The status names this boot: beats may name it as well."""
        self._channels.heart.renew(self.boot)

    def is_stale(self) -> bool:
        """Whether the spec that was read is not the one that leaders go by."""
        return self._channels.heart.is_stale or self._specs.has_gone_back

    def speak_if_stale(self) -> None:
        """Let the status say whether that is so, if it is news."""
        if self.is_stale() != (self._stale is not None):
            self.speak(self._wanted)

    def end(self, reason: Reason, wanted: Mapping[str, Placement]) -> None:
        """Say from now on that the agent is about to end, or has ended."""
        self._ending = reason
        self.speak(wanted, is_urgent=True)
        self._channels.heart.hurry()

    def speak(self, wanted: Mapping[str, Placement], *, is_urgent: bool = False) -> None:
        """Say what is there, of what is wanted: in a beat at once, in the status at leisure.

        The status costs the API server as much as what others wait for. What is new in it waits
        until it is known what follows, as long as a leader hears the beats, and does not need the
        status to know why something was lost.
        """
        specs, served = self._specs, self._handover.served
        if not specs.is_current:
            self._acted = None
        elif served <= wanted.keys():
            self._acted, self._strict = specs.grant.generation, specs.grant.strict
        lost, is_more = self._served - served, not served <= self._served
        self._take_stock(served)
        self.beat()
        if lost:  # another node may wait for it
            self._channels.heart.hurry()
        self._wanted = wanted
        is_more_to_come = not wanted.keys() <= served | self._plumber.failures.keys()
        is_urgent |= (is_more and not is_more_to_come) or not lost.isdisjoint(wanted)
        may_wait = self._acted is not None and self.is_heard() and not is_urgent
        patience = MORE_COMES_WITHIN if is_more_to_come else GATHERED_FOR
        self.due = min(self.due, time.monotonic() + (patience if may_wait else 0.0))
        self.report_if_due()

    def report_if_due(self) -> None:
        """Let the status say what is there now, if that was put off for long enough."""
        if time.monotonic() < self.due:
            return
        self.due = float("inf")
        wanted, served = self._wanted, self._handover.served
        reason, message = self._reason()
        self._readiness = self._readiness.changed_to(reason, _now(), message)
        failures = {**self._specs.grant.failures, **self._plumber.failures}
        self._failing_since = {a: self._failing_since.get(a) or _now() for a in failures}
        try:
            status, self.trouble = status_of(self._report(served, failures)), ""
        except Exception as error:
            if not self.trouble:
                log.exception("cannot say what is there, but for what is served")
            self.trouble = f"{type(error).__name__}: {error}"
            status = status_of(self._least_report(served))
        self._channels.reporter.submit(status)
        metrics = self._channels.metrics
        metrics.well.set(self._health.problem is None)
        metrics.granted.set(len(wanted))
        metrics.served.set(len(served))
        metrics.held.set(len(self._fence.held))
        metrics.contested.set(len(self._judge.contested))
        metrics.failing.set(len(failures))

    def _report(self, served: frozenset[str], failures: Mapping[str, str]) -> Report:
        return Report(
            version=self._identity.version,
            boot=self._identity.boot,
            public_key=self._identity.public_key,
            readiness=self._readiness,
            observed=self._plumber.observed,
            generation=self._acted,
            epoch=self._specs.epoch,
            failures=failures,
            failing_since=self._failing_since,
            next_hops=self._next_hops.found(time.monotonic()),
            listening=self._listeners.on(self._specs.grant.ports),
            granted_on=self._cards(),
            served=served,
            contested=self._judge.contested,
            unguarded=self._health.unguarded,
            claimed={a: found.mac for a, found in self._judge.conflicts.open.items()},
            strict=self._strict,
            notes=tuple(self._notes()),
            done=self._requests.done,
            neighbours=self._requests.neighbours(time.monotonic()),
        )

    def _cards(self) -> frozenset[str]:
        """The cards that something is, or was, granted on: people ask what became of them."""
        self._granted_on |= {place.interface for place in self._wanted.values()}
        return self._granted_on

    def _least_report(self, served: frozenset[str]) -> Report:
        """What others wait for, where anything else cannot be written down."""
        return Report(
            version=self._identity.version,
            boot=self._identity.boot,
            public_key=self._identity.public_key,
            readiness=self._readiness,
            generation=self._acted,
            epoch=self._specs.epoch,
            served=served,
            strict=self._strict,
        )

    def is_heard(self, within: float = CONTACT) -> bool:
        """Whether a leader has heard a beat of the last so many seconds."""
        contact = self._judge.contact()
        return contact is not None and clock.now() - contact.sent < within

    def _take_stock(self, served: frozenset[str]) -> None:
        if served != self._served:
            self._served, self._digest = served, address_digest(served)

    def beat(self) -> None:
        """Let the beats name the spec that is in force now."""
        specs = self._specs
        self._channels.heart.pulse = Pulse(
            targets=specs.pulse,
            public_keys=specs.pulse_keys,
            epoch=specs.epoch or 0,
            generation=0 if specs.has_gone_back else specs.grant.generation,
            newest_read=specs.newest_read,
            newest_epoch=specs.newest_epoch,
            digest=self._digest,
            stopped=self._ending is Reason.AGENT_STOPPED,
        )

    def hurry(self) -> None:
        """Let the operator know at once that there is a new spec in force."""
        self._take_stock(self._handover.served)  # of what was armed and not yet spoken of, too
        self.beat()
        self._channels.heart.hurry()

    def _conflict(self) -> tuple[Readiness, ...]:
        """The condition that says who else claims addresses of ours."""
        said = said_of(self._judge.conflicts.open)
        if not said:
            self._in_use = None
            return ()
        known = self._in_use or _noted("AddressInUse", Reason.ADDRESS_IN_USE)
        self._in_use = known.changed_to(Reason.ADDRESS_IN_USE, known.since, said)
        return (self._in_use,)

    def _staleness(self) -> tuple[Readiness, ...]:
        """The condition that says that leaders go by another spec than the one that was read."""
        if not self.is_stale():
            self._stale = None
            return ()
        self._stale = self._stale or _noted("SpecStale", Reason.SPEC_STALE)
        return (self._stale,)

    def _notes(self) -> Iterator[Readiness]:
        """The conditions beside Ready."""
        yield from self._unfenced
        for said in (self._conflict, self._staleness, self._left_out, self._late, self._shared):
            yield from said()

    def _late(self) -> tuple[Readiness, ...]:
        """The condition that says that beats may be late on a busy node."""
        if not (why := self._channels.heart.refused_priority):
            return ()
        message = f"{Reason.NO_REALTIME.sentence} ({why})"
        self._behind = self._behind or _noted("Realtime", Reason.NO_REALTIME)
        self._behind = self._behind.changed_to(Reason.NO_REALTIME, self._behind.since, message)
        return (self._behind,)

    def _left_out(self) -> tuple[Readiness, ...]:
        """The condition that says which cards are not reported, or not used."""
        granted_on = self._cards()
        unguarded = [
            f"the fence cannot guard the interface {name!a}, so nothing is held there: {why}"
            for name, why in self._health.unguarded.items()
        ]
        strange = "; ".join([unread(self._plumber.observed, granted_on), *unguarded]).strip("; ")
        if not strange:
            self._unread = None
            return ()
        known = self._unread or _noted("InterfacesRead", Reason.INTERFACE_UNREADABLE)
        self._unread = known.changed_to(Reason.INTERFACE_UNREADABLE, known.since, strange)
        return (self._unread,)

    def _shared(self) -> tuple[Readiness, ...]:
        """The condition that says that another machine has this node's name."""
        said = self._channels.namesakes()
        if not said:
            self._namesake = None
            return ()
        known = self._namesake or _noted("NameShared", Reason.NAME_SHARED)
        self._namesake = known.changed_to(Reason.NAME_SHARED, known.since, said)
        return (self._namesake,)

    def _reason(self) -> tuple[Reason, str]:
        """Of the condition Ready, with its message; empty: the reason's own sentence."""
        if self._ending:
            return self._ending, ""
        if problem := self._health.problem:
            return problem
        if self._specs.refusal:
            return Reason.SPEC_REFUSED, self._specs.refusal
        return Reason.AGENT_STARTING if self._acted is None else Reason.AGENT_READY, ""


def _noted(kind: str, reason: Reason) -> Readiness:
    return Readiness(reason, _now(), kind=kind)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
