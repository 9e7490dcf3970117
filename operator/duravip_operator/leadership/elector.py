"""A replica that runs for leadership: the rule in `rule`, applied to what it reads and writes.

Its requests may fail, be answered late, or be carried out without being answered: a Lease that
carries the time of one of our own writes is ours, held since that write *began*.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Event, Thread
from typing import Final, Protocol

from duravip_operator.leadership import lease_rule as rule
from duravip_operator.leadership.lease_rule import RETRY
from duravip_operator.leadership.leases import Leases, stamp
from duravip_operator.settings import Settings
from duravip_runtime.api_error import ApiError
from duravip_runtime.request_timeout import DECAY

log = logging.getLogger(__name__)


class Store(Protocol):
    """Where the Lease is. Both raise ApiError."""

    def load(self) -> rule.Record:
        """The Lease as it is; with an empty version when there is none."""

    def save(self, wanted: rule.Record) -> rule.Record:
        """Make it, or replace exactly the version that `wanted` has."""


class Candidate:
    """One round after another; `clock` is a steady clock, `stamp` a time that is never twice."""

    def __init__(
        self,
        me: str,
        store: Store,
        clock: Callable[[], float],
        stamp: Callable[[], str],
        on_restoration: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_restoration` is called when the store was found to have gone back."""
        self._on_restoration = on_restoration
        self._must_abandon = False
        self._me = me
        self._store = store
        self._clock = clock
        self._stamp = stamp
        self._view: rule.View | None = None
        self._mine: rule.Record | None = None
        self._reign: rule.Reign | None = None
        self._attempts: dict[str, float] = {}
        """`{renewTime: when it began}` of our writes since the last that was answered."""
        self._highest = 0
        self._took = 0.0
        """What a slow request has taken lately, in seconds."""

    @property
    def epoch(self) -> int | None:
        """The epoch in which this replica leads now; None: it does not. From any thread."""
        reign = None if self._must_abandon else self._reign
        return reign.epoch if reign and self._clock() < reign.until else None

    def abandon(self) -> None:
        """Lead no more, at once, until the Lease was taken anew. From any thread."""
        self._must_abandon = True

    @property
    def is_led(self) -> bool:
        """Whether another one leads, as far as is known. From any thread."""
        view = self._view
        return view is not None and not rule.is_free(view, self._clock())

    @property
    def took(self) -> float:
        """What a slow request has taken lately, in seconds."""
        return self._took

    @property
    def until(self) -> float:
        """When that ends if the Lease is not renewed, by the clock. From any thread."""
        reign = self._reign
        return reign.until if reign else self._clock()

    def round(self, floor: int | None) -> None:
        """Renew the Lease, or take it when it is free; raises ApiError.

        `floor` is the highest epoch that is known elsewhere; None: this replica may not take it.
        """
        if self._must_abandon:
            self._mine, self._reign, self._view = None, None, None
            self._attempts.clear()
            self._must_abandon = False
        newest = self._mine or (self._view.record if self._view else None)
        if self._mine and self._write(self._renewed(self._mine, floor)):
            return
        self._mine = None
        found = self._read()
        if rule.has_gone_back(newest, found):
            self._on_restoration()
        if found.holder == self._me and found.renewed in self._attempts:
            self._hold(found, self._attempts[found.renewed])
            return
        self._reign = None
        self._view = rule.viewed(self._view, found, self._clock())
        self._highest = max(self._highest, found.epoch)
        if floor is not None and rule.is_free(self._view, self._clock()):
            highest = max(floor, self._highest)
            lasts = rule.lasting(self._took)
            self._write(rule.taken(found, self._me, self._stamp(), highest, lasts))

    def resign(self) -> bool:
        """Give the Lease back if it is ours; raises ApiError. No round may follow."""
        self._reign = None
        if self._mine is None:
            return False
        self._store.save(rule.released(self._mine, self._stamp()))
        return True

    def _renewed(self, mine: rule.Record, floor: int | None) -> rule.Record:
        return rule.renewed(mine, self._stamp(), floor or 0, rule.lasting(self._took))

    def _read(self) -> rule.Record:
        started = self._clock()
        try:
            return self._store.load()
        except ApiError:
            self._reign = None  # somebody has written, and we cannot see whether it was us
            raise
        finally:
            self._note(started)

    def _note(self, started: float) -> None:
        self._took = max(self._clock() - started, DECAY * self._took)

    def _write(self, wanted: rule.Record) -> bool:
        """Write the Lease; False when somebody else wrote first."""
        started = self._attempts[wanted.renewed] = self._clock()
        try:
            written = self._store.save(wanted)
        except ApiError as error:
            if error.is_conflict or error.is_absent:
                return False
            raise
        finally:
            self._note(started)
        self._hold(written, started)
        return True

    def _hold(self, written: rule.Record, started: float) -> None:
        self._mine = written
        self._attempts.clear()
        self._highest = max(self._highest, written.epoch)
        self._reign = rule.reign(written, started)


STOP_WITHIN: Final = 1.2
SAY_EVERY: Final = 60.0
"""What goes on is said again so often, in seconds."""


class Elector:
    """Says whether this replica leads."""

    def __init__(
        self,
        settings: Settings,
        on_change: Callable[[], None],
        floor: Callable[[], int | None],
        annotations: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """`floor` gives the highest epoch in any NodePlumbing; None: not known yet, so that this
        replica may not lead yet. `on_change` is called in the asyncio thread, `annotations` in
        another: what it gives stands in the Lease.
        """  # noqa: D205
        leases = Leases(settings.kubeconfig, settings.namespace, annotations)
        self._candidate = Candidate(
            settings.identity, leases, time.monotonic, stamp, self._found_restored
        )
        self._on_change = on_change
        self.on_restoration: Callable[[], None] = lambda: None
        """Called in the asyncio thread when the Lease shows that the store has gone back."""
        self._floor = floor
        self._loop = asyncio.get_running_loop()
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="elector", daemon=True)
        self._told: int | None = None
        self._is_troubled = False
        self._say_again = 0.0
        self._led = time.monotonic()

    @property
    def epoch(self) -> int | None:
        """The epoch in which this replica leads now; None: it does not lead."""
        return None if self._stopping.is_set() else self._candidate.epoch

    @property
    def until(self) -> float:
        """When it leads no longer, by the monotonic clock, unless the Lease is renewed."""
        return self._candidate.until

    def start(self) -> None:
        """Begin to run for leadership."""
        self._thread.start()

    async def stop(self) -> None:
        """Lead no more, at once, and give the Lease back."""
        self._stopping.set()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join, STOP_WITHIN)

    def _run(self) -> None:
        while not self._stopping.is_set():
            started = time.monotonic()
            self._tell()  # it may have run out, and be held again in a moment
            try:
                self._candidate.round(self._floor())
                self._recovered()
            except ApiError as error:
                self._troubled(error)
            except Exception:
                log.exception("a round of the election failed")
            self._tell()
            self._say_who_leads()
            self._stopping.wait(max(0.0, started + RETRY - time.monotonic()))
        self._resign()

    def abandon(self) -> None:
        """Lead no more, at once, until the Lease was taken anew with another epoch."""
        self._candidate.abandon()

    def _found_restored(self) -> None:
        with suppress(RuntimeError):  # the loop has ended before this thread did
            self._loop.call_soon_threadsafe(self.on_restoration)

    def _resign(self) -> None:
        try:
            if self._candidate.resign():
                log.info("gave the Lease back")
        except ApiError as error:
            log.warning("cannot give the Lease back, which will run out: %s", error)

    def _tell(self) -> None:
        epoch = self.epoch
        if epoch != self._told:
            self._told = epoch
            with suppress(RuntimeError):  # the loop has ended before this thread did
                self._loop.call_soon_threadsafe(self._on_change)

    def _troubled(self, error: ApiError) -> None:
        now = time.monotonic()
        if not self._is_troubled or now >= self._say_again:
            self._say_again = now + SAY_EVERY
            log.warning("cannot read or write the Lease: %s", error)
        self._is_troubled = True

    def _say_who_leads(self) -> None:
        """A line a minute, as long as we know of no leader."""
        now = time.monotonic()
        if self.epoch is not None or self._candidate.is_led:
            self._led = now
        elif now - self._led >= SAY_EVERY:
            self._led = now
            is_cold = self._floor() is None
            why = "not all kinds were listed yet" if is_cold else "the Lease was not to be had"
            took = self._candidate.took
            log.warning("nobody leads: %s; requests lately took up to %.1f s", why, took)

    def _recovered(self) -> None:
        if self._is_troubled:
            log.info("the Lease can be read and written again")
        self._is_troubled = False
