"""One agent for each network namespace: a lock that ends with the process, and nobody else holds.

An abstract Unix socket is seen in exactly one network namespace, whatever the file systems of the
containers there, and is gone with its process. But any process there may bind the name, also one
that may do nothing else. So whoever holds it is looked up (unix(7), sock_diag(7)): a socket of
another user than ours is no agent's, and the next name is taken.
"""

import errno
import logging
import os
import socket
import struct
import sys
from collections.abc import Iterator
from typing import Final

log = logging.getLogger(__name__)

NAMES: Final = tuple(f"duravip-agent{number or ''}" for number in range(8))
"""In the order in which they are tried."""

_SOCK_DIAG: Final = 4
_BY_FAMILY: Final = 20
_REQUEST_DUMP: Final = 0x301
_DONE, _ERROR = 3, 2
_SHOW_NAME, _SHOW_UID = 0x1, 0x40
_NAME, _UID = 0, 7
_HEADER = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=BBHIIIII")
_ANSWER_SIZE: Final = 16
_ATTRIBUTE = struct.Struct("=HH")
_TYPE_MASK: Final = 0x3FFF
_READ: Final = 1 << 18
_PATIENCE_S: Final = 2.0


class HeldError(Exception):
    """Another agent runs in this network namespace."""


def lock(names: tuple[str, ...] = NAMES) -> socket.socket:
    """Take the lock, and hold it for as long as the socket lives; raises HeldError."""
    held = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _look_round(names, but=_bind(held, names))
    except BaseException:
        held.close()
        raise
    return held


def _bind(held: socket.socket, names: tuple[str, ...]) -> str:
    """Bind the first name that no agent, nor any stranger, has; gives the name."""
    for name in names:
        try:
            held.bind(f"\0{name}")
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            users = owners().get(name, set())
            if not users or _is_ours(users):
                raise HeldError from error
            log.warning("the socket @%s is held by uid %s, which is no agent", name, min(users))
        else:
            return name
    log.warning("strangers hold all sockets that tell of a second agent: none is looked for")
    return ""


def _look_round(names: tuple[str, ...], but: str) -> None:
    """Raise HeldError when an agent has another name: it began while strangers held some."""
    others = owners()
    if any(_is_ours(others.get(name, set())) for name in names if name != but):
        raise HeldError


def _is_ours(users: set[int]) -> bool:
    """Whether a socket of these users may be an agent's."""
    return bool(users & {0, os.geteuid()})


def owners() -> dict[str, set[int]]:
    """The users of each abstract socket of this network namespace; empty when it is not told."""
    found: dict[str, set[int]] = {}
    try:
        for name, user in _listed():
            found.setdefault(name, set()).add(user)
    except OSError as error:
        log.warning("cannot look up who holds a socket: %s", error.strerror)
        return {}
    return found


def _listed() -> Iterator[tuple[str, int]]:
    show = _SHOW_NAME | _SHOW_UID
    body = _REQUEST.pack(socket.AF_UNIX, 0, 0, 0xFFFFFFFF, 0, show, 0, 0)
    head = _HEADER.pack(_HEADER.size + len(body), _BY_FAMILY, _REQUEST_DUMP, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as asking:
        asking.settimeout(_PATIENCE_S)
        asking.send(head + body)
        while True:
            data = asking.recv(_READ)
            while data:
                length, kind, *_ = _HEADER.unpack_from(data)
                message, data = data[_HEADER.size : length], data[-(-length // 4) * 4 :]
                if kind == _DONE:
                    return
                if kind == _ERROR:
                    number = -int.from_bytes(message[:4], sys.byteorder, signed=True)
                    raise OSError(number, os.strerror(number))
                yield from _parsed(message[_ANSWER_SIZE:])


def _parsed(attributes: bytes) -> Iterator[tuple[str, int]]:
    values: dict[int, bytes] = {}
    while len(attributes) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(attributes)
        values[kind & _TYPE_MASK] = attributes[_ATTRIBUTE.size : length]
        attributes = attributes[max(_ATTRIBUTE.size, -(-length // 4) * 4) :]
    name = values.get(_NAME, b"")
    if name.startswith(b"\0") and _UID in values:
        yield name[1:].decode(errors="replace"), int.from_bytes(values[_UID], sys.byteorder)
