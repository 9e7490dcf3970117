"""Which addresses let in declared ports alone, as a NodePlumbing names them.

An item is addresses, as `addresses.compact_ranges` writes them, and the ports that are open there:
`10.1.1.1,3,7-9 TCP/25,TCP/465`; addresses alone: no port is open. An address that no item names is
not guarded. So each guarded address stands in the list once, however many ports it has.

Whoever cannot read an item must not take the addresses for unguarded: `parse_guards` refuses the
whole list then.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from operator import itemgetter
from types import MappingProxyType
from typing import Final

from duravip_api.addresses import (
    LONGEST_ITEM,
    Range,
    compact_ranges,
    parse_ranges,
    parse_to_int,
    to_int,
)

Ports = frozenset[str]
"""Ports, e.g. `TCP/25`."""

Guards = Mapping[Ports, frozenset[str]]
"""`{open ports: the guarded addresses that have exactly these}`."""

NO_GUARDS: Guards = MappingProxyType({})

MOST_GUARDED: Final = 16384
"""Items of a list, and ranges in all of them; as many as the addresses of a node."""

MOST_OPEN_PORTS: Final = 256
"""Open ports of one address."""

MOST_OPEN: Final = 32768
"""Pairs of an address and a port that are open on one node. What goes beyond stays closed."""

MOST_TEXT: Final = 256 << 10
"""Characters that all ports of a list may take: the API server stores no object of any size."""

LONGEST_GUARD: Final = LONGEST_ITEM + 10 * MOST_OPEN_PORTS
"""Characters of an item."""

_PROTOCOLS = ("TCP", "UDP")
_HIGHEST_PORT = 65535


def group_guards(open_ports: Mapping[str, Ports], addresses: Iterable[str]) -> Guards:
    """The guards of those of the addresses that `open_ports` names as guarded."""
    groups: dict[Ports, set[str]] = defaultdict(set)
    for address in addresses:
        ports = open_ports.get(address)
        if ports is not None:
            groups[ports].add(address)
    return {ports: frozenset(group) for ports, group in groups.items()}


def format_guards(guards: Guards) -> list[str]:
    """The list that names these, always in the same order.

    Where the ports take too much room, they stay closed at the addresses with most of them.
    """
    by_length = sorted((len(ports), ",".join(sorted(ports)), ports) for ports in guards)
    items: list[str] = []
    closed: set[str] = set()
    left = MOST_TEXT
    for _, opened, ports in by_length:
        named = compact_ranges(guards[ports])
        left -= len(named) * len(opened)
        if not opened or left < 0:
            closed |= guards[ports]
        else:
            items += [f"{item} {opened}" for item in named]
    return sorted([*items, *compact_ranges(closed)])


def parse_guards(items: Iterable[str], granted: Collection[str]) -> Guards:
    """The guards of those granted addresses that a list names, however many others it names.

    ValueError if an item cannot be read, or two of them name one address.
    """
    spans: list[tuple[Range, Ports]] = []
    for item in items:
        addresses, _, opened = item.partition(" ")
        ports = frozenset(opened.split(",")) if opened else frozenset()
        if len(ports) > MOST_OPEN_PORTS or not all(map(_is_port, ports)):
            raise ValueError(f"the ports of {item[:64]!r} cannot be read")
        if "," not in addresses and "-" not in addresses:
            family, number = parse_to_int(addresses)
            spans.append((Range(family, number, number), ports))
            continue
        ranges, is_all = parse_ranges([addresses], MOST_GUARDED - len(spans))
        if not is_all:
            raise ValueError(f"the addresses of {item[:64]!r} cannot be read, or are too many")
        spans += [(span, ports) for span in ranges]
    spans.sort(key=itemgetter(0))
    for (before, _), (after, _) in pairwise(spans):
        if before.family == after.family and after.first <= before.last:
            raise ValueError(f"{after} is named twice")
    return _guards_of(granted, spans) if spans else NO_GUARDS


def _guards_of(granted: Collection[str], spans: Sequence[tuple[Range, Ports]]) -> Guards:
    groups: dict[Ports, set[str]] = defaultdict(set)
    starts = [(span.family, span.first) for span, _ in spans]
    for address in granted:
        key = to_int(address)
        position = bisect_right(starts, key) - 1
        if position < 0:
            continue
        span, ports = spans[position]
        if span.family == key[0] and key[1] <= span.last:
            groups[ports].add(address)
    return {ports: frozenset(group) for ports, group in groups.items()}


@lru_cache(4096)
def _is_port(text: str) -> bool:
    protocol, _, number = text.partition("/")
    is_number = number.isascii() and number.isdigit() and not number.startswith("0")
    return protocol in _PROTOCOLS and is_number and int(number[:6]) <= _HIGHEST_PORT
