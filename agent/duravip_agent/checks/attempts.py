"""One probe of a check, as a generator that yields what it waits for, and then its result.

It yields `(socket, READ or WRITE)` where it has to wait, and may be resumed at any time: if that
is not possible yet, it yields the same again. After it has yielded a `Result` it lets the server
finish, which nobody waits for. Whoever runs it closes it when its time is up, and so its socket.
An asyncio task for each probe would cost several times as much, on each node and every second.

The probe comes from the very address that it goes to. Nothing of a certificate is verified, no
redirect is followed, and some kilobytes are read at most, whatever the server sends.
"""

import errno
import os
import socket
import ssl
from collections.abc import Generator
from contextlib import suppress
from enum import StrEnum
from functools import cache
from typing import Final

from duravip_agent.core.checks import MOST_READ, Probe, status_in

READ, WRITE = 1, 4
"""As epoll has them: EPOLLIN and EPOLLOUT."""

LINGER_BYTES: Final = 8192
"""A server may send so much after its status before the connection is closed: few servers like to
be cut short."""

_TCP: Final = int(socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
_UNDER_WAY: Final = (errno.EINPROGRESS, errno.EALREADY)
_BIND_ADDRESS_NO_PORT: Final = 24
"""The kernel chooses the port once it knows both ends, so that one port can serve several."""


class Result(StrEnum):
    """What came of a probe: the label of a metric."""

    __hash__ = str.__hash__  # that of enums is slower

    PASSED = "passed"
    REFUSED = "refused"
    """No connection came about."""
    STATUS = "status"
    """Another status than the check accepts."""
    INVALID = "invalid"
    """No answer that can be read, or the connection ended before it."""
    TIMEOUT = "timeout"


Wait = tuple[socket.socket, int]
Waiting = Generator[Wait, None, None]
Asking = Generator[Wait, None, int]
"""Gives back a status."""
Attempt = Generator[Wait | Result, None, None]


def attempt(probe: Probe, request: bytes) -> Attempt:
    """Make one probe; `request` is what it sends, if it does."""
    family = socket.AF_INET6 if ":" in probe.target else socket.AF_INET
    with socket.socket(family, _TCP) as sock:
        try:
            yield from _connect(sock, probe)
        except OSError:
            yield Result.REFUSED
            return
        if probe.scheme == "tcp":
            yield Result.PASSED
            return
        is_tls = probe.scheme == "https"
        try:
            status = yield from (
                _ask_by_tls(sock, request, probe.host) if is_tls else _ask(sock, request)
            )
        except (OSError, ValueError):
            yield Result.INVALID
            return
        yield Result.PASSED if probe.accepts(status) else Result.STATUS
        with suppress(OSError):  # the socket of TLS is closed
            yield from _read_rest(sock)


def _connect(sock: socket.socket, probe: Probe) -> Waiting:
    address, _, interface = probe.target.partition("%")
    scope = (0, socket.if_nametoindex(interface)) if interface else ()
    sock.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
    sock.bind((address, 0, *scope))
    server = (address, probe.port, *scope)
    while (code := sock.connect_ex(server)) in _UNDER_WAY:
        if code == errno.EALREADY:  # else the second call tells what became of the first
            yield sock, WRITE
    if code:
        raise OSError(code, os.strerror(code))


def _ask(sock: socket.socket, request: bytes) -> Asking:
    sock.send(request)  # it fits into an empty buffer
    answer = b""
    yield sock, READ
    while (status := status_in(answer)) is None:
        data = yield from _receive(sock, MOST_READ - len(answer))
        if not data:
            raise ValueError("no answer")
        answer += data
    return status


def _read_rest(sock: socket.socket) -> Waiting:
    left = LINGER_BYTES
    while left > 0 and (data := (yield from _receive(sock, left))):
        left -= len(data)


def _receive(sock: socket.socket, most: int) -> Generator[Wait, None, bytes]:
    while True:
        try:
            return sock.recv(most)
        except BlockingIOError:
            yield sock, READ


def _ask_by_tls(sock: socket.socket, request: bytes, host: str) -> Asking:
    name = host.partition(":")[0] or None
    with _context().wrap_socket(
        sock, do_handshake_on_connect=False, server_hostname=name
    ) as secure:
        is_open, answer = False, b""
        while (status := status_in(answer)) is None:
            try:
                if not is_open:
                    secure.do_handshake()
                    is_open = True
                    secure.send(request)
                data = secure.recv(MOST_READ - len(answer))
            except ssl.SSLWantReadError:
                yield secure, READ
                continue
            except ssl.SSLWantWriteError:
                yield secure, WRITE
                continue
            if not data:
                raise ValueError("no answer")
            answer += data
    return status


@cache
def _context() -> ssl.SSLContext:
    """Who answers is not verified: it is a program of this node, at an address of this node."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
