"""Runs for leadership, in a thread of its own, by the rule in `rule`."""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread

from duravip_operator.cluster.requests import ApiError
from duravip_operator.leadership import rule
from duravip_operator.leadership.leases import LEASE, Leases, body_of, record, stamp
from duravip_operator.settings import Settings

log = logging.getLogger(__name__)

STOP_WITHIN = 1.5


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
        self._me = settings.identity
        self._leases = Leases(settings.kubeconfig, settings.namespace)
        self._on_change = on_change
        self._floor = floor
        self._loop = asyncio.get_running_loop()
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="elector", daemon=True)
        self._view: rule.View | None = None
        self._mine: rule.Record | None = None
        self._attempts: dict[str, float] = {}
        """`{renewTime: when it began}` of our writes since the last that was answered."""
        self._highest = 0
        self._reign: rule.Reign | None = None
        self._told: int | None = None
        self._is_troubled = False

    @property
    def epoch(self) -> int | None:
        """The epoch in which this replica leads now; None: it does not lead."""
        reign = None if self._stopping.is_set() else self._reign
        return reign.epoch if reign and time.monotonic() < reign.until else None

    def start(self) -> None:
        """Begin to run for leadership."""
        self._thread.start()

    async def stop(self) -> None:
        """Lead no more, at once, and give the Lease back."""
        self._stopping.set()
        self._reign = None
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join, STOP_WITHIN)

    def _run(self) -> None:
        while not self._stopping.is_set():
            started = time.monotonic()
            try:
                self._round()
                self._recovered()
            except ApiError as error:
                self._troubled(error)
            except Exception:
                log.exception("a round of the election failed")
            self._tell()
            self._stopping.wait(max(0.0, started + rule.RETRY - time.monotonic()))
        self._release()

    def _round(self) -> None:
        if self._mine is not None:
            wanted = rule.renewed(self._mine, stamp(), self._floor() or 0)
            if self._write(wanted):
                return
        self._mine = None
        found = self._read()
        self._highest = max(self._highest, found.epoch)
        self._view = rule.viewed(self._view, found, time.monotonic())
        if found.holder == self._me and found.renewed in self._attempts:
            # A write of ours that was not answered in time has come through.
            self._hold(found, self._attempts[found.renewed])
            return
        self._reign = None
        floor = self._floor()
        if floor is not None and rule.is_free(self._view, time.monotonic()):
            highest = max(floor, self._highest)
            self._write(rule.taken(found, self._me, stamp(), highest))

    def _read(self) -> rule.Record:
        try:
            return record(self._leases.read(LEASE))
        except ApiError:
            self._reign = None  # somebody has written, and we cannot see whether it was us
            raise

    def _write(self, wanted: rule.Record) -> bool:
        """Write the Lease; False when somebody else wrote first."""
        started = self._attempts[wanted.renewed] = time.monotonic()
        try:
            written = record(self._leases.write(body_of(wanted, LEASE)))
        except ApiError as error:
            if error.is_conflict or error.is_absent:
                return False
            raise
        self._hold(written, started)
        return True

    def _hold(self, written: rule.Record, started: float) -> None:
        self._mine = written
        self._attempts.clear()
        self._highest = max(self._highest, written.epoch)
        self._reign = rule.reign(written, started)

    def _release(self) -> None:
        self._reign = None
        if self._mine is None:
            return
        try:
            self._leases.write(body_of(rule.released(self._mine, stamp()), LEASE))
            log.info("gave the Lease back")
        except ApiError as error:
            log.warning("cannot give the Lease back, which then lasts for 2 s: %s", error)

    def _tell(self) -> None:
        epoch = self.epoch
        if epoch != self._told:
            self._told = epoch
            with suppress(RuntimeError):  # the loop has ended before this thread did
                self._loop.call_soon_threadsafe(self._on_change)

    def _troubled(self, error: ApiError) -> None:
        if not self._is_troubled:
            log.warning("cannot read or write the Lease: %s", error)
        self._is_troubled = True

    def _recovered(self) -> None:
        if self._is_troubled:
            log.info("the Lease can be read and written again")
        self._is_troubled = False
