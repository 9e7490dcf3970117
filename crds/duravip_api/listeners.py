"""Which ports services are declared on, and who listens there, as a NodePlumbing says it.

A port is `TCP/25`. A listener is `TCP/25 0.0.0.0`, or `TCP/25 10.1.1.1-10.1.1.9` for sockets that
are each bound to one of these; the port alone says that nobody listens there, and a port that is
not named was not looked at.

A node may write any range. Whoever reads it keeps its ends and never spells it out: seven
kilobytes can name three million addresses.
"""

from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple

from duravip_api.addresses import Range, format_ranges, merge_ranges, parse_range

WILDCARD = {4: "0.0.0.0", 6: "::"}  # noqa: S104 - what others are bound to
"""The address of a socket that takes whatever comes, by family."""

MOST_PORTS, MOST_LISTENERS = 1024, 4096
"""What the lists may hold; the rest is cut off."""


class Listener(NamedTuple):
    """A socket that takes what comes to a port."""

    port: str
    address: str
    """What it is bound to; empty: nobody listens there."""


class Port(NamedTuple):
    """A port that was looked at, and what sockets on it are bound to."""

    name: str
    bound: tuple[Range, ...] = ()
    """Sorted, none of them touching another; empty: nobody listens there."""

    def takes(self, family: int, number: int) -> bool:
        """Whether a socket is bound to this address."""
        before = bisect_right(self.bound, (family, number, 1 << 128)) - 1
        if before < 0:
            return False
        found = self.bound[before]
        return found.family == family and found.last >= number


Listening = tuple[Port, ...]
"""All ports that a node has looked at, in the order of their names."""


def port_named(protocol: str, number: int) -> str:
    """The port's name, e.g. `TCP/25`."""
    return f"{protocol}/{number}"


def wildcard_port(port: str, family: int) -> str:
    """The name of a port that is listened on for all addresses of a family, e.g. `TCP/25 4`."""
    return f"{port} {family}"


def wildcard_ports(listening: Listening) -> frozenset[str]:
    """All that are."""
    return frozenset(
        wildcard_port(port.name, family)
        for port in listening
        for family in WILDCARD
        if port.takes(family, 0)
    )


def format_listeners(ports: Iterable[str], listeners: Iterable[Listener]) -> list[str]:
    """What is said of these ports: the shortest list, always in the same order."""
    by_port: dict[str, set[str]] = {port: set() for port in sorted(ports)}
    for port, address in listeners:
        if port in by_port:
            by_port[port].add(address)
    items: list[str] = []
    for port, addresses in by_port.items():
        items += [f"{port} {item}" for item in format_ranges(addresses)] or [port]
    return items[:MOST_LISTENERS]


def parse_listeners(items: Iterable[str]) -> Listening:
    """What a list says; an item that cannot be read says nothing."""
    found: dict[str, list[Range]] = {}
    for item in items:
        port, _, addresses = item.partition(" ")
        try:
            bound = [parse_range(addresses)] if addresses else []
        except ValueError:
            continue
        found.setdefault(port, []).extend(bound)
    return tuple(Port(port, merge_ranges(bound)) for port, bound in sorted(found.items()))
