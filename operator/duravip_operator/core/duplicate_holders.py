"""Addresses that several nodes report as served, for longer than a hand-over explains.

In every move the former owner has let go, and says so in a beat, before the next one is granted
the address; its status follows some 0.1 s later. Until then both statuses name the address. What
lasts for `LASTING` seconds is no such delay: both nodes may hold it.
"""

from collections.abc import Container, Mapping
from typing import Final, NamedTuple

from duravip_operator.core.snapshot import Plumbing

DUPLICATE_AFTER_S: Final = 3.0


class DuplicateHolders(NamedTuple):
    """Who serves an address, and since when they are several."""

    nodes: tuple[str, ...]
    since: float


DuplicateHolderTable = Mapping[str, DuplicateHolders]
"""By address."""


def update_duplicates(
    known: DuplicateHolderTable,
    plumbings: Mapping[str, Plumbing],
    gone: Container[str],
    now: float,
) -> DuplicateHolderTable:
    """What is known after another look, at the nodes that have not said goodbye.

    Those that are `gone`, dead or muted, hold nothing, whatever their last status says; nor does
    one that has acted on its spec hold anything else of ours (O7).
    """
    serving = {
        name: plumbing.served & plumbing.granted if plumbing.has_acted else plumbing.served
        for name, plumbing in sorted(plumbings.items())
        if not plumbing.stopped and name not in gone
    }
    seen: set[str] = set()
    twice: set[str] = set()
    for served in serving.values():
        twice |= served & seen
        seen |= served
    found: dict[str, DuplicateHolders] = {}
    for address in sorted(twice):
        nodes = tuple(name for name, served in serving.items() if address in served)
        before = known.get(address)
        is_same = before is not None and len(set(nodes) & set(before.nodes)) > 1
        found[address] = DuplicateHolders(nodes, before.since if before and is_same else now)
    return found


def lasting_duplicates(known: DuplicateHolderTable, now: float) -> dict[str, tuple[str, ...]]:
    """`{address: nodes}` of those that have lasted too long."""
    return {a: found.nodes for a, found in known.items() if now - found.since >= DUPLICATE_AFTER_S}
