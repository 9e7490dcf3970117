"""Which addresses nodes say are their own, and what that word is worth.

O7: one node's word takes nothing from another. A node says so in its Node object, or by what its
agent finds on its interfaces without our mark. It may be right, mistaken or lying, and nobody else
can tell. So:

- that node gets the address no more, whoever else has it;
- an address that is served, or was, stands: it stays with its owner, it moves when that one is
  lost, and everybody is told. Whoever gets it next asks the wire first, however it was released:
  if the word is true, the node answers and nothing is taken;
- an address that nobody has served is refused (semantics 3). Nothing is taken from anybody by
  that, and asking the wire would not do: a node that is down answers nobody, and comes back.

Served, or was: an agent reports it and is granted it, or the object's own status tells of it. Both
say what is, so every leader comes to the same.
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
"""A longer span is not spelled out: the addresses that people name are searched instead."""

_STANDING_STATES = frozenset({State.OWNED, State.MOVING, State.UNASSIGNED})
NOBODY: frozenset[str] = frozenset()


class NodeClaims(NamedTuple):
    """The addresses that people name and nodes say are their own."""

    nodes: Mapping[str, frozenset[str]]
    """By address, who says so."""
    in_service: frozenset[str]
    """Those that are served all the same."""


NO_CLAIMS = NodeClaims(MappingProxyType({}), frozenset())


def node_claims(snapshot: Snapshot, named: Collection[str]) -> NodeClaims:
    """Of the addresses that are named by people, those that nodes say are their own."""
    found: dict[str, frozenset[str]] = defaultdict(frozenset)
    for node in snapshot.nodes.values():
        for address in node.addresses:
            if address in named:
                found[address] |= {node.name}
    in_order = _SortedAddresses(named)
    for name, plumbing in snapshot.plumbings.items():
        for address in _own(plumbing, named, in_order):
            found[address] |= {name}
    return NodeClaims(found, in_service(snapshot, found.keys())) if found else NO_CLAIMS


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
    """Addresses by number, sorted when somebody asks for the first time."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self._addresses = addresses
        self._sorted: list[tuple[int, int]] | None = None

    def within(self, span: Range) -> Iterator[str]:
        """Those that the span holds."""
        if self._sorted is None:
            self._sorted = sorted(map(to_int, self._addresses))
        at = bisect_left(self._sorted, (span.family, span.first))
        while at < len(self._sorted) and self._sorted[at] <= (span.family, span.last):
            yield from_int(*self._sorted[at])
            at += 1


def in_service(snapshot: Snapshot, claimed: AbstractSet[str]) -> frozenset[str]:
    """Those of the addresses that are served, or were before somebody claimed them."""
    found = {e.address for e in snapshot.vips if e.address in claimed and _was_served(e)}
    for plumbing in snapshot.plumbings.values():
        for granted in plumbing.grants.values():
            found |= claimed & granted & plumbing.served
    return frozenset(found)


def _was_served(vip: VipObject) -> bool:
    """Whether its status says so, of the address that it has now.

    A refused address has another state. Once it is refused it so remains until nobody claims it.
    """
    status = vip.status
    is_current = status.get("observedGeneration") == vip.generation
    return bool(is_current and status.get("state") in _STANDING_STATES and status.get("lastMove"))
