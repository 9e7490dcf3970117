"""The HTTP server of both programs: the probes, the metrics, the webhook, and the local API.

Whoever reaches a port can send anything, and as slowly as he likes. So no cost grows with what a
peer does:

- Only so many connections are open. One more closes the one that has waited for longest: a slow
  peer is in nobody's way, and a quick one is answered even while a crowd holds the port.
- A whole request, handshake and body included, must arrive within one deadline.
- Head and body are bounded. Large bodies are read a few at a time; a body that is too large, or
  comes while too many large ones are read, is thrown away as it arrives, and the handler sees
  its first bytes only, enough to say no.

Every request needs a Content-Length or has no body; chunked bodies are refused (RFC 9112, 6.3).
"""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from duravip_runtime import http_stream
from duravip_runtime.http_stream import Headers, HttpStream

log = logging.getLogger(__name__)

SMALL_BODY_BYTES: Final = 64 * 1024
"""A body up to this size never waits for others."""
PREFIX_BYTES: Final = 4096
"""What the handler sees of a body that is thrown away."""
PAUSE_S: Final = 0.1
"""After a failure to accept, e.g. when no descriptors are left."""
_CHUNK: Final = 64 * 1024
_END: Final = b"\r\n\r\n"
_WORDS: Final = 3
_LONGEST_NUMBER: Final = 12


class Limits(NamedTuple):
    """What peers may cost."""

    connections: int = 64
    request_s: float = 5.0
    """For a whole request to arrive, and for its answer to be taken."""
    idle_s: float = 120.0
    """Between two requests. Clients written in Go close an idle connection after 90 s."""
    head_bytes: int = 8192
    body_bytes: int = 0
    large_at_once: int = 2
    large_wait_s: float = 1.0
    """So long a large body waits for its turn."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request, as far as it was read."""

    method: str
    path: str
    """Without the query."""
    headers: Mapping[str, str]
    """By the name in lower case."""
    query: str = ""
    """What follows the question mark."""
    body: bytes = b""
    is_whole: bool = True
    """Otherwise the body is only the first bytes of one that could not be taken."""


class HttpResponse(NamedTuple):
    """What is answered."""

    status: int
    body: bytes
    content_type: str = "text/plain"
    headers: Headers = ()
    """Further ones."""


Handler = Callable[[HttpRequest], Awaitable[HttpResponse | HttpStream]]
Context = Callable[[], ssl.SSLContext | None]
"""Gives what the next connection is encrypted with; None: nothing."""


class BadRequestError(Exception):
    """A request that cannot be read: answered with a status, and the connection closed."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens there; raises OSError when it cannot be had."""
    family, *_, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    made = socket.create_server(where[:2], family=family, backlog=128)
    made.setblocking(False)  # noqa: FBT003 - it takes no name
    return made


class _Connection:
    """One peer; `is_answering` while a handler works for it."""

    def __init__(self, peer: socket.socket) -> None:
        self._peer = peer
        self._has_begun = False
        self._writer: asyncio.StreamWriter | None = None
        self.task: asyncio.Task[None] | None = None
        self.is_answering = False

    async def streams(
        self, limit: int, context: ssl.SSLContext | None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """What is read from and written to, once the peer has agreed on the encryption."""
        self._has_begun = True  # from here on asyncio closes the socket
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=limit)
        protocol = asyncio.StreamReaderProtocol(reader)
        made: Any = await loop.connect_accepted_socket(lambda: protocol, self._peer, ssl=context)
        self._writer = asyncio.StreamWriter(made[0], protocol, reader, loop)
        return reader, self._writer

    def close(self) -> None:
        """End the conversation, and give up at once what it holds."""
        if self.task:
            self.task.cancel()
        self.release()

    def release(self) -> None:
        """Close the connection without a word."""
        if self._writer:
            self._writer.transport.abort()
        elif not self._has_begun:
            self._peer.close()


class HttpServer:
    """Accepts connections and has a handler answer the requests."""

    def __init__(
        self,
        listening: socket.socket,
        handler: Handler,
        limits: Limits,
        context: Context = lambda: None,
    ) -> None:
        """`listening` must not block; it is closed with the listener."""
        self._socket = listening
        self._handler = handler
        self._limits = limits
        self._context = context
        self._open: dict[_Connection, None] = {}
        self._large = asyncio.Semaphore(limits.large_at_once)

    async def run(self) -> None:
        """Accept until cancelled."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                try:
                    peer, _ = await loop.sock_accept(self._socket)
                except OSError:  # it went away before it was taken, or no descriptors are left
                    await asyncio.sleep(PAUSE_S)
                    continue
                self._take(peer)
        finally:
            self._socket.close()
            ending = [c.task for c in self._open if c.task]
            for connection in list(self._open):
                connection.close()
            await asyncio.gather(*ending, return_exceptions=True)

    def _take(self, peer: socket.socket) -> None:
        if len(self._open) >= self._limits.connections:
            oldest = next((c for c in self._open if not c.is_answering), None)
            if oldest is None:
                peer.close()
                return
            self._open.pop(oldest)
            oldest.close()
        connection = _Connection(peer)
        self._open[connection] = None
        connection.task = asyncio.create_task(self._converse(connection))

    async def _converse(self, connection: _Connection) -> None:
        try:
            with contextlib.suppress(OSError, EOFError, TimeoutError):
                await self._exchange_all(connection)
        finally:
            self._open.pop(connection, None)
            connection.release()

    async def _exchange_all(self, connection: _Connection) -> None:
        async with asyncio.timeout(self._limits.request_s) as deadline:
            streams = await connection.streams(self._limits.head_bytes, self._context())
            reader, writer = streams
            first = b""
            while await self._exchanged(connection, streams, deadline, first):
                deadline.reschedule(self._in(self._limits.idle_s))
                first = await reader.readexactly(1)
                self._open[connection] = self._open.pop(connection)  # the last to be closed
                deadline.reschedule(self._in(self._limits.request_s))
            writer.close()
            await writer.wait_closed()

    async def _exchanged(
        self,
        connection: _Connection,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        deadline: asyncio.Timeout,
        first: bytes,
    ) -> bool:
        """Answer one request; whether another one may follow."""
        reader, writer = streams
        goes_on = False
        try:
            head = _parsed(first + await _head(reader))
            async with self._with_body(head, reader) as request:
                connection.is_answering = True
                deadline.reschedule(None)
                response = await self._answer(request)
            if isinstance(response, HttpStream):
                await http_stream.send(reader, writer, response)
                deadline.reschedule(self._in(self._limits.request_s))
                return False
            goes_on = head.headers.get("connection", "").lower() != "close"
        except BadRequestError as error:
            response = _refusal(error.status)
        connection.is_answering = False
        deadline.reschedule(self._in(self._limits.request_s))
        writer.write(_written(response, goes_on=goes_on))
        await writer.drain()
        return goes_on

    async def _answer(self, request: HttpRequest) -> HttpResponse | HttpStream:
        try:
            return await self._handler(request)
        except Exception:  # a bug of ours, which shall cost this answer only
            log.exception("cannot answer %s %s", request.method, request.path)
            return _refusal(HTTPStatus.INTERNAL_SERVER_ERROR)

    @contextlib.asynccontextmanager
    async def _with_body(
        self, head: HttpRequest, reader: asyncio.StreamReader
    ) -> AsyncIterator[HttpRequest]:
        """The request with its body; a large one keeps its place in the queue until the end."""
        length = _length(head)
        if length and not self._limits.body_bytes:
            raise BadRequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        if length <= min(SMALL_BODY_BYTES, self._limits.body_bytes):
            yield replace(head, body=await reader.readexactly(length))
        elif length <= self._limits.body_bytes and await self._has_turn():
            try:
                yield replace(head, body=await reader.readexactly(length))
            finally:
                self._large.release()
        else:
            yield replace(head, body=await _prefix(reader, length), is_whole=False)

    async def _has_turn(self) -> bool:
        try:
            async with asyncio.timeout(self._limits.large_wait_s):
                await self._large.acquire()
        except TimeoutError:
            return False
        return True

    @staticmethod
    def _in(seconds: float) -> float:
        return asyncio.get_running_loop().time() + seconds


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(_END)
    except asyncio.LimitOverrunError as error:
        raise BadRequestError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE) from error


def _parsed(head: bytes) -> HttpRequest:
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    words = first.split(" ")
    if len(words) != _WORDS or not words[2].startswith("HTTP/1."):
        raise BadRequestError(HTTPStatus.BAD_REQUEST)
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    if words[2] == "HTTP/1.0":
        headers["connection"] = "close"
    path, _, query = words[1].partition("?")
    return HttpRequest(words[0], path, headers, query)


def _length(head: HttpRequest) -> int:
    if "transfer-encoding" in head.headers:
        raise BadRequestError(HTTPStatus.LENGTH_REQUIRED)
    said = head.headers.get("content-length", "0")
    if not (said.isascii() and said.isdigit() and len(said) < _LONGEST_NUMBER):
        raise BadRequestError(HTTPStatus.BAD_REQUEST)
    return int(said)


async def _prefix(reader: asyncio.StreamReader, length: int) -> bytes:
    """The first bytes of a body; the rest is read, for the peer to listen, and thrown away."""
    kept = b""
    while length > 0:
        chunk = await reader.read(min(length, _CHUNK))
        if not chunk:
            raise EOFError
        length -= len(chunk)
        kept += chunk[: PREFIX_BYTES - len(kept)]
    return kept


def _refusal(status: HTTPStatus) -> HttpResponse:
    return HttpResponse(status, f"{status.phrase}\n".encode())


def _written(response: HttpResponse, *, goes_on: bool) -> bytes:
    status = HTTPStatus(response.status)
    lines = (
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"Content-Type: {response.content_type}",
        f"Content-Length: {len(response.body)}",
        *(f"{name}: {value}" for name, value in response.headers),
        *(() if goes_on else ("Connection: close",)),
    )
    return "\r\n".join(lines).encode() + _END + response.body
