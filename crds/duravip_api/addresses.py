"""Addresses as numbers, and lists of them as the ranges that NodePlumbing carries."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

_TYPE_OF = {4: IPv4Address, 6: IPv6Address}


@lru_cache(maxsize=65536)
def parsed(address: str) -> IPv4Address | IPv6Address:
    """The address as the standard library's type; raises ValueError when it is none."""
    return ip_address(address)


@lru_cache(maxsize=65536)
def numbered(address: str) -> tuple[int, int]:
    """`(family, number)` of an address: what it is compared and sorted by.

    Raises ValueError when it is no address.
    """
    found = parsed(address)
    return found.version, int(found)


@lru_cache(maxsize=65536)
def text(family: int, number: int) -> str:
    """Turn `(family, number)` back into the canonical form of the address."""
    return str(_TYPE_OF[family](number))


def block(cidr: str) -> IPv4Network | IPv6Network | None:
    """The network block that a CIDR names; None when it is none, or has host bits."""
    try:
        return ip_network(cidr) if "/" in cidr else None
    except ValueError:
        return None


def ranges(addresses: Iterable[str]) -> list[str]:
    """The shortest sorted list of `first-last` (or single addresses) that names exactly these."""
    found: list[str] = []
    numbers = sorted(map(numbered, set(addresses)))
    start = 0
    for i in range(1, len(numbers) + 1):
        if i < len(numbers) and numbers[i] == (numbers[i - 1][0], numbers[i - 1][1] + 1):
            continue
        first, last = numbers[start], numbers[i - 1]
        found.append(text(*first) if first == last else f"{text(*first)}-{text(*last)}")
        start = i
    return found


def expanded(listed: Iterable[str], limit: int = 16384) -> Iterator[str]:
    """Every address that a list of ranges names.

    Raises ValueError when a range is malformed or they name more than `limit` addresses.
    """
    left = limit
    for item in listed:
        first, dash, last = item.partition("-")
        family, low = numbered(first)
        other, high = numbered(last) if dash else (family, low)
        left -= high - low + 1
        if other != family or high < low or left < 0:
            raise ValueError(f"cannot read the address range {item!r}")
        for number in range(low, high + 1):
            yield text(family, number)
