"""Addresses as numbers, and lists of them as the ranges that NodePlumbing carries."""

import socket
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import NamedTuple

LONGEST_ITEM = 1024
"""Characters of an item of `compact_ranges`."""

_TYPE_OF = {4: IPv4Address, 6: IPv6Address}
_BYTES = {4: 4, 6: 16}
_PLAIN_V6 = 48
"""Whatever has no bits above these is an IPv4 address in some disguise, which libraries spell
differently."""
_OCTET = {str(number): number for number in range(256)}
"""IPv4 is read and spelled by hand: a fail-over waits for thousands of them."""


@lru_cache(maxsize=65536)
def parse_address(address: str) -> IPv4Address | IPv6Address:
    """The address as the standard library's type; raises ValueError when it is none."""
    return ip_address(address)


def parse_to_int(address: str) -> tuple[int, int]:
    """As `numbered`, for what others have written: nothing is remembered of it."""
    if ":" in address:
        return _read_v6(address)
    try:
        first, second, third, fourth = [_OCTET[part] for part in address.split(".")]
    except (ValueError, KeyError):
        return 4, int(ip_address(address))  # says what is wrong
    return 4, first << 24 | second << 16 | third << 8 | fourth


def _read_v6(address: str) -> tuple[int, int]:
    try:
        return 6, int.from_bytes(socket.inet_pton(socket.AF_INET6, address), "big")
    except (OSError, ValueError):
        return 6, int(ip_address(address))  # says what is wrong


@lru_cache(maxsize=65536)
def to_int(address: str) -> tuple[int, int]:
    """`(family, number)` of an address: what it is compared and sorted by.

    Raises ValueError when it is no address.
    """
    return parse_to_int(address)


@lru_cache(maxsize=65536)
def from_int(family: int, number: int) -> str:
    """Turn `(family, number)` back into the canonical form of the address."""
    if family == 4 and not number >> 32:  # noqa: PLR2004 - IPv4
        return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    if family == 6 and number >> _PLAIN_V6 and not number >> 128:  # noqa: PLR2004 - IPv6
        return socket.inet_ntop(socket.AF_INET6, number.to_bytes(16, "big"))
    return str(_TYPE_OF[family](number))


def to_bytes(address: str) -> bytes:
    """The address as the bytes that are in packets; raises ValueError when it is none."""
    family, number = to_int(address)
    return number.to_bytes(_BYTES[family], "big")


def union(sets: Collection[frozenset[str]]) -> frozenset[str]:
    """All of them in one; an only one is that itself: thousands of addresses are not copied."""
    return next(iter(sets)) if len(sets) == 1 else frozenset().union(*sets)


def parse_network(cidr: str) -> IPv4Network | IPv6Network | None:
    """The network block that a CIDR names; None when it is none, or has host bits."""
    try:
        return ip_network(cidr) if "/" in cidr else None
    except ValueError:
        return None


class Range(NamedTuple):
    """Addresses that follow each other."""

    family: int
    first: int
    last: int

    def __str__(self) -> str:
        """As `first-last`, or as the one address that it is."""
        first = from_int(self.family, self.first)
        return first if self.first == self.last else f"{first}-{from_int(self.family, self.last)}"


def to_ranges(addresses: Iterable[str]) -> list[Range]:
    """The shortest sorted list of spans that holds exactly these."""
    found: list[Range] = []
    family, first, last = 0, 0, -1
    for its_family, number in sorted(map(to_int, set(addresses))):
        if number != last + 1 or its_family != family:
            if family:
                found.append(Range(family, first, last))
            family, first = its_family, number
        last = number
    return [*found, Range(family, first, last)] if family else []


def parse_range(item: str) -> Range:
    """The span that `first-last`, or a single address, names.

    Nothing is remembered of it: it is others who write such items. Raises ValueError when it
    cannot be read.
    """
    return _range(parse_to_int, *item.partition("-"), item)


def merge_ranges(found: Iterable[Range]) -> tuple[Range, ...]:
    """The fewest spans that hold exactly what these hold, sorted."""
    joint: list[Range] = []
    for one in sorted(found):
        before = joint[-1] if joint else None
        if before and before.family == one.family and one.first <= before.last + 1:
            joint[-1] = before._replace(last=max(before.last, one.last))
        else:
            joint.append(one)
    return tuple(joint)


def subtract(span: Range, taken: Iterable[Range]) -> Iterator[Range]:
    """What is left of a range once these are taken away, in order."""
    first = span.first
    for one in sorted(taken):
        if one.family != span.family or one.last < first or one.first > span.last:
            continue
        if one.first > first:
            yield Range(span.family, first, one.first - 1)
        first = one.last + 1
    if first <= span.last:
        yield Range(span.family, first, span.last)


def format_ranges(addresses: Iterable[str]) -> list[str]:
    """The shortest sorted list of `first-last` (or single addresses) that names exactly these."""
    return list(map(str, to_ranges(addresses)))


def compact_ranges(addresses: Iterable[str]) -> list[str]:
    """The ranges again, those that differ in their last part only in one item.

    For example `10.1.1.1,3,7-10.1.1.9` is `10.1.1.1,3,7-9`. The API server takes 10 microseconds
    for each item of a list, so that five thousand would be the longest part of a fail-over.
    """
    found: list[list[str]] = []
    start, length = "", 0
    for item in format_ranges(addresses):
        first, dash, last = item.partition("-")
        head = _head(first)
        if head == start and (not dash or _head(last) == head):
            part = item.replace(head, "") if dash else first[len(head) :]
            length += len(part) + 1
            if length < LONGEST_ITEM:
                found[-1].append(part)
                continue
        found.append([item])
        start, length = head, len(item)
    return list(map(",".join, found))


def parse_ranges(listed: Iterable[str], most: int) -> tuple[tuple[Range, ...], bool]:
    """`(the ranges that a list of items of `compact_ranges` names, whether those are all)`.

    Whatever somebody else has written, no more than `most` spans are read, none is spelled out,
    and what cannot be read is left out.
    """
    found: list[Range] = []
    is_all = True
    for item in listed:
        for first, dash, last in _spelled_out(item):
            if len(found) == most:
                return merge_ranges(found), False
            try:
                found.append(parse_range(f"{first}{dash}{last if dash else ''}"))
            except ValueError:
                is_all = False
    return merge_ranges(found), is_all


def _head(address: str) -> str:
    """All of an address but its last part."""
    return address[: max(address.rfind("."), address.rfind(":")) + 1]


def _spelled_out(item: str) -> Iterator[tuple[str, str, str]]:
    """`(first, dash, last)` of each range of an item."""
    whole, *parts = item.split(",")
    yield whole.partition("-")
    head = _head(whole.partition("-")[0])
    for part in parts:
        first, dash, last = part.partition("-")
        yield head + first, dash, head + last


def expand_ranges(listed: Iterable[str], limit: int = 16384) -> Iterator[str]:
    """Every address that a list of ranges, or of items of `compact_ranges`, names.

    Raises ValueError when an item is malformed, before any of its addresses, or when all of them
    name more than `limit` addresses, those that are named twice counted twice.
    """
    left = limit
    for item in listed:
        found = [_range(to_int, *parts, item) for parts in _spelled_out(item)]
        left -= sum(one.last - one.first + 1 for one in found)
        if left < 0:
            raise ValueError(f"more addresses than can be read: {item!r}")
        for family, low, high in found:
            for number in range(low, high + 1):
                yield from_int(family, number)


def _range(
    read: Callable[[str], tuple[int, int]], first: str, dash: str, last: str, item: str
) -> Range:
    family, low = read(first)
    other, high = read(last) if dash else (family, low)
    if other != family or high < low:
        raise ValueError(f"cannot read the address range {item!r}")
    return Range(family, low, high)
