"""The agent's end of the process that makes the checks.

A thread starts the process once there is something to check, tells it what, and takes up what it
reports. The process may be killed, stop, or go mad: it is replaced, with a growing pause, and what
passed before counts until the new one knows better, but for `STALE_AFTER_S` at most. Nothing of
the agent waits for it.
"""

import json
import logging
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock, Thread
from typing import Any, Final

from duravip_agent.core.checks import Probe
from duravip_agent.metrics import Metrics
from duravip_api.checks import MOST_CHECKS

log = logging.getLogger(__name__)

COMMAND: Final = (sys.executable, "-m", "duravip_agent.checks.process")

HUNG_AFTER_S: Final = 5.0
"""The process reports every second; one that does not for so long is killed."""

STALE_AFTER_S: Final = 30.0
"""What passed counts no longer once no process has reported for so long."""

FIRST_PAUSE_S, MAX_PAUSE_S, STEADY_S = 0.1, 10.0, 30.0
"""Before a process is replaced; it grows until one has lived for `STEADY_S`."""

MOST_REPORTED: Final = 1 << 20
"""Bytes of a report: more than all checks together can name."""


class Checks:
    """What passes. `replace` and `passing` are for the loop's thread."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._lock = Lock()
        self._probes: tuple[Probe, ...] = ()
        self._on_change: Callable[[], None] = lambda: None
        self._reported_at = time.monotonic()
        self._pause = FIRST_PAUSE_S
        self._wake_out, self._wake_in = os.pipe()
        os.set_blocking(self._wake_out, False)
        os.set_blocking(self._wake_in, False)
        self.passing: frozenset[str] = frozenset()
        """The lines of the checks that pass."""
        self.process_id: int | None = None

    def start(self, on_change: Callable[[], None]) -> None:
        """Begin; `on_change` is called when others pass than before."""
        self._on_change = on_change
        Thread(target=self._run, name="checks", daemon=True).start()

    def replace(self, probes: tuple[Probe, ...]) -> None:
        """Make these checks from now on."""
        probes = probes[:MOST_CHECKS]
        if probes != self._probes:
            with self._lock:
                self._probes = probes
            with suppress(BlockingIOError):  # it is awake
                os.write(self._wake_in, b"x")

    def _run(self) -> None:
        while True:
            if not self._probes:
                self._take_up({"passing": []})
                self._sleep(3600.0)
                continue
            begun = time.monotonic()
            try:
                with _process() as process:
                    self.process_id = process.pid
                    self._talk(process)
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                log.warning("the checks begin anew: %s", error)
            self.process_id = None
            if self._probes:
                self._wait_before_next(time.monotonic() - begun)

    def _wait_before_next(self, lived: float) -> None:
        self._pause = FIRST_PAUSE_S if lived > STEADY_S else min(2 * self._pause, MAX_PAUSE_S)
        end = time.monotonic() + self._pause
        while (left := end - time.monotonic()) > 0:
            self._forget_if_stale()
            time.sleep(min(left, 1.0))

    def _talk(self, process: "subprocess.Popen[bytes]") -> None:
        """Tell it what to check, and hear it, until nothing is to be checked.

        Raises OSError or ValueError when it has ended, hangs, or says what cannot be read.
        """
        assert process.stdin  # noqa: S101 - for mypy
        assert process.stdout  # noqa: S101
        to, source = process.stdin.fileno(), process.stdout.fileno()
        os.set_blocking(to, False)
        told: tuple[Probe, ...] = ()
        outgoing = incoming = b""
        heard_at = time.monotonic()
        while True:
            with self._lock:
                wanted = self._probes
            if not wanted:
                return
            if wanted != told and not outgoing:
                told, outgoing = wanted, self._order(wanted)
            writers = [to] if outgoing else []
            ready, writable, _ = select.select([source, self._wake_out], writers, [], 1.0)
            if writable:
                outgoing = outgoing[os.write(to, outgoing) :]
            if self._wake_out in ready:
                self._drain()
            if source in ready:
                data = os.read(source, 1 << 16)
                if not data:
                    raise OSError(f"their process has ended ({process.wait()})")
                *lines, incoming = (incoming + data).split(b"\n")
                for line in lines:
                    self._take_up(json.loads(line))
                heard_at = self._reported_at = time.monotonic()
            self._forget_if_stale()
            if time.monotonic() - heard_at > HUNG_AFTER_S or len(incoming) > MOST_REPORTED:
                raise OSError("their process does not report")

    def _order(self, probes: tuple[Probe, ...]) -> bytes:
        order = {"probes": probes, "passing": sorted(self.passing)}
        return json.dumps(order).encode() + b"\n"

    def _take_up(self, report: dict[str, Any]) -> None:
        for result, number in report.get("results", {}).items():
            self._metrics.checks.labels(str(result)[:16]).inc(number)
        for microseconds in report.get("microseconds", ()):
            self._metrics.check_seconds.observe(microseconds / 1e6)
        if "passing" in report:
            self._set(frozenset(map(str, report["passing"])))

    def _forget_if_stale(self) -> None:
        if self.passing and time.monotonic() - self._reported_at > STALE_AFTER_S:
            log.error("no check has been made for %g s: none passes any more", STALE_AFTER_S)
            self._set(frozenset())

    def _set(self, passing: frozenset[str]) -> None:
        if passing != self.passing:
            gone, new = self.passing - passing, passing - self.passing
            log.info("checks that pass now: %s; no more: %s", sorted(new), sorted(gone))
            self.passing = passing
            self._on_change()

    def _sleep(self, seconds: float) -> None:
        select.select([self._wake_out], [], [], seconds)
        self._drain()

    def _drain(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._wake_out, 4096)


@contextmanager
def _process() -> "Iterator[subprocess.Popen[bytes]]":
    """One that is killed at the end, whatever it does."""
    process = subprocess.Popen(  # noqa: S603 - nothing in it comes from anybody else
        COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                with suppress(OSError):
                    pipe.close()
