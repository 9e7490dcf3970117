"""Virtual addresses that nodes claim as their own, and what such a claim is worth.

A node claims an address by its Node object, or when its agent finds the address on an interface
without our mark. The claim may be true, mistaken or a lie, and no other node can tell. Rule O7:
one node's claim takes nothing from another node. So:

- The claimant may not hold the address, whoever else has it (`Unit.claimants`).
- An address that is in service stays: with its owner, and with a condition that says so; it moves
  when that owner is lost. Its next owner probes for it first, however it was released: if the
  claim is true, the claimant answers and nothing is taken.
- An address that nobody has served yet is refused (semantics 3). That takes nothing from anybody,
  and probing would not do: a node that is down answers no probe, and comes back.

In service means: an agent reports that it serves the address and is granted it, or the object's
own status says that it was served. Every leader reads both, so all come to the same result.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from types import MappingProxyType
from typing import NamedTuple

from duravip_api.addresses import Range, from_int, to_int
from duravip_api.reasons import State
from duravip_operator.core.snapshot import Plumbing, Snapshot, VipObject

MAX_EXPANDED_RANGE = 16
"""A longer range is not expanded; instead the addresses that objects name are searched."""

_STANDING_STATES = frozenset({State.OWNED, State.MOVING, State.UNASSIGNED})
NO_NODES: frozenset[str] = frozenset()


class NodeClaims(NamedTuple):
    """The virtual addresses that nodes claim as their own."""

    nodes: Mapping[str, frozenset[str]]
    """By address: the nodes that claim it."""
    in_service: frozenset[str]
    """Those that are served all the same."""


NO_CLAIMS = NodeClaims(MappingProxyType({}), frozenset())


def node_claims(snapshot: Snapshot, named: Collection[str]) -> NodeClaims:
    """Which of the addresses in `named` some node claims as its own."""
    claimed: dict[str, frozenset[str]] = defaultdict(frozenset)
    for node in snapshot.nodes.values():
        for address in node.addresses:
            if address in named:
                claimed[address] |= {node.name}
    in_order = _SortedAddresses(named)
    for name, plumbing in snapshot.plumbings.items():
        for address in _own(plumbing, named, in_order):
            claimed[address] |= {name}
    return NodeClaims(claimed, in_service(snapshot, claimed.keys())) if claimed else NO_CLAIMS


def host_addresses(snapshot: Snapshot) -> frozenset[str]:
    """Every address that a node, a router next to one or the API server has for itself.

    Of a node's ranges the long ones are left out.
    """
    found = set(snapshot.api_hosts)
    for node in snapshot.nodes.values():
        found |= node.addresses
    for plumbing in snapshot.plumbings.values():
        found |= plumbing.next_hops
        found |= {a.partition("/")[0] for nic in plumbing.nics.values() for a in nic.addresses}
        for span in plumbing.own_ranges:
            if span.last - span.first < MAX_EXPANDED_RANGE:
                found |= {from_int(span.family, n) for n in range(span.first, span.last + 1)}
    return frozenset(found)


def _own(
    plumbing: Plumbing, named: Collection[str], in_order: "_SortedAddresses"
) -> Iterator[str]:
    for nic in plumbing.nics.values():
        for written in nic.addresses:
            address = written.partition("/")[0]
            if address in named:
                yield address
    for span in plumbing.own_ranges:
        if span.last - span.first >= MAX_EXPANDED_RANGE:
            yield from in_order.within(span)
            continue
        for number in range(span.first, span.last + 1):
            address = from_int(span.family, number)
            if address in named:
                yield address


class _SortedAddresses:
    """Addresses in numeric order, sorted on first use."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self._addresses = addresses
        self._sorted: list[tuple[int, int]] | None = None

    def within(self, span: Range) -> Iterator[str]:
        """Those that lie in the range."""
        if self._sorted is None:
            self._sorted = sorted(map(to_int, self._addresses))
        at = bisect_left(self._sorted, (span.family, span.first))
        while at < len(self._sorted) and self._sorted[at] <= (span.family, span.last):
            yield from_int(*self._sorted[at])
            at += 1


def in_service(snapshot: Snapshot, claimed: AbstractSet[str]) -> frozenset[str]:
    """Those of the claimed addresses that are served, or were before somebody claimed them."""
    kept = {vip.address for vip in snapshot.vips if vip.address in claimed and _was_served(vip)}
    for plumbing in snapshot.plumbings.values():
        for granted in plumbing.grants.values():
            kept |= claimed & granted & plumbing.served
    return frozenset(kept)


def _was_served(vip: VipObject) -> bool:
    """Whether the object's status says that its present address was served.

    A refused address has another state, and stays refused until nobody claims it.
    """
    status = vip.status
    is_current = status.get("observedGeneration") == vip.generation
    return bool(is_current and status.get("state") in _STANDING_STATES and status.get("lastMove"))
