"""Nodes that would plumb an address on a foreign network (off-subnet nodes).

A node is on the subnet of an address when its interface has an address of its own whose
network, by the prefix that the node itself has given it, contains that address. On other nodes
the address can be plumbed, but will usually not be reachable (semantics 24).
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_interface
from typing import NamedTuple

from duravip_api.addresses import to_int
from duravip_api.nodeplumbing import MOST_LISTED, Nic
from duravip_operator.core.snapshot import Snapshot, Topology

Span = tuple[int, int]
"""The first and the last address of a network, as numbers."""


class _Nodes(NamedTuple):
    """The nodes as one Topology sees them."""

    foreign: frozenset[str]
    """Off the subnet of every address in the block."""
    partly: tuple[tuple[tuple[Span, ...], frozenset[str]], ...]
    """`((networks that overlap the block, the nodes that are on these subnets only), …)`."""


@dataclass
class Subnets:
    """Answers for one snapshot; each Topology is worked out once."""

    snapshot: Snapshot
    _by_topology: dict[str, _Nodes] = field(default_factory=dict)

    def off_subnet_nodes(self, topology: Topology, address: str) -> frozenset[str]:
        """The nodes whose interface has no address in the network of this address."""
        nodes = self._of(topology)
        if not nodes.partly:
            return nodes.foreign
        number = to_int(address)[1]
        foreign = (
            names
            for spans, names in nodes.partly
            if not any(first <= number <= last for first, last in spans)
        )
        return nodes.foreign.union(*foreign)

    def has_off_subnet_nodes(self, topology: Topology) -> bool:
        """Whether any node can be off the subnet of some address in the block."""
        return any(self._of(topology))

    def _of(self, topology: Topology) -> _Nodes:
        nodes = self._by_topology.get(topology.name)
        if nodes is None:
            nodes = self._by_topology[topology.name] = _nodes(self.snapshot, topology)
        return nodes


def _nodes(snapshot: Snapshot, topology: Topology) -> _Nodes:
    foreign: set[str] = set()
    partly: dict[tuple[Span, ...], set[str]] = defaultdict(set)
    for name, plumbing in snapshot.plumbings.items():
        nic = plumbing.nics.get(topology.placement.interface)
        if nic and not _tells_all(nic):
            continue  # it may be at home everywhere
        spans = _spans([*nic.addresses, *(nic.networks or ())] if nic else (), topology)
        if not spans:
            foreign.add(name)
        elif not any(first <= topology.first and topology.last <= last for first, last in spans):
            partly[spans].add(name)
    return _Nodes(frozenset(foreign), tuple((s, frozenset(n)) for s, n in sorted(partly.items())))


def _tells_all(nic: Nic) -> bool:
    """Whether the networks of all its addresses are listed; else absence proves nothing."""
    if nic.networks is not None:
        return True
    return nic.addresses_omitted is None and len(nic.addresses) < MOST_LISTED


def _spans(own: Iterable[str], topology: Topology) -> tuple[Span, ...]:
    """The networks of the node's own addresses that overlap the block."""
    networks = {_network(address) for address in own}
    return tuple(
        sorted(
            (first, last)
            for family, first, last in networks
            if family == topology.family and first <= topology.last and topology.first <= last
        )
    )


@lru_cache(maxsize=16384)
def _network(address: str) -> tuple[int, int, int]:
    """`(family, first, last)` of an address with prefix; family 0 if it cannot be parsed."""
    try:
        network = ip_interface(address).network
    except ValueError:
        return (0, 0, 0)
    return (network.version, int(network.network_address), int(network.broadcast_address))
