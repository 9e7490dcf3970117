"""Which Topology an address belongs to: the longest prefix wins; of equal blocks, the oldest."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from duravip_api.addresses import to_int
from duravip_api.reasons import Reason
from duravip_operator.core.snapshot import Fencing, Rejection, Selector, Topology

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


def _younger(topology: Topology, older: Topology) -> Topology:
    why = f"Topology {topology.name}: spec.cidr: Topology {older.name} has {older.cidr} already"
    return replace(topology, rejection=Rejection(Reason.DUPLICATE_CIDR, why))
