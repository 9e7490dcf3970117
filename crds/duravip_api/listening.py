"""Which ports services are declared on, and who listens there, as a NodePlumbing says it.

A port is `TCP/25`. A listener is `TCP/25 0.0.0.0`, or `TCP/25 10.1.1.1-10.1.1.9` for sockets that
are each bound to one of these; a port on which nobody listens is not named.
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


def port_named(protocol: str, number: int) -> str:
    """The port's name, e.g. `TCP/25`."""
    return f"{protocol}/{number}"


def listed(listeners: Iterable[Listener]) -> list[str]:
    """The shortest list that names exactly these, always in the same order."""
    by_port: dict[str, set[str]] = {}
    for port, address in listeners:
        by_port.setdefault(port, set()).add(address)
    items = [f"{port} {item}" for port in sorted(by_port) for item in ranges(by_port[port])]
    return items[:MOST_LISTENERS]


def listeners_in(items: Iterable[str]) -> frozenset[Listener]:
    """Those that a list names; an item that cannot be read names none."""
    found: set[Listener] = set()
    for item in items:
        port, _, addresses = item.partition(" ")
        try:
            found.update(Listener(port, address) for address in expanded([addresses]))
        except ValueError:
            continue
    return frozenset(found)
