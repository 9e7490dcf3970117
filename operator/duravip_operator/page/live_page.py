"""Serves the page, from a thread of its own: its files, and a stream of what changes.

While nobody looks, nothing is done but to listen. While somebody does, the caches are looked at
five times a second; what differs is encoded once and sent to all. The thread takes the interpreter
for about a millisecond at a time, then rests, and rows wait while a write is under way that a
fail-over waits for: so no pass waits for the page.

The page tells what tenants have written, to whoever can reach it. So in a pod it listens on
loopback, which `kubectl port-forward` reaches, whose use the API server authorizes. A browser is
the one program that others can make ask: a name that is not this machine's is refused, since it
may be one that was pointed here (DNS rebinding), and so are questions of other sites.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncGenerator, Mapping
from http import HTTPStatus
from importlib.resources import files
from pathlib import Path
from threading import Thread
from typing import Final, Protocol

from duravip_operator.page.model import ROWS_PER_MESSAGE, PageModel, encode, message, moves_told
from duravip_operator.page.moves import MoveTape
from duravip_operator.page.sources import Facts
from duravip_operator.page.viewers import MAX_VIEWERS, Viewers
from duravip_runtime.http_server import (
    HttpRequest,
    HttpResponse,
    HttpServer,
    Limits,
    listening_socket,
)
from duravip_runtime.http_stream import HttpStream
from duravip_runtime.settings import SettingsError, parse_endpoint

log = logging.getLogger(__name__)

REFRESH_S: Final = 0.2
TICK_S: Final = 1.0
"""A viewer hears something at least this often; the page counts three of them as the end."""
ROWS_AT_ONCE: Final = 32
"""So many rows are made before others get to run: less than a millisecond."""
SEGMENTS_AT_ONCE: Final = 4
"""The same of Topologies, each of which is looked for on every node."""
REST_S: Final = 0.002
BUSY_FOR_S: Final = 1.0
"""Rows wait no longer than this for an urgent write, which may wait for an API server."""
SLOW_AFTER_S: Final = 10.0
LIMITS: Final = Limits(connections=MAX_VIEWERS + 32, idle_s=30.0, head_bytes=8192)
STOP_WITHIN_S: Final = 1.0

_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_HEADERS: Final = (
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
)


class PageSources(Protocol):
    """What is read: `sources.Sources`."""

    tape: MoveTape

    def facts(self) -> Facts:
        """All that is shown, as it is now."""

    def is_busy(self) -> bool:
        """Whether a write is under way that a fail-over waits for."""

    def ask_ages(self) -> None:
        """Ask for what `ages` gives later."""

    def ages(self) -> Mapping[str, float]:
        """Seconds since each node was heard."""

    def api_ms(self) -> int:
        """What a slow request to the API server has taken lately, in milliseconds."""


class LivePage:
    """Answers from `start` on, until `stop`."""

    def __init__(self, listen: str | None, sources: PageSources) -> None:
        """Take HOST:PORT; None: it is off. Raises SettingsError when it cannot be had."""
        self._sources = sources
        self._viewers = Viewers()
        self._model = PageModel()
        self._is_built = asyncio.Event()
        self._refreshing: asyncio.Task[None] | None = None
        self._socket: socket.socket | None = None
        if listen is None:
            return
        try:
            self._socket = listening_socket(*parse_endpoint(listen))
        except OSError as error:
            raise SettingsError(f"--page-listen: cannot listen on {listen}: {error}") from error
        self.port = int(self._socket.getsockname()[1])
        self._files = _static_files()

    def start(self) -> None:
        """Begin to answer."""
        if self._socket:
            self._loop = asyncio.new_event_loop()
            server = HttpServer(self._socket, self.answer, LIMITS)
            self._serving = self._loop.create_task(server.run())
            self._thread = Thread(target=self._run, name="page", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End all connections, unless that was done. After `start` only."""
        if self._socket:
            self._socket = None
            self._loop.call_soon_threadsafe(self._serving.cancel)
            self._thread.join(STOP_WITHIN_S)

    def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._serving)
        if self._refreshing:
            self._refreshing.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))  # what was closed, or cancelled, ends here
        self._loop.close()

    async def answer(self, request: HttpRequest) -> HttpResponse | HttpStream:
        """A file of the page, or the stream."""
        if request.method != "GET":
            return _refusal(HTTPStatus.METHOD_NOT_ALLOWED, "GET alone is answered")
        if not _is_own_name(request.headers.get("host", "")):
            why = "ask by an address, or as localhost: any other name may be a trick"
            return _refusal(HTTPStatus.MISDIRECTED_REQUEST, why)
        if request.path == "/events":
            return self._watch(request)
        found = self._files.get(request.path)
        return found or _refusal(HTTPStatus.NOT_FOUND, "the page is at /")

    def _watch(self, request: HttpRequest) -> HttpResponse | HttpStream:
        if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            return _refusal(HTTPStatus.FORBIDDEN, "not for pages of other sites")
        return HttpStream(self._messages(), "text/event-stream", SLOW_AFTER_S, _HEADERS)

    async def _messages(self) -> AsyncGenerator[bytes]:
        """What one viewer gets: everything, and then what changes."""
        if self._viewers.is_full:
            yield message(full=encode(MAX_VIEWERS))  # a browser shows no page what an error says
            return
        viewer = self._viewers.join()
        try:
            if not self._refreshing:
                self._refreshing = asyncio.create_task(self._refresh())
            yield b": the whole comes first\n\n"
            await self._is_built.wait()
            viewer.begin()
            for part in self._model.whole():
                yield part
            while (news := await viewer.next()) is not None:
                yield news
        finally:
            self._viewers.leave(viewer)
            if not self._viewers and self._refreshing:
                self._refreshing.cancel()
                self._refreshing = None
                self._forget()

    def _forget(self) -> None:
        """Nobody looks: keep nothing."""
        self._model = PageModel()
        self._is_built = asyncio.Event()

    async def _refresh(self) -> None:
        """Tell all viewers what differs, until it is cancelled."""
        clock = asyncio.get_running_loop().time
        next_tick = clock()
        while True:
            try:
                await self._update(self._sources.facts())
                if clock() >= next_tick:
                    next_tick = clock() + TICK_S
                    self._sources.ask_ages()
                    self._viewers.broadcast(self._tick())
            except Exception:  # a bug of ours, which shall not freeze what people look at
                log.exception("the page was not brought up to date")
            await asyncio.sleep(REFRESH_S)

    def _tick(self) -> bytes:
        ages = {name: round(age, 3) for name, age in self._sources.ages().items()}
        return message(heard=encode(ages), apiMs=encode(self._sources.api_ms()))

    async def _update(self, facts: Facts) -> None:
        broadcast = self._viewers.broadcast
        broadcast(self._model.update_overview(facts))
        broadcast(message(moves=self._model.update_moves(self._sources.tape.recent())))
        await self._stand_back()
        await self._update_segments(facts)
        await self._update_rows(facts)
        self._is_built.set()

    async def _update_segments(self, facts: Facts) -> None:
        broadcast = self._viewers.broadcast
        outdated = self._model.outdated_segments(facts)
        for first in range(0, len(outdated), SEGMENTS_AT_ONCE):
            segments = self._model.update_segments(outdated[first : first + SEGMENTS_AT_ONCE])
            broadcast(message(segments=segments))
            await asyncio.sleep(REST_S)
        broadcast(message(lostSegments=self._model.remove_segments()))

    async def _update_rows(self, facts: Facts) -> None:
        broadcast = self._viewers.broadcast
        outdated = self._model.outdated(facts)
        rows: list[bytes] = []
        for first in range(0, len(outdated), ROWS_AT_ONCE):
            vips = outdated[first : first + ROWS_AT_ONCE]
            rows += self._model.update_rows(vips)
            if moves := self._model.update_moves(moves_told(vips)):
                broadcast(message(moves=moves))
            if len(rows) >= ROWS_PER_MESSAGE:
                broadcast(message(rows=rows))
                rows = []
            await asyncio.sleep(REST_S)
        broadcast(message(rows=rows, lostRows=self._model.remove_rows(facts)))

    async def _stand_back(self) -> None:
        clock = asyncio.get_running_loop().time
        until = clock() + BUSY_FOR_S
        while self._sources.is_busy() and clock() < until:  # noqa: ASYNC110 - in another thread
            await asyncio.sleep(REST_S)


def _static_files() -> dict[str, HttpResponse]:
    """By path: everything that the page is made of."""
    found = {
        f"/{file.name}": HttpResponse(
            HTTPStatus.OK, file.read_bytes(), _TYPES[Path(file.name).suffix], _HEADERS
        )
        for file in files("duravip_operator.page").joinpath("static").iterdir()
        if Path(file.name).suffix in _TYPES
    }
    return {"/": found["/index.html"], **found}


def _is_own_name(host: str) -> bool:
    """Whether it is an address or `localhost`, with or without a port."""
    try:
        endpoint = parse_endpoint(host if host.rpartition("]")[2].count(":") else f"{host}:0")
    except ValueError:
        return False
    return endpoint.is_numeric or endpoint.host.lower() == "localhost"


def _refusal(status: HTTPStatus, why: str) -> HttpResponse:
    return HttpResponse(status, f"{why}\n".encode(), headers=_HEADERS)
