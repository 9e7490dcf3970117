"""The next hops of a node's routes, as the kernel's own tables in /proc name them.

IPv4 (`net/ipv4/fib_trie.c`, fib_route_seq_show): the columns are interface, destination, gateway,
flags, …; addresses are numbers of the machine's own byte order. Of a route with several next hops
the first is named. IPv6 (`net/ipv6/route.c`, rt6_info_route): destination, its length, source, its
length, next hop, …; addresses are 32 digits in network order.
"""

import sys
from collections.abc import Iterable, Iterator

from duravip_api.addresses import parsed, text

MOST = 64
"""Next hops that are named: those first whose routes lead to most of the world."""

_GATEWAY = 0x2
"""RTF_GATEWAY"""
_LONGEST = 32
_COLUMNS_4, _COLUMNS_6 = 8, 9


def next_hops(routes4: Iterable[str], routes6: Iterable[str]) -> tuple[str, ...]:
    """The next hops that a virtual address could be confused with, at most `MOST`, in order."""
    found: dict[str, int] = {}
    for length, hop in (*_read_4(routes4), *_read_6(routes6)):
        found[hop] = min(length, found.get(hop, length))
    in_order = sorted(found, key=lambda hop: (found[hop], parsed(hop).version, int(parsed(hop))))
    return tuple(hop for hop in in_order if not parsed(hop).is_link_local)[:MOST]


def _read_4(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    for line in lines:
        columns = line.split()
        if len(columns) < _COLUMNS_4 or not _is_hex(columns[2]) or not _is_hex(columns[3]):
            continue
        if int(columns[3], 16) & _GATEWAY and (hop := int(columns[2], 16)):
            number = int.from_bytes(hop.to_bytes(4, sys.byteorder))
            yield int(columns[7], 16).bit_count(), text(4, number)


def _read_6(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    for line in lines:
        columns = line.split()
        if len(columns) < _COLUMNS_6 or not _is_hex(columns[4]) or len(columns[4]) != _LONGEST:
            continue
        if hop := int(columns[4], 16):
            yield int(columns[1], 16), text(6, hop)


def _is_hex(word: str) -> bool:
    try:
        int(word, 16)
    except ValueError:
        return False
    return True
