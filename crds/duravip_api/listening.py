"""Which ports services are declared on, and who listens there, as a NodePlumbing says it.

A port is `TCP/25`. A listener is `TCP/25 0.0.0.0`, or `TCP/25 10.1.1.1-10.1.1.9` for sockets that
are each bound to one of these; the port alone says that nobody listens there, and a port that is
not named was not looked at.
"""

from collections.abc import Iterable
from typing import NamedTuple

from duravip_api.addresses import expanded, ranges

ANY = {4: "0.0.0.0", 6: "::"}  # noqa: S104 - what others are bound to
"""The address of a socket that takes whatever comes, by family."""

MOST_PORTS, MOST_LISTENERS = 1024, 4096
"""What the lists may hold; the rest is cut off."""


class Listener(NamedTuple):
    """A socket that takes what comes to a port."""

    port: str
    address: str
    """What it is bound to; empty: nobody listens there."""


def port_named(protocol: str, number: int) -> str:
    """The port's name, e.g. `TCP/25`."""
    return f"{protocol}/{number}"


def listed(ports: Iterable[str], listeners: Iterable[Listener]) -> list[str]:
    """What is said of these ports: the shortest list, always in the same order."""
    by_port: dict[str, set[str]] = {port: set() for port in sorted(ports)}
    for port, address in listeners:
        if port in by_port:
            by_port[port].add(address)
    items: list[str] = []
    for port, addresses in by_port.items():
        items += [f"{port} {item}" for item in ranges(addresses)] or [port]
    return items[:MOST_LISTENERS]


def listeners_in(items: Iterable[str]) -> frozenset[Listener]:
    """Those that a list names; an item that cannot be read names none."""
    found: set[Listener] = set()
    for item in items:
        port, _, addresses = item.partition(" ")
        try:
            named = expanded([addresses]) if addresses else [""]
            found.update(Listener(port, address) for address in named)
        except ValueError:
            continue
    return frozenset(found)
