"""The local API (`duravip_runtime.local_api`): tells programs of the node what it serves.

The loop hands over what may be heard, and goes on: all else is done by a thread of its own, which
numbers the changes, writes them down once, and sends them to everyone who watches. A watcher that
does not keep up is dropped, and asks again. So neither their number nor what they do costs the
loop anything, and the memory that they cost is bounded.

*Lost* is to be read before the kernel loses the address. Nothing waits for that but the deletion
of addresses that are mute (`is_notifying_loss`), for which nobody waits either, and not for long.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import replace
from http import HTTPStatus
from threading import Thread
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from duravip_agent import clock
from duravip_agent.core.node_spec import Placement
from duravip_api.annotations import format_clock_time
from duravip_runtime.http_server import HttpRequest, HttpResponse, HttpServer, Limits
from duravip_runtime.http_stream import HttpStream
from duravip_runtime.local_api import (
    ALIVE_EVERY_S,
    SERVED_PATH,
    WATCH,
    ServedAddress,
    ServedChange,
    ServedSnapshot,
    applied,
    canonical,
    encode_change,
    encode_entry,
    encode_snapshot,
    in_order,
)
from duravip_runtime.local_endpoint import ListeningSocket, listen, parse_local_endpoint

log = logging.getLogger(__name__)

LIMITS: Final = Limits(connections=64, idle_s=30.0, head_bytes=4096)
MAX_WATCHERS: Final = 32
"""Fewer than connections, so that single questions are always answered."""
SLOW_AFTER_S: Final = 1.0
"""A watcher that a change has waited for so long is dropped."""
LOSS_NOTIFIED_WITHIN_S: Final = 0.1
"""How long the deletion of mute addresses waits at most until watchers were notified."""
POLL_S: Final = 0.001
CLOSED_WITHIN_S: Final = 0.1
JSON: Final = "application/json"
LINES: Final = "application/x-ndjson"


class Identity(NamedTuple):
    """Whose answers these are, and whether a leader hears the agent."""

    node: str
    boot: str
    has_contact: bool


class _Line(NamedTuple):
    """A line for watchers, and when it was written, by the loop's clock."""

    text: bytes
    revision: int
    written: float


class LocalApi:
    """Answers from `start` on, until `close`; with nothing to listen on it is off.

    `update` and `is_notifying_loss` are for the agent's loop, `answer` for the API's own thread.
    """

    def __init__(
        self, listening: ListeningSocket | None, identity: Callable[[], Identity]
    ) -> None:
        self._listening, self._identity = listening, identity
        self._handed_over: frozenset[str] = frozenset()
        """What the loop has said last."""
        self._losses = self._losses_notified = 0
        self._lost_at = clock.monotonic()
        self._snapshot = ServedSnapshot("", "")
        self._encoded: tuple[ServedSnapshot, bytes] | None = None
        self._watchers: set[asyncio.Queue[_Line]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Begin to answer."""
        if self._listening:
            self._loop = asyncio.new_event_loop()
            self._loop.set_exception_handler(_log_failure)
            server = HttpServer(self._listening.socket, self.answer, LIMITS)
            self._serving = self._loop.create_task(server.run())
            self._thread = Thread(target=self._run, name="local-api", daemon=True)
            self._thread.start()

    def update(self, active: frozenset[str], wanted: Mapping[str, Placement]) -> None:
        """These may be heard now, where the spec wants them. Never waits."""
        before = self._handed_over
        if active == before or self._loop is None:
            return
        lost = before - active
        self._handed_over = (before - lost).union((active - before) & wanted.keys())
        if lost:
            self._losses += 1
            self._lost_at = clock.monotonic()
        handed_over = self._handed_over, wanted, time.time()
        self._loop.call_soon_threadsafe(self._take_up, *handed_over, bool(lost))

    def is_notifying_loss(self) -> bool:
        """Whether watchers are being notified of a loss at this moment; never for long."""
        is_late = clock.monotonic() - self._lost_at >= LOSS_NOTIFIED_WITHIN_S
        return self._losses_notified < self._losses and not is_late

    def wait_until_notified(self) -> None:
        """Wait until watchers know of a loss, for `LOSS_NOTIFIED_WITHIN_S` at most."""
        while self.is_notifying_loss():
            time.sleep(POLL_S)

    def close(self) -> None:
        """End all connections, and remove the socket's file. After `start` only."""
        if self._listening and self._loop:
            self._listening.remove_file()
            self._loop.call_soon_threadsafe(self._serving.cancel)
            self._thread.join(CLOSED_WITHIN_S)

    async def answer(self, request: HttpRequest) -> HttpResponse | HttpStream:
        """What is asked for."""
        if request.method != "GET":
            return _refusal(HTTPStatus.METHOD_NOT_ALLOWED, "GET alone is answered")
        path, _, address = request.path.partition(f"{SERVED_PATH}/")
        if address and not path:
            return self._one(unquote(address))
        if request.path != SERVED_PATH:
            there = f"there are {SERVED_PATH} and {SERVED_PATH}/ADDRESS"
            return _refusal(HTTPStatus.NOT_FOUND, there)
        if request.query == WATCH:
            return self._watch()
        if request.query:
            return _refusal(HTTPStatus.BAD_REQUEST, f"the one query that is known is {WATCH}")
        return HttpResponse(HTTPStatus.OK, self._encoded_snapshot(), JSON)

    def _one(self, text: str) -> HttpResponse:
        try:
            address = canonical(text)
        except ValueError:
            return _refusal(HTTPStatus.BAD_REQUEST, "this is no address")
        entry = self._snapshot.served.get(address)
        if entry is None:
            return _refusal(HTTPStatus.NOT_FOUND, f"{address} is not served here")
        return HttpResponse(HTTPStatus.OK, encode_entry(entry), JSON)

    def _watch(self) -> HttpResponse | HttpStream:
        if len(self._watchers) >= MAX_WATCHERS:
            return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, f"{MAX_WATCHERS} watch already")
        return HttpStream(self._lines(), LINES, SLOW_AFTER_S)

    async def _lines(self) -> AsyncGenerator[bytes, None]:
        lines: asyncio.Queue[_Line] = asyncio.Queue()
        self._watchers.add(lines)
        try:
            revision = self._snapshot.revision
            yield self._encoded_snapshot()
            while True:
                try:
                    async with asyncio.timeout(ALIVE_EVERY_S):
                        line = await lines.get()
                except TimeoutError:
                    yield encode_change(ServedChange(revision))
                    continue
                if _now() - line.written > SLOW_AFTER_S:
                    return
                revision = line.revision
                yield line.text
        finally:
            self._watchers.discard(lines)

    def _take_up(
        self,
        active: frozenset[str],
        wanted: Mapping[str, Placement],
        at: float,
        is_loss: bool,  # noqa: FBT001 - callbacks take no names
    ) -> None:
        """Let everyone know who watches."""
        self._notify(active, wanted, format_clock_time(at))
        if is_loss:  # whoever waits for a line writes it before the next callback
            asyncio.get_running_loop().call_soon(self._count_notified)

    def _notify(self, active: frozenset[str], wanted: Mapping[str, Placement], since: str) -> None:
        """Bring the snapshot up to this, whatever it was, and tell watchers the difference."""
        served = self._snapshot.served
        gained = (active - served.keys()) & wanted.keys()
        lost = served.keys() - active
        if not (gained or lost):
            return
        change = ServedChange(
            self._snapshot.revision + 1,
            tuple(in_order(ServedAddress(a, wanted[a].interface, since) for a in gained)),
            tuple(in_order(served[a] for a in lost)),
        )
        self._snapshot = applied(self._snapshot, change)
        if self._watchers:
            line = _Line(encode_change(change), change.revision, _now())
            for watcher in self._watchers:
                watcher.put_nowait(line)

    def _count_notified(self) -> None:
        self._losses_notified += 1

    def _encoded_snapshot(self) -> bytes:
        """Of this revision; written down once, however many ask."""
        node, boot, has_contact = self._identity()
        now = replace(self._snapshot, node=node, boot=boot, contact=has_contact)
        if self._encoded is None or self._encoded[0] != now:
            self._encoded = now, encode_snapshot(now)
        return self._encoded[1]

    def _run(self) -> None:
        loop = self._serving.get_loop()
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_until_complete(self._serving)
        loop.run_until_complete(asyncio.sleep(0))  # transports that were closed end here
        loop.close()


def open_local_api(where: str, group: str, identity: Callable[[], Identity]) -> LocalApi:
    """The local API at a `LocalListen`.

    Where that place cannot be had there is none until the agent starts anew: its addresses do not
    depend on who may ask for them.
    """
    if not where:
        return LocalApi(None, identity)
    try:
        return LocalApi(listen(parse_local_endpoint(where), group), identity)
    except OSError as error:
        why = error.strerror or error
        log.warning("programs of this node cannot ask: cannot listen on %s: %s", where, why)
        return LocalApi(None, identity)


def _log_failure(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Say what asyncio would say: its own lines are not logged."""
    log.error("local API: %s", context["message"], exc_info=context.get("exception"))


def _now() -> float:
    return asyncio.get_running_loop().time()


def _refusal(status: HTTPStatus, why: str) -> HttpResponse:
    return HttpResponse(status, f"{why}\n".encode())
