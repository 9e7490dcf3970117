"""Failback: when an address returns to a node, though another node serves it well.

Nothing has to return, so it can wait (`stability`), and people may want it to wait longer or for
ever (`spec.failback`). The rule, for an affinity group and the node that it prefers or that
balancing would move it to:

- The node must have settled: for every aspect that a unit of the group depends on, its agent, the
  interface of its Topology, what it asks of a fit node, the damping of its last losses is over.
- `failback: Never` lets the preferred node have the group only when it has to move anyway. A
  duration lets it have the group once it has been well for so long in all those aspects. What
  the leader of the group says counts.

None of this delays a fail-over: it is asked only while the present owner may keep the group.
"""

from collections.abc import Iterable, Sequence
from math import inf

from duravip_api.reasons import Reason
from duravip_operator.core.snapshot import Snapshot
from duravip_operator.core.stability import AGENT, Aspect
from duravip_operator.core.units import Unit


def is_over(units: Sequence[Unit], node: str, snapshot: Snapshot) -> bool:
    """Whether the preferred node may take the group back from an owner that may keep it.

    `units` begins with the group's leader.
    """
    return returns_at(units, node, snapshot) <= snapshot.stability.now


def returns_at(units: Sequence[Unit], node: str, snapshot: Snapshot) -> float:
    """When the preferred node may, by the operator's clock in seconds; infinite: not by itself."""
    delay = units[0].failback_s
    if delay == inf:
        return inf
    return snapshot.stability.settles_at(node, _aspects(units, node, snapshot), delay)


def settled_nodes(
    units: Sequence[Unit], nodes: frozenset[str], snapshot: Snapshot
) -> frozenset[str]:
    """Those of the nodes to which balancing may move the group."""
    stability = snapshot.stability
    settles_at = {n: stability.settles_at(n, _aspects(units, n, snapshot)) for n in nodes}
    return frozenset(node for node, time in settles_at.items() if time <= stability.now)


def next_return(groups: Iterable[Sequence[Unit]], snapshot: Snapshot) -> float:
    """When the first of these groups may return to the node that it prefers; infinite: none."""
    now = snapshot.stability.now
    times = (returns_at(units, units[0].preference, snapshot) for units in groups)
    return min((time for time in times if time > now), default=inf)


def explain_delay(unit: Unit, node: str, snapshot: Snapshot) -> tuple[Reason, str]:
    """Why the preferred node does not take the unit back yet: `(reason, sentence)`.

    No sentence counts down: each change would be a write.
    """
    stability, delay = snapshot.stability, unit.failback_s
    if delay == inf:
        why = f"{node} is preferred and gets it when it has to move: spec.failback is Never"
        return Reason.FAILBACK_NEVER, why
    spells = {
        aspect: spell
        for aspect in _aspects((unit,), node, snapshot)
        if (spell := stability.spells.get(aspect, {}).get(node))
    }
    damping = max((stability.damping_of(*item) for item in spells.items()), default=0.0)
    if damping > delay and any(map(stability.is_flapping, spells.values())):
        return Reason.FLAPPING, f"{node} is preferred: {Reason.FLAPPING.sentence}"
    seconds = max(delay, damping)
    why = f"{node} is preferred and takes it back once it has been well for {seconds:g} s"
    return Reason.FAILBACK_DELAYED, why


def _aspects(units: Sequence[Unit], node: str, snapshot: Snapshot) -> list[Aspect]:
    """What the group depends on there; where no node is fit for followers, these do not count."""
    leader, *followers = units
    topologies = [unit.topology for unit in units if unit.topology]
    interfaces = {snapshot.interface_on(node, topology).name for topology in topologies}
    fit = snapshot.fit_nodes
    keys = {k for unit in followers for k in unit.readiness if node in fit.get(k, ())}
    return [
        AGENT,
        *(Aspect("interface", name) for name in sorted(interfaces)),
        *(Aspect("readiness", key) for key in sorted(leader.readiness | keys)),
    ]
