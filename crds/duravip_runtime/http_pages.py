"""The pages /metrics, /healthz and /readyz, answered from a thread of their own.

A probe that waits for a busy loop would say that a busy program is dead. Each page is worked out
once at a time, and kept for a moment: however many ask, it costs as much as for one.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from threading import Thread
from typing import Final

from duravip_runtime.http_server import (
    HttpRequest,
    HttpResponse,
    HttpServer,
    Limits,
    listening_socket,
)

log = logging.getLogger(__name__)

PROBE_KEPT_S: Final = 0.1
METRICS_KEPT_S: Final = 1.0
LIMITS: Final = Limits(connections=32, idle_s=30.0)
STOP_WITHIN_S: Final = 1.0

Probe = Callable[[], str]
"""Gives an empty string when all is well, else a sentence. Called in a thread."""


class Pages:
    """What the paths show."""

    def __init__(
        self,
        probes: Mapping[str, Probe],
        metrics: Callable[[], bytes],
        metrics_type: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`probes` are by path, e.g. `/healthz`; `metrics` gives the text of /metrics."""
        self._work: dict[str, tuple[Callable[[], HttpResponse], float]] = {
            path: (partial(_probed, probe), PROBE_KEPT_S) for path, probe in probes.items()
        }
        self._work["/metrics"] = (
            lambda: HttpResponse(HTTPStatus.OK, metrics(), metrics_type),
            METRICS_KEPT_S,
        )
        self._clock = clock
        self._pool = ThreadPoolExecutor(len(self._work), thread_name_prefix="http")
        self._running: dict[str, asyncio.Future[HttpResponse]] = {}
        self._kept: dict[str, tuple[float, HttpResponse]] = {}

    async def answer(self, request: HttpRequest) -> HttpResponse:
        """The page that is asked for."""
        path = request.path
        if path not in self._work:
            there = f"there are {', '.join(self._work)}\n"
            return HttpResponse(HTTPStatus.NOT_FOUND, there.encode())
        if request.method != "GET":
            return HttpResponse(HTTPStatus.METHOD_NOT_ALLOWED, b"GET alone is answered\n")
        work, kept_s = self._work[path]
        when, response = self._kept.get(path, (0.0, None))
        if response is not None and self._clock() - when < kept_s:
            return response
        running = self._running.get(path)
        if running is None:
            loop = asyncio.get_running_loop()
            running = loop.run_in_executor(self._pool, work)
            self._running[path] = running
            running.add_done_callback(partial(self._keep, path))
        return await asyncio.shield(running)

    def _keep(self, path: str, done: asyncio.Future[HttpResponse]) -> None:
        self._running.pop(path, None)
        if not done.cancelled() and not done.exception():
            self._kept[path] = (self._clock(), done.result())


class PageServer:
    """Answers from `start` on, until `stop`, in a thread of its own."""

    def __init__(self, where: tuple[str, int], pages: Pages) -> None:
        """Take the address; raises OSError when it cannot be had."""
        self._socket = listening_socket(*where)
        self.port = int(self._socket.getsockname()[1])
        self._pages = pages
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._run, name="http", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        listener = HttpServer(self._socket, self._pages.answer, LIMITS)
        self._task = self._loop.create_task(listener.run())
        self._thread.start()

    def stop(self) -> None:
        """Close the socket. After `start` only."""
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(STOP_WITHIN_S)

    def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._task)
        self._loop.run_until_complete(asyncio.sleep(0))  # transports that were closed end here
        self._loop.close()


def _probed(probe: Probe) -> HttpResponse:
    problem = probe()
    status = HTTPStatus.SERVICE_UNAVAILABLE if problem else HTTPStatus.OK
    return HttpResponse(status, f"{problem or 'ok'}\n".encode())
