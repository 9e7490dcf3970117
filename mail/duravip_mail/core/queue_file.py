"""The route that Postfix keeps in a queue file.

A queue file is a sequence of records: one byte for the type, the length in groups of seven bits,
the least significant first, and the data (Postfix: src/global/rec_type.h, record.c). The first
record tells where the message's content begins and how long it is. What cleanup(8) was told by
header_checks(5) stands behind the content, so that the content is never read.
"""

from collections.abc import Iterator
from typing import BinaryIO, Final

SIZE_RECORD: Final = b"C"
FILTER_RECORD: Final = b"L"
CONTENT_RECORD: Final = b"M"
END_RECORD: Final = b"E"
HEAD_BYTES: Final = 512
"""Enough for the first record."""
MAX_ENVELOPE_BYTES: Final = 16 << 20
"""More than the recipients of a message need: what claims to have more is no queue file."""


def kept_route(file: BinaryIO) -> str:
    """Transport and next hop; empty if it keeps none, or if this is no queue file."""
    kind, data = next(_records(file.read(HEAD_BYTES)), (b"", b""))
    numbers = data.split()
    if kind != SIZE_RECORD or len(numbers) < 2 or not all(n.isdigit() for n in numbers[:2]):  # noqa: PLR2004 - length and start of the content
        return ""
    length, start = int(numbers[0]), int(numbers[1])
    if start > MAX_ENVELOPE_BYTES:
        return ""
    file.seek(0)
    route = _last_filter(file.read(start), CONTENT_RECORD)
    file.seek(start + length)
    return _last_filter(file.read(MAX_ENVELOPE_BYTES), END_RECORD) or route


def _last_filter(data: bytes, end: bytes) -> str:
    found = ""
    for kind, content in _records(data):
        if kind == end:
            break
        if kind == FILTER_RECORD:
            found = content.decode(errors="replace")
    return found


def _records(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and data of each record; what is cut off at the end is left out."""
    at = 0
    while at < len(data):
        kind = data[at : at + 1]
        at, length, shift = at + 1, 0, 0
        while at < len(data):
            byte = data[at]
            at += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
        if at + length > len(data):
            return
        yield kind, data[at : at + length]
        at += length
