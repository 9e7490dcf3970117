"""Topologies: which one an address belongs to, and which nodes are off an address's subnet.

Of the Topologies whose block contains an address the longest prefix wins; of equal blocks, the
oldest (`Blocks`).

A node is on the subnet of an address when its interface has an address of its own whose
network, by the prefix that the node itself has given it, contains that address. On other nodes,
the *off-subnet nodes* (`Subnets`), the address can be plumbed, but will usually not be reachable
(semantics 24).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from duravip_api.addresses import to_int
from duravip_api.nodeplumbing import MOST_LISTED, Nic
from duravip_api.reasons import Reason
from duravip_operator.core.interface_choice import network_of
from duravip_operator.core.snapshot import Fencing, Rejection, Selector, Snapshot, Topology

BITS = {4: 32, 6: 128}
"""The number of bits of an address, by family."""


@dataclass(frozen=True)
class Blocks:
    """The usable Topologies, indexed for look-up by address."""

    by_prefix: Mapping[int, tuple[tuple[int, Mapping[int, Topology]], ...]]
    """`{family: ((shift, {network number >> shift: Topology}), …)}`, the longest prefix first."""
    topologies: tuple[Topology, ...]
    """All Topologies; those whose block an older one has carry a rejection."""

    def topology_of(self, address: str) -> Topology | None:
        """The Topology that the address belongs to."""
        family, number = to_int(address)
        for shift, networks in self.by_prefix[family]:
            topology = networks.get(number >> shift)
            if topology:
                return topology
        return None

    @property
    def shape(self) -> frozenset[tuple[str, str, Selector, frozenset[str] | None]]:
        """While it is equal, each address has the same Topology, for the same namespaces."""
        return frozenset(
            (topology.name, topology.cidr, topology.selector, topology.namespaces)
            for topology in self.topologies
            if not topology.rejection
        )


def build_blocks(topologies: Iterable[Topology], fencing: Fencing) -> Blocks:
    """Index the Topologies, and reject those whose block an older one has.

    `fencing` is the default for Topologies that set none.
    """
    tables: dict[int, dict[int, dict[int, Topology]]] = {4: {}, 6: {}}
    judged: list[Topology] = []
    for topology in sorted(topologies, key=lambda t: (t.created, t.name)):
        if topology.rejection:
            judged.append(topology)
            continue
        where = topology.placement
        used = replace(topology, placement=where._replace(fencing=where.fencing or fencing))
        shift = BITS[topology.family] - topology.prefix
        networks = tables[topology.family].setdefault(shift, {})
        older = networks.setdefault(topology.first >> shift, used)
        judged.append(used if older is used else _younger(topology, older))
    return Blocks(
        {family: tuple(sorted(t.items())) for family, t in tables.items()}, tuple(judged)
    )


def is_edge(topology: Topology, address: str) -> bool:
    """Whether it is the network or broadcast address of an IPv4 block, which no host can hold."""
    wide = topology.family == 4 and topology.prefix < BITS[4] - 1  # noqa: PLR2004
    return wide and to_int(address)[1] in (topology.first, topology.last)


def has_network_mask(topology: Topology) -> bool:
    """Whether its addresses get a mask that is wider than one host."""
    return topology.placement.mask != BITS[topology.family]


def _younger(topology: Topology, older: Topology) -> Topology:
    why = f"Topology {topology.name}: spec.cidr: Topology {older.name} has {older.cidr} already"
    return replace(topology, rejection=Rejection(Reason.DUPLICATE_CIDR, why))


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
        nic = plumbing.nics.get(snapshot.interface_on(name, topology).name)
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
    networks = {network_of(address) for address in own}
    return tuple(
        sorted(
            (first, last)
            for family, first, last in networks
            if family == topology.family and first <= topology.last and topology.first <= last
        )
    )
