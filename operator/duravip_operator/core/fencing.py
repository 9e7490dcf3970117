"""Which fencing is in force on a node's interface (O5 of the hand-over rule)."""

from collections.abc import Mapping

from duravip_operator.core.conflicts import Unit
from duravip_operator.core.snapshot import Placement, Plumbing, Snapshot


def strict_interfaces(units: Mapping[str, Unit]) -> frozenset[str]:
    """Those on which some Topology asks for strict fencing."""
    used = {unit.topology.name: unit.topology for unit in units.values() if unit.topology}
    placements = (topology.placement for topology in used.values())
    return frozenset(where.interface for where in placements if where.fencing == "Strict")


def in_force(
    where: Placement, plumbing: Plumbing, snapshot: Snapshot, strict: frozenset[str]
) -> Placement:
    """The placement with the fencing that is in force on this node and interface (O5).

    One interface has one fencing: strict, if one of its Topologies is, or if there is no witness.
    It is changed only once the agent has acted on the spec as it stands: what both the spec and
    the agent call strict must never have been anything else in between.
    """
    known = {w.fencing for w in plumbing.grants if w.interface == where.interface}
    if known and not plumbing.acted:
        return where._replace(fencing="Segment" if "Segment" in known else "Strict")
    witnessed = where.interface in snapshot.witnessed.get(plumbing.node, ())
    is_strict = where.interface in strict or not witnessed
    return where._replace(fencing="Strict" if is_strict else "Segment")
