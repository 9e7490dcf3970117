"""Whether a silent node can still answer for what it was granted.

A node uses one interface for a Topology, and is gone when nothing answers on that one, or when it
must have muted it by itself (`Snapshot.is_gone`). But a node that has changed its interface may
not have acted on that yet. So it is not gone as long as it still answers on any interface that
may carry the Topology's addresses.
"""

from duravip_operator.core.snapshot import Snapshot, Topology


def is_gone_from(snapshot: Snapshot, node: str, topology: Topology) -> bool:
    """Whether a node that was granted addresses of a Topology can no longer answer for them."""
    silence = snapshot.suspicions.get(node)
    if silence is None:
        return False
    where = snapshot.placement_on(node, topology)
    plumbing = snapshot.plumbings.get(node)
    others = set(topology.candidates.of(plumbing.nics) if plumbing else ()) - {where.interface}
    return silence.reachable_on.isdisjoint(others) and snapshot.is_gone(node, where)
