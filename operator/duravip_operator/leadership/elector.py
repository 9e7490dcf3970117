"""Leader election: a thread that acquires and renews the Lease, by the rule in `lease_rule`.

Its requests may fail, be answered late, or be carried out without being answered. So a candidate
remembers when each of its writes began: a Lease that carries the time of one of them is ours, held
since that write began. The thread has a client of its own; nothing that keeps the loop busy can
cost the leadership.

The epoch of the Lease fences writes (a fencing token). It stands in every NodePlumbing; each write
is conditional on it, and right before each request the writer checks that this epoch still leads.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Event, Thread
from typing import Final, NamedTuple, Protocol

from duravip_operator.leadership import lease_rule as rule
from duravip_operator.leadership.lease_rule import RETRY_PERIOD_S
from duravip_operator.leadership.leases import Leases, timestamp
from duravip_operator.settings import Settings
from duravip_runtime.api_error import ApiError
from duravip_runtime.kube import DECAY

log = logging.getLogger(__name__)


class LeaseStore(Protocol):
    """Where the Lease is. Both raise ApiError."""

    def load(self) -> rule.LeaseRecord:
        """The Lease as it is; with an empty version when there is none."""

    def save(self, wanted: rule.LeaseRecord) -> rule.LeaseRecord:
        """Make it, or replace exactly the version that `wanted` has."""


class KnownLeader(NamedTuple):
    """Who leads."""

    name: str = ""
    """Its identity; empty: nobody."""
    epoch: int = 0


NOBODY: Final = KnownLeader()


class LeaseCandidate:
    """One round after another; `clock` is a steady clock, `stamp` a time that is never twice."""

    def __init__(
        self,
        me: str,
        store: LeaseStore,
        clock: Callable[[], float],
        stamp: Callable[[], str],
        on_restoration: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_restoration` is called when the store was found to have gone back."""
        self._on_restoration = on_restoration
        self._must_abandon = False
        self._identity = me
        self._store = store
        self._clock = clock
        self._timestamp = stamp
        self._view: rule.LeaseView | None = None
        self._own_lease: rule.LeaseRecord | None = None
        self._leadership: rule.Leadership | None = None
        self._attempts: dict[str, float] = {}
        """`{renewTime: when it began}` of our writes since the last that was answered."""
        self._highest_epoch = 0
        self.request_s = 0.0
        """What a slow request has taken lately, in seconds."""

    @property
    def epoch(self) -> int | None:
        """The epoch in which this replica leads now; None: it does not. From any thread."""
        leadership = None if self._must_abandon else self._leadership
        return leadership.epoch if leadership and self._clock() < leadership.until else None

    def abandon(self) -> None:
        """Lead no more, at once, until the Lease was taken anew. From any thread."""
        self._must_abandon = True

    @property
    def leader(self) -> KnownLeader:
        """Who leads, as far as is known. From any thread."""
        epoch, view = self.epoch, self._view
        if epoch is not None:
            return KnownLeader(self._identity, epoch)
        if view is None or rule.is_free(view, self._clock()):
            return NOBODY
        return KnownLeader(view.record.holder, view.record.epoch)

    @property
    def leads_until(self) -> float:
        """When that ends if the Lease is not renewed, by the clock. From any thread."""
        leadership = self._leadership
        return leadership.until if leadership else self._clock()

    def round(self, floor: int | None) -> None:
        """Renew the Lease, or take it when it is free; raises ApiError.

        `floor` is the highest epoch that is known elsewhere; None: this replica may not take it.
        """
        if self._must_abandon:
            self._own_lease, self._leadership, self._view = None, None, None
            self._attempts.clear()
            self._must_abandon = False
        newest = self._own_lease or (self._view.record if self._view else None)
        lasts = rule.lease_duration(self.request_s)
        if self._own_lease:
            renewed = rule.renewed(self._own_lease, self._timestamp(), floor or 0, lasts)
            if self._write(renewed):
                return
        self._own_lease = None
        found = self._read()
        if rule.is_restored(newest, found):
            self._on_restoration()
        if found.holder == self._identity and found.renewed in self._attempts:
            self._hold(found, self._attempts[found.renewed])
            return
        self._leadership = None
        self._view = rule.observed(self._view, found, self._clock())
        self._highest_epoch = max(self._highest_epoch, found.epoch)
        if floor is not None and rule.is_free(self._view, self._clock()):
            highest = max(floor, self._highest_epoch)
            lasts = rule.lease_duration(self.request_s)
            self._write(rule.acquired(found, self._identity, self._timestamp(), highest, lasts))

    def resign(self) -> bool:
        """Give the Lease back if it is ours; raises ApiError. No round may follow."""
        self._leadership = None
        if self._own_lease is None:
            return False
        self._store.save(rule.released(self._own_lease, self._timestamp()))
        return True

    def _read(self) -> rule.LeaseRecord:
        started = self._clock()
        try:
            return self._store.load()
        except ApiError:
            self._leadership = None  # somebody has written, and we cannot see whether it was us
            raise
        finally:
            self._record_duration(started)

    def _record_duration(self, started: float) -> None:
        self.request_s = max(self._clock() - started, DECAY * self.request_s)

    def _write(self, wanted: rule.LeaseRecord) -> bool:
        """Write the Lease; False when somebody else wrote first."""
        started = self._attempts[wanted.renewed] = self._clock()
        try:
            written = self._store.save(wanted)
        except ApiError as error:
            if error.is_conflict or error.is_absent:
                return False
            raise
        finally:
            self._record_duration(started)
        self._hold(written, started)
        return True

    def _hold(self, written: rule.LeaseRecord, started: float) -> None:
        self._own_lease = written
        self._attempts.clear()
        self._highest_epoch = max(self._highest_epoch, written.epoch)
        self._leadership = rule.leadership_of(written, started)


STOP_TIMEOUT_S: Final = 1.2
LOG_EVERY_S: Final = 60.0
"""What goes on is said again so often, in seconds."""


class Elector:
    """Says whether this replica leads."""

    def __init__(
        self,
        settings: Settings,
        on_change: Callable[[], None],
        floor: Callable[[], int | None],
    ) -> None:
        """`floor` gives the highest epoch in any NodePlumbing; None: not known yet, so that this
        replica may not lead yet. `on_change` is called in the asyncio thread.
        """  # noqa: D205
        leases = Leases(settings.kubeconfig, settings.namespace, self._lease_annotations)
        self._candidate = LeaseCandidate(
            settings.identity,
            leases,
            time.monotonic,
            timestamp,
            lambda: self._call_in_loop(self.on_restore),
        )
        self.annotations: Callable[[], Mapping[str, str]] = dict
        """Called in another thread: what it gives stands in the Lease."""
        self._on_change = on_change
        self.on_restore: Callable[[], None] = lambda: None
        """Called in the asyncio thread when the Lease shows that the store has gone back."""
        self._min_epoch = floor
        self._event_loop = asyncio.get_running_loop()
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="elector", daemon=True)
        self._notified_epoch: int | None = None
        self._is_failing = False
        self._log_again_at = 0.0
        self._last_led = time.monotonic()

    @property
    def epoch(self) -> int | None:
        """The epoch in which this replica leads now; None: it does not lead."""
        return None if self._stopping.is_set() else self._candidate.epoch

    @property
    def leader(self) -> KnownLeader:
        """Who leads, as far as this replica knows. From any thread."""
        return NOBODY if self._stopping.is_set() else self._candidate.leader

    @property
    def request_s(self) -> float:
        """What a slow request to the API server has taken lately, in seconds."""
        return self._candidate.request_s

    @property
    def leads_until(self) -> float:
        """When it leads no longer, by the monotonic clock, unless the Lease is renewed."""
        return self._candidate.leads_until

    def _lease_annotations(self) -> Mapping[str, str]:
        return self.annotations()

    def start(self) -> None:
        """Begin to run for leadership."""
        self._thread.start()

    async def stop(self) -> None:
        """Lead no more, at once, and give the Lease back."""
        self._stopping.set()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join, STOP_TIMEOUT_S)

    def _run(self) -> None:
        while not self._stopping.is_set():
            started = time.monotonic()
            self._notify_if_changed()  # it may have run out, and be held again in a moment
            try:
                self._candidate.round(self._min_epoch())
                self._round_succeeded()
            except ApiError as error:
                self._round_failed(error)
            except Exception:
                log.exception("a round of the election failed")
            self._notify_if_changed()
            self._log_if_leaderless()
            self._stopping.wait(max(0.0, started + RETRY_PERIOD_S - time.monotonic()))
        self._resign()

    def abandon(self) -> None:
        """Lead no more, at once, until the Lease was taken anew with another epoch."""
        self._candidate.abandon()

    def _call_in_loop(self, call: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop has ended before this thread did
            self._event_loop.call_soon_threadsafe(call)

    def _resign(self) -> None:
        try:
            if self._candidate.resign():
                log.info("gave the Lease back")
        except ApiError as error:
            log.warning("cannot give the Lease back, which will run out: %s", error)

    def _notify_if_changed(self) -> None:
        epoch = self.epoch
        if epoch != self._notified_epoch:
            self._notified_epoch = epoch
            self._call_in_loop(self._on_change)

    def _round_failed(self, error: ApiError) -> None:
        now = time.monotonic()
        if not self._is_failing or now >= self._log_again_at:
            self._log_again_at = now + LOG_EVERY_S
            log.warning("cannot read or write the Lease: %s", error)
        self._is_failing = True

    def _log_if_leaderless(self) -> None:
        """A line a minute, as long as we know of no leader."""
        now = time.monotonic()
        if self._candidate.leader is not NOBODY:
            self._last_led = now
        elif now - self._last_led >= LOG_EVERY_S:
            self._last_led = now
            is_cold = self._min_epoch() is None
            why = "not all kinds were listed yet" if is_cold else "the Lease was not to be had"
            took = self._candidate.request_s
            log.warning("nobody leads: %s; requests lately took up to %.1f s", why, took)

    def _round_succeeded(self) -> None:
        if self._is_failing:
            log.info("the Lease can be read and written again")
        self._is_failing = False
