"""What to probe of a node on each of its segments: addresses and MAC addresses.

A segment is one interface for one address family: a network may let ARP through and not neighbour
discovery, so the one proves nothing about the other.

It goes by the name of the interface at the node that is probed. The node that probes may call its
own differently: there it is the interface with an address in the same network, and only where no
interface has one, that of the same name.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from heapq import nsmallest
from ipaddress import ip_interface
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
    networks: tuple[str, ...] = ()
    """The networks of the node's own addresses there, of both families."""

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
        networks = tuple(sorted({*map(_network, nic.addresses)} - {""}))[:MOST_SCOUTED]
        granted = frozenset[str]().union(
            *(addresses for where, addresses in plumbing.grants.items() if where.interface == name)
        )
        for family in (4, 6):
            presence = ProbeTargets(
                tuple(_of_family(family, own))[:MOST_SCOUTED],
                _served_first(frozenset(_of_family(family, granted)), plumbing.served),
                (nic.mac.lower(),) if nic.mac else (),
                networks,
            )
            if presence.any_address:
                found[Segment(name, family)] = presence
    return found


def interface_of(scout: NodeTargets, segment: Segment, suspect: ProbeTargets) -> str:
    """The scout's own interface on a segment of the suspect."""
    on_network = [
        own.interface
        for own, presence in scout.items()
        if own.family == segment.family and not set(presence.networks).isdisjoint(suspect.networks)
    ]
    if segment.interface in on_network or not on_network:
        return segment.interface
    return min(on_network)


@lru_cache(maxsize=16384)
def _network(address: str) -> str:
    """The network of an address with prefix; empty: none that tells segments apart."""
    try:
        network = ip_interface(address).network
    except ValueError:
        return ""
    return "" if network.is_link_local or network.num_addresses == 1 else str(network)


def _served_first(granted: frozenset[str], served: frozenset[str]) -> tuple[str, ...]:
    """The first few in order: those that are served before those that are only granted."""
    first = nsmallest(MOST_SCOUTED, granted & served)
    return (*first, *nsmallest(MOST_SCOUTED - len(first), granted - served))


def _of_family(family: int, addresses: Iterable[str]) -> Iterable[str]:
    return (address for address in addresses if (":" in address) == (family == 6))  # noqa: PLR2004


def changes_to_json(changes: Mapping[str, NodeTargets | None]) -> dict[str, Any]:
    """The entries of some nodes: `[interface, family, own, served, macs, networks]` each."""
    return {
        name: entry and [[*segment, *map(list, presence)] for segment, presence in entry.items()]
        for name, entry in changes.items()
    }


def changes_from_json(changes: dict[str, Any]) -> dict[str, NodeTargets | None]:
    """The entries that were said so."""
    return {
        name: None
        if entry is None
        else {
            Segment(interface, family): ProbeTargets(*map(tuple, presence))
            for interface, family, *presence in entry
        }
        for name, entry in changes.items()
    }
