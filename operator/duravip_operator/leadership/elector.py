"""Runs for leadership in a thread of its own, so that nothing which keeps a loop busy ends it."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Event, Thread
from typing import Final

from duravip_operator.cluster.requests import ApiError
from duravip_operator.leadership.candidate import Candidate
from duravip_operator.leadership.leases import Leases, stamp
from duravip_operator.leadership.rule import RETRY
from duravip_operator.settings import Settings

log = logging.getLogger(__name__)

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
