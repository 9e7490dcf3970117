"""Which addresses there are, on which node each is at home, and which of them are observed. Pure.

Addresses go round the nodes in turn. So no node's share is one range, which would be the easiest
case for a system that writes ranges.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address
from typing import Final, TypeVar

NODES: Final = ("n1", "n2", "n3")
VICTIM: Final = NODES[0]
"""The node to which things happen; a third of the addresses are at home on it, the first too."""
BLOCK: Final = "10.1.64.0/18"
_BEFORE_FIRST: Final = IPv4Address("10.1.64.0")
MOST_OBSERVED: Final = 100
"""So many are observed at the observer's best pace: asked every 20 ms, pinged every 5 ms."""

Item = TypeVar("Item")


def addresses(count: int) -> list[str]:
    """The first so many addresses, in the order in which they are created and granted."""
    return [str(_BEFORE_FIRST + 1 + index) for index in range(count)]


def homes(count: int) -> dict[str, str]:
    """`{address: the node that it prefers}`."""
    return {a: NODES[index % len(NODES)] for index, a in enumerate(addresses(count))}


def at_home(node: str, count: int) -> list[str]:
    """The addresses of one node."""
    return [address for address, home in homes(count).items() if home == node]


def sample(items: Sequence[Item], most: int = MOST_OBSERVED) -> list[Item]:
    """At most so many of them, evenly spaced, the first and the last among them."""
    if len(items) <= most:
        return list(items)
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]
