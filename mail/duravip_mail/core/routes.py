"""Where the mail of each Binding goes from a node.

- Its address is served here: it is delivered from that address, by a transport of its own that is
  bound to the address or does not send at all.
- It is not served here: the message is handed over by SMTP to *the address itself*. Whoever serves
  that address is the owner: no node has to know which one it is, and nothing can be out of date.
  While nobody serves it nobody answers, and the message waits.
- A node takes a message that is handed over only if it serves the address by its own knowledge. So
  no message travels twice on one mistake, and two nodes that disagree refuse each other's mail:
  hops need not be counted.
- What is suspended, broken or not known waits, with the reason in the queue.

Postfix looks the Binding's name up once, when a message enters (cleanup(8), header_checks(5)), and
keeps the result in the queue file. The values of these tables are the actions of header_checks.
"""

from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import Final

from duravip_mail.core.tokens import token_of
from duravip_mail.core.world import MailBinding, World

HEADER: Final = "X-DuraVIP-Binding"
"""The header field that names a message's Binding. It never leaves the cluster."""
HAND_OVER_PORT: Final = 2526
"""Not 25: there Postfix returns mail that comes back to one of its own addresses as a loop."""
HAND_OVER: Final = "mmove"
"""The transport that hands messages over to other nodes."""
UNKNOWN_ROUTE: Final = "retry:4.3.0 no such binding"
LONGEST_NAME: Final = 63
"""A transport's name is also that of a socket, whose path has 107 bytes at most."""

Table = Mapping[str, str]
"""What header_checks(5) does with a message, by the name of its Binding."""


def transport_of(binding: MailBinding) -> str:
    """The name of the transport that delivers this Binding's mail, as master.cf has it."""
    if len(binding.name) <= LONGEST_NAME:
        return f"b-{binding.name}"
    return f"b-{sha256(binding.name.encode()).hexdigest()[:40]}"


def hand_over_route(address: str) -> str:
    """Transport and next hop that bring a message to whoever serves this address."""
    return f"{HAND_OVER}:[{address}]:{HAND_OVER_PORT}"


def route_of(binding: MailBinding, world: World) -> str:
    """Transport and next hop for a message of this Binding."""
    if binding.is_broken:
        return f"retry:4.3.0 binding {binding.name} is broken"
    if binding.is_suspended:
        return f"retry:4.3.2 binding {binding.name} is suspended"
    if world.is_here(binding):
        return f"{transport_of(binding)}:"
    return hand_over_route(binding.address)


def routes(world: World) -> Table:
    """For mail that enters at this node, or is looked at again; by the Binding's name."""
    return {name: f"FILTER {route_of(b, world)}" for name, b in world.by_name().items()}


def accepted(world: World) -> Table:
    """For mail that another node hands over; by the Binding's name. None of it is sent on."""
    return {name: _on_hand_over(b, world) for name, b in world.by_name().items()}


def assigned(world: World, key: bytes, earlier: Collection[str]) -> Table:
    """For mail of clients that may not choose; by the Binding's name and its token.

    `earlier` are rows of the last table. A Binding that has gone keeps its row: a message to which
    it was assigned a moment ago must wait, and not leave as one without a Binding.
    """
    gone = dict.fromkeys(earlier, f"FILTER {UNKNOWN_ROUTE}")
    known = {f"{name}/{token_of(key, name)}": b for name, b in world.by_name().items()}
    return gone | {row: f"FILTER {route_of(b, world)}" for row, b in known.items()}


def _on_hand_over(binding: MailBinding, world: World) -> str:
    if binding.is_broken or world.is_here(binding):
        return f"FILTER {route_of(binding, world)}"
    return f"REJECT 4.3.2 binding {binding.name} is not on this node"
