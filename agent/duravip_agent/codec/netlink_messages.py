"""What all netlink messages have in common (netlink(7)): header, attributes, errors."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

ERROR, DONE = 2, 3
REQUEST, ACK, DUMP, CREATE = 0x1, 0x4, 0x300, 0x400
"""Flags of a request."""
NESTED = 0x8000
"""A flag in the kind of an attribute that consists of attributes."""
NO_ANSWER = 71
"""EPROTO: an ERROR message that does not say which."""

_INTERRUPTED = 0x10
_KIND_BITS = 0x3FFF
_HEADER = struct.Struct("=IHHII")
HEADER_BYTES = _HEADER.size
_ERRNO = struct.Struct("=i")
_ATTRIBUTE = struct.Struct("=HH")


class Message(NamedTuple):
    """One message of a datagram."""

    kind: int
    seq: int
    is_interrupted: bool
    """Whether the world changed during this dump: it must be read again."""
    body: bytes


def request(kind: int, flags: int, seq: int, body: bytes) -> bytes:
    """A request with its header."""
    return _HEADER.pack(_HEADER.size + len(body), kind, flags | REQUEST, seq, 0) + body


def split(datagram: bytes) -> Iterator[Message]:
    """The messages of a datagram."""
    offset = 0
    while offset + _HEADER.size <= len(datagram):
        length, kind, flags, seq, _ = _HEADER.unpack_from(datagram, offset)
        body = datagram[offset + _HEADER.size : offset + length]
        yield Message(kind, seq, bool(flags & _INTERRUPTED), body)
        offset += max(_HEADER.size, (length + 3) & ~3)


def kind_of(datagram: bytes) -> int:
    """The kind of a datagram's first message."""
    return int.from_bytes(datagram[4:6], "little")


def errno_of(body: bytes) -> int:
    """What an ERROR message says: 0 = done, else the errno."""
    if len(body) < _ERRNO.size:
        return NO_ANSWER
    number: int = _ERRNO.unpack_from(body)[0]
    return -number


def attribute(kind: int, data: bytes) -> bytes:
    """An attribute, padded to four bytes."""
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(data), kind) + data + bytes(-len(data) % 4)


def attributes(body: bytes, offset: int = 0) -> dict[int, bytes]:
    """The attributes of a message whose fixed part ends at `offset`, by kind."""
    return dict(attribute_list(body, offset))


def attribute_list(body: bytes, offset: int = 0) -> Iterator[tuple[int, bytes]]:
    """The attributes in order: a kind may come several times."""
    while offset + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, offset)
        yield kind & _KIND_BITS, body[offset + _ATTRIBUTE.size : offset + length]
        offset += max(_ATTRIBUTE.size, (length + 3) & ~3)
