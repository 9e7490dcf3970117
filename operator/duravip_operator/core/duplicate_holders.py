"""Addresses that several nodes report as served, for longer than a hand-over explains.

In every move the former owner lets go, and says so in a heartbeat, before the next node is
granted the address; its status follows some 0.1 s later. Until then both statuses name the
address. What lasts for `DUPLICATE_AFTER_S` is no such delay: both nodes may hold it.
"""

from collections.abc import Container, Mapping
from typing import Final, NamedTuple

from duravip_operator.core.snapshot import Plumbing

DUPLICATE_AFTER_S: Final = 3.0
"""In seconds."""


class DuplicateHolders(NamedTuple):
    """The nodes that serve one address, and since when there are several."""

    nodes: tuple[str, ...]
    since: float


DuplicateHolderTable = Mapping[str, DuplicateHolders]
"""By address."""


def update_duplicates(
    previous: DuplicateHolderTable,
    plumbings: Mapping[str, Plumbing],
    gone: Container[str],
    now: float,
) -> DuplicateHolderTable:
    """The duplicates after another look at the statuses; `now` is in seconds.

    Nodes in `gone`, dead or muted, hold nothing, whatever their last status says. A node that
    has acted on its spec holds nothing of ours beyond its grants (O7). One that has shut down
    does not count.
    """
    serving = {
        name: plumbing.served & plumbing.granted if plumbing.has_acted else plumbing.served
        for name, plumbing in sorted(plumbings.items())
        if not plumbing.stopped and name not in gone
    }
    served_once: set[str] = set()
    served_twice: set[str] = set()
    for served in serving.values():
        served_twice |= served & served_once
        served_once |= served
    current: dict[str, DuplicateHolders] = {}
    for address in sorted(served_twice):
        nodes = tuple(name for name, served in serving.items() if address in served)
        before = previous.get(address)
        is_same = before is not None and len(set(nodes) & set(before.nodes)) > 1
        current[address] = DuplicateHolders(nodes, before.since if before and is_same else now)
    return current


def lasting_duplicates(duplicates: DuplicateHolderTable, now: float) -> dict[str, tuple[str, ...]]:
    """`{address: nodes}` of the duplicates that have lasted for `DUPLICATE_AFTER_S`."""
    return {
        a: holders.nodes
        for a, holders in duplicates.items()
        if now - holders.since >= DUPLICATE_AFTER_S
    }
