"""What to probe of a node on each of its segments: addresses and MAC addresses.

A segment is one interface for one address family: a network may let ARP through and not neighbour
discovery, so the one proves nothing about the other.
"""

from collections.abc import Iterable, Iterator, Mapping
from heapq import nsmallest
from typing import Any, Final, NamedTuple

from duravip_api.timing import MOST_SCOUTED
from duravip_operator.core.snapshot import Plumbing


class Segment(NamedTuple):
    """One node's part in one segment."""

    interface: str
    family: int


def segments(interfaces: Iterable[str]) -> Iterator[Segment]:
    """Both of every interface."""
    return (Segment(interface, family) for interface in interfaces for family in (4, 6))


class ProbeTargets(NamedTuple):
    """What a node has there. At most 8 addresses of each sort."""

    own: tuple[str, ...]
    """The node's own addresses: they answer whenever its kernel is alive."""
    served: tuple[str, ...]
    """Some that it serves, or is about to: they answer unless it has muted them."""
    macs: tuple[str, ...]
    """Its link-layer addresses: what others answer is not its answer."""

    @property
    def any_address(self) -> tuple[str, ...]:
        """What to ask for to learn whether the node can be heard there at all."""
        return self.own or self.served


NodeTargets = Mapping[Segment, ProbeTargets]
"""Of one node."""

ClusterTargets = Mapping[str, NodeTargets]

_LINK_LOCAL: Final = "fe80:"


def targets_of(plumbing: Plumbing) -> NodeTargets:
    """A node's entry: all of its interfaces that work."""
    found: dict[Segment, ProbeTargets] = {}
    for name, nic in plumbing.nics.items():
        if not (nic.up and nic.carrier):
            continue
        own = [address.partition("/")[0] for address in nic.addresses]
        own.sort(key=lambda address: (address.startswith(_LINK_LOCAL), address))
        granted = frozenset[str]().union(
            *(addresses for where, addresses in plumbing.grants.items() if where.interface == name)
        )
        for family in (4, 6):
            presence = ProbeTargets(
                tuple(_of_family(family, own))[:MOST_SCOUTED],
                _served_first(frozenset(_of_family(family, granted)), plumbing.served),
                (nic.mac.lower(),) if nic.mac else (),
            )
            if presence.any_address:
                found[Segment(name, family)] = presence
    return found


def _served_first(granted: frozenset[str], served: frozenset[str]) -> tuple[str, ...]:
    """The first few in order: those that are served before those that are only granted."""
    first = nsmallest(MOST_SCOUTED, granted & served)
    return (*first, *nsmallest(MOST_SCOUTED - len(first), granted - served))


def _of_family(family: int, addresses: Iterable[str]) -> Iterable[str]:
    return (address for address in addresses if (":" in address) == (family == 6))  # noqa: PLR2004


def to_json(entry: NodeTargets) -> list[list[Any]]:
    """An entry as JSON can say it: `[interface, family, own, served, macs]` for each segment."""
    return [[*segment, *map(list, presence)] for segment, presence in entry.items()]


def from_json(entry: list[list[Any]]) -> NodeTargets:
    """The entry that was said so."""
    return {
        Segment(interface, family): ProbeTargets(tuple(own), tuple(served), tuple(macs))
        for interface, family, own, served, macs in entry
    }
