"""The HTTP server of the ports: whatever a peer does, it costs little and disturbs nobody."""

import asyncio
import contextlib
import http.client
import socket
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from threading import Event

import pytest

from duravip_runtime.http_pages import Pages, PageServer
from duravip_runtime.http_server import (
    PREFIX_BYTES,
    SMALL_BODY_BYTES,
    HttpRequest,
    HttpResponse,
    HttpServer,
    Limits,
    listening_socket,
)
from duravip_runtime.http_stream import HttpStream

PATIENT = Limits(request_s=60, idle_s=60, body_bytes=1_000_000)
LARGE = SMALL_BODY_BYTES + 1

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Play = Callable[[int], Awaitable[None]]


async def echo(request: HttpRequest) -> HttpResponse:
    whole = "whole" if request.is_whole else "cut"
    return HttpResponse(
        200, f"{request.method} {request.path} {len(request.body)} {whole}".encode()
    )


def served(play: Play, limits: Limits = PATIENT, handler: object = echo) -> None:
    """Run a server, and `play` with its port."""

    async def run() -> None:
        listening = listening_socket("127.0.0.1", 0)
        port = int(listening.getsockname()[1])
        listener = HttpServer(listening, handler, limits)  # type: ignore[arg-type]
        task = asyncio.create_task(listener.run())
        try:
            async with asyncio.timeout(30):
                await play(port)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())


async def sent(port: int, data: bytes) -> Streams:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    await writer.drain()
    return reader, writer


async def answer(streams: Streams) -> str:
    """All that comes until the other side closes."""
    reader, writer = streams
    try:
        return (await reader.read()).decode()
    except ConnectionError:
        return ""
    finally:
        writer.close()


async def asked(port: int, data: bytes) -> str:
    return await answer(await sent(port, data))


def post(length: int, body: bytes = b"") -> bytes:
    return b"POST /a?b HTTP/1.1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % length + body


def test_a_crowd_of_slow_peers_keeps_nobody_from_an_answer() -> None:
    async def play(port: int) -> None:
        slow = [await sent(port, b"GET / HTT") for _ in range(200)]
        slow += [await sent(port, post(LARGE, b"x")) for _ in range(20)]
        assert (await asked(port, post(3, b"abc"))).endswith("POST /a 3 whole")
        assert await answer(slow[0]) == ""  # the first ones had to go
        for _, writer in slow:
            writer.close()

    served(play)


def test_a_request_that_does_not_arrive_in_time_is_cut_off_however_it_drips() -> None:
    limit = 0.2

    async def drip(port: int) -> bytes:
        """Send a byte now and then until the other side closes; what that has said."""
        reader, writer = await sent(port, b"GET / HTTP/1.1\r\n")
        cut = asyncio.create_task(reader.read())
        while not cut.done():
            writer.write(b"a")
            await asyncio.sleep(0.01)
        writer.close()
        return await cut

    async def play(port: int) -> None:
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):  # on a busy machine before all is sent
            assert await drip(port) == b""
        assert time.monotonic() - began >= limit

    served(play, PATIENT._replace(request_s=limit))


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/2\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\na: " + b"b" * 9000 + b"\r\n\r\n", 431),
        (b"\0" * 9000, 431),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999999999\r\n\r\n", 400),
    ],
)
def test_what_cannot_be_read_is_refused(request_: bytes, status: int) -> None:
    async def play(port: int) -> None:
        assert (await asked(port, request_)).startswith(f"HTTP/1.1 {status} ")

    served(play)


def test_without_a_limit_for_bodies_none_is_taken() -> None:
    async def play(port: int) -> None:
        assert (await asked(port, post(1, b"a"))).startswith("HTTP/1.1 413 ")
        assert (await asked(port, post(0))).endswith("POST /a 0 whole")

    served(play, PATIENT._replace(body_bytes=0))


def test_of_a_body_that_is_too_large_the_handler_sees_the_beginning() -> None:
    async def play(port: int) -> None:
        assert (await asked(port, post(2000, b"x" * 2000))).endswith("2000 whole")
        much = await asked(port, post(200_000, b"x" * 200_000))
        assert much.endswith(f" {PREFIX_BYTES} cut")

    served(play, PATIENT._replace(body_bytes=100_000))


def test_large_bodies_wait_for_one_another_and_small_ones_for_nobody() -> None:
    async def play(port: int) -> None:
        first = await sent(port, post(LARGE, b"x"))
        assert (await asked(port, post(3, b"abc"))).endswith("3 whole")
        assert (await asked(port, post(LARGE, b"x" * LARGE))).endswith("cut")
        first[1].write(b"x" * (LARGE - 1))
        assert (await answer(first)).endswith(f"{LARGE} whole")
        assert (await asked(port, post(LARGE, b"x" * LARGE))).endswith("whole")

    served(play, PATIENT._replace(large_at_once=1, large_wait_s=0.2))


def test_a_connection_serves_several_requests() -> None:
    async def play(port: int) -> None:
        two = b"GET /one HTTP/1.1\r\n\r\nGET /two HTTP/1.0\r\n\r\n"
        said = await asked(port, two)
        assert "GET /one 0 whole" in said
        assert said.endswith("GET /two 0 whole")

    served(play)


def test_a_handler_that_raises_costs_one_answer(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(_: HttpRequest) -> HttpResponse:
        raise RuntimeError("a bug")

    async def play(port: int) -> None:
        for _ in range(2):
            assert (await asked(port, post(0))).startswith("HTTP/1.1 500 ")

    served(play, handler=broken)
    assert "cannot answer POST /a" in caplog.text


class Work:
    """A page that takes as long as one lets it, and counts how often it is worked out."""

    def __init__(self) -> None:
        self.times = 0
        self.go_on = Event()

    def __call__(self) -> bytes:
        self.times += 1
        assert self.go_on.wait(20)
        return b"metric 1\n"


def test_a_page_is_worked_out_once_for_all_who_ask() -> None:
    now = [0.0]
    work = Work()
    pages = Pages({"/healthz": lambda: ""}, work, "text/plain", clock=lambda: now[0])
    metrics = HttpRequest("GET", "/metrics", {})

    async def run() -> None:
        asking = [asyncio.create_task(pages.answer(metrics)) for _ in range(50)]
        await asyncio.sleep(0)
        well = await pages.answer(HttpRequest("GET", "/healthz", {}))
        assert (well.status, well.body) == (200, b"ok\n")  # beside a page that hangs
        work.go_on.set()
        assert {a.body for a in await asyncio.gather(*asking)} == {b"metric 1\n"}
        assert work.times == 1
        now[0] = 0.9
        await pages.answer(metrics)
        assert work.times == 1
        now[0] = 1.1
        await pages.answer(metrics)
        assert work.times == 2

    asyncio.run(run())


def test_pages_are_answered_from_a_thread_and_probes_say_what_is_wrong() -> None:
    pages = Pages({"/healthz": lambda: "", "/readyz": lambda: "cold"}, bytes, "text/plain")
    server = PageServer(("127.0.0.1", 0), pages)
    server.start()
    expected = {
        "/healthz": (200, b"ok\n"),
        "/readyz": (503, b"cold\n"),
        "/nope": (404, b"there are /healthz, /readyz, /metrics\n"),
    }
    try:
        for path, shown in expected.items():
            client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
            client.request("GET", path)
            found = client.getresponse()
            assert (found.status, found.read()) == shown
            client.close()
    finally:
        server.stop()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", server.port)) != 0


def test_an_answer_and_a_stream_carry_the_headers_that_they_are_given() -> None:
    headers = (("X-One", "1"), ("X-Two", "2"))

    async def pieces() -> AsyncGenerator[bytes, None]:
        yield b"piece"

    async def handler(request: HttpRequest) -> HttpResponse | HttpStream:
        if request.path == "/stream":
            return HttpStream(pieces(), "text/event-stream", 5.0, headers)
        return HttpResponse(200, b"body", headers=headers)

    async def play(port: int) -> None:
        for path, body in (("/", "body"), ("/stream", "piece")):
            get = f"GET {path} HTTP/1.1\r\nConnection: close\r\n\r\n"
            head, _, rest = (await asked(port, get.encode())).partition("\r\n\r\n")
            assert "X-One: 1\r\nX-Two: 2\r\nConnection: close" in head
            assert rest == body

    served(play, handler=handler)
