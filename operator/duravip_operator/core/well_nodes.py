"""Which nodes are well, and in what: one snapshot's contribution to `stability`."""

from duravip_operator.core.snapshot import Liveness, Plumbing, Snapshot
from duravip_operator.core.stability import AGENT, Aspect, Sighting


def sightings(snapshot: Snapshot) -> dict[Aspect, Sighting]:
    """All nodes in every aspect that an address may depend on."""
    up: dict[Aspect, set[str]] = {}
    for name, plumbing in snapshot.plumbings.items():
        for nic in plumbing.nics.values():
            nodes = up.setdefault(Aspect("interface", nic.name), set())
            if nic.up and nic.carrier:
                nodes.add(name)
    interfaces = {aspect: Sighting(frozenset(nodes)) for aspect, nodes in up.items()}
    fit = {Aspect("readiness", key): Sighting(n) for key, n in snapshot.fit_nodes.items()}
    return {AGENT: _agents(snapshot), **interfaces, **fit}


def _agents(snapshot: Snapshot) -> Sighting:
    well, excused, unsure = set(), set(), set()
    for name, plumbing in snapshot.plumbings.items():
        suspicion = snapshot.suspicions.get(name)
        if plumbing.leaving or plumbing.stopped or _is_excluded(snapshot, plumbing):
            excused.add(name)
        elif snapshot.liveness.get(name) is Liveness.ALIVE and not plumbing.unfit:
            well.add(name)
        elif suspicion is not None and not suspicion.is_lasting:
            unsure.add(name)
    return Sighting(frozenset(well), frozenset(excused), frozenset(unsure))


def _is_excluded(snapshot: Snapshot, plumbing: Plumbing) -> bool:
    node = snapshot.nodes.get(plumbing.node)
    return node is None or node.excluded
