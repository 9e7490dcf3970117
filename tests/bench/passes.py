"""How long a pass takes after each kind of change.

`python -m bench.passes [ENTITIES [NODES [SELECTORS]]]`: once without any nodeSelector, then with
so many distinct ones, which match from one node to all of them.

Only what is computed, in one process without a cluster: everything from the caches to the specs
that are to be written, then the verdicts on all addresses. A third of all addresses is at home on
one node, and that is the node that things happen to; the others are spread over the rest. Times
are the thread's own processor time, so that other work on the machine does not count.
"""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, Final, NamedTuple

from duravip_api import EXCLUDE_LABEL
from duravip_api.addresses import from_int
from duravip_api.nodeplumbing import Nic
from duravip_operator.core import decision, handover, nodeplumbing_spec, parsing, releases
from duravip_operator.core.endpoints import ServiceEndpoints
from duravip_operator.core.readiness import ServiceTable, with_fitness
from duravip_operator.core.snapshot import (
    Liveness,
    Node,
    Placement,
    Plumbing,
    ReadinessKey,
    Snapshot,
    Suspicion,
)
from duravip_runtime.gc_tuning import GcTuning

RUNS: Final = 15
FIRST: Final = (10 << 24) + (1 << 16) + (64 << 8)
"""10.1.64.0 as a number: where the addresses begin."""
HEAVY: Final = "node-1"
"""The node that has a third of all addresses."""
SERVICES: Final = 100
COMMON, OWN = 13, 12
"""Labels that every node has, and those whose value is one bit of the node's number."""
ETH1: Final = Placement("eth1", 32, fencing="Segment")


class Times(NamedTuple):
    """What one kind of pass takes, in milliseconds: the median and the worst of some runs."""

    decided: float
    """Until it is known what to write."""
    whole: float
    """With all verdicts."""
    worst: float
    """The whole of the slowest run."""


@dataclass
class Operator:
    """As much of the operator as a pass needs: the last decision and what is remembered."""

    last: decision.Decision | None = None
    memory: releases.ReleaseRecords | None = None

    def decide(self, snapshot: Snapshot) -> list[str]:
        """One pass up to its writes; gives back the nodes whose specs are to be written."""
        memory = releases.update_records(self.memory or {}, snapshot)
        nodeplumbing_spec.to_create(snapshot, {}, memory)
        nodeplumbing_spec.to_delete(snapshot, memory)
        self.last = decision.decide(snapshot, memory, self.last)
        self.memory = releases.limit_to_owned(memory, self.last.assignments)
        plans = self.last.plans
        return [name for name, p in snapshot.plumbings.items() if not plans[name].is_in(p)]


Change = Callable[[Snapshot, int], Snapshot]
"""Makes the next world from the settled one; the number tells runs apart."""


def duravip(number: int, edit: int = 0, **spec: Any) -> dict[str, Any]:
    """A DuraVIP as the API server gives it."""
    metadata = {
        "name": f"v{number}",
        "namespace": "default",
        "uid": f"u{number}",
        "generation": edit + 1,
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }
    services = [{"name": "smtp", "port": 25, "protocol": "TCP"}]
    address = from_int(4, FIRST + number)
    return {"metadata": metadata, "spec": {"address": address, "services": services, **spec}}


def topology(edit: int = 0) -> dict[str, Any]:
    """The one Topology."""
    spec = {"cidr": "10.1.0.0/16", "interface": "eth1", "arpTargets": [f"10.1.0.{edit % 99 + 1}"]}
    return {"metadata": {"name": "lan", "uid": "lan", "generation": edit + 1}, "spec": spec}


def labels(node: int) -> dict[str, str]:
    """Those of one node."""
    mixed = node * 2654435761 >> 7  # neighbours shall differ in more than the last bits
    own = {f"own-{bit}": str(mixed >> bit & 1) for bit in range(OWN)}
    return {f"common-{bit}": "yes" for bit in range(COMMON)} | own


def selector(number: int, nodes: int) -> dict[str, str]:
    """One of up to 8192 that differ, which matches one of the nodes at least."""
    mine = labels(number % nodes)
    kept = {f"common-{bit}" for bit in range(COMMON) if number >> bit & 1}
    kept |= {f"own-{(number + step) % OWN}" for step in range(number // nodes % 5)}
    return {key: value for key, value in mine.items() if key in kept}


def world(vips: int, nodes: int, selectors: int = 0) -> Snapshot:
    """The cluster before anybody owns anything; as many DuraVIPs as that have a nodeSelector."""
    names = [f"node-{n + 1}" for n in range(nodes)]
    third = vips // 3
    wishes: list[dict[str, Any]] = [
        {"preference": HEAVY} if i < third else {} for i in range(vips)
    ]
    for i in range(selectors):
        wishes[-i - 1]["nodeSelector"] = selector(i, nodes)
    bodies = [duravip(i, **wish) for i, wish in enumerate(wishes)]
    nics = {
        name: Nic(name="eth1", index=2, up=True, carrier=True, addresses=[f"10.1.1.{n}/16"])
        for n, name in enumerate(names)
    }
    return Snapshot(
        vips=tuple(parsing.vip_object("DuraVIP", body) for body in bodies),
        topologies=(parsing.topology(topology()),),
        nodes={name: Node(name, labels(n)) for n, name in enumerate(names)},
        plumbings={
            name: Plumbing(
                name,
                uid=name,
                generation=1,
                observed_generation=1,
                nics={"eth1": nics[name]},
                boot="b",
            )
            for name in names
        },
        liveness=dict.fromkeys(names, Liveness.ALIVE),
        witnessed=dict.fromkeys(names, frozenset({"eth1"})),
    )


def obeyed(snapshot: Snapshot, plans: Mapping[str, handover.Plan]) -> Snapshot:
    """The same once all agents have done what they were told."""
    plumbings = {
        name: replace(p, grants=plans[name].grants, served=plans[name].addresses)
        for name, p in snapshot.plumbings.items()
    }
    return replace(snapshot, plumbings=plumbings)


def settled(operator: Operator, snapshot: Snapshot) -> Snapshot:
    """The world at rest."""
    while operator.decide(snapshot) and operator.last:
        snapshot = obeyed(snapshot, operator.last.plans)
    return snapshot


def _with_entity(snapshot: Snapshot, number: int, body: dict[str, Any]) -> Snapshot:
    vips = list(snapshot.vips)
    vips[number : number + 1] = [parsing.vip_object("DuraVIP", body)]
    return replace(snapshot, vips=tuple(vips))


def edited(snapshot: Snapshot, run: int) -> Snapshot:
    """Somebody changes a preference."""
    number = len(snapshot.vips) // 2 + run
    return _with_entity(snapshot, number, duravip(number, 1, preference=f"node-{run + 2}"))


def moved_elsewhere(snapshot: Snapshot, run: int) -> Snapshot:
    """Somebody gives a DuraVIP another address."""
    number = len(snapshot.vips) // 2 + run
    address = from_int(4, FIRST - run - 2)
    return _with_entity(snapshot, number, duravip(number, 1, address=address))


def added(snapshot: Snapshot, run: int) -> Snapshot:
    """Somebody makes another DuraVIP."""
    number = len(snapshot.vips)
    return _with_entity(snapshot, number, duravip(number + run))


def deleted(snapshot: Snapshot, run: int) -> Snapshot:
    """Somebody deletes a DuraVIP."""
    vips = snapshot.vips
    return replace(snapshot, vips=vips[:run] + vips[run + 1 :])


def relabelled(snapshot: Snapshot, run: int) -> Snapshot:
    """The big node gets a label that means nothing."""
    return _with_labels(snapshot, {"run": str(run)})


def drained(snapshot: Snapshot, _run: int) -> Snapshot:
    """The big node is drained."""
    return _with_labels(snapshot, {EXCLUDE_LABEL: ""})


def _with_labels(snapshot: Snapshot, more: dict[str, str]) -> Snapshot:
    node = Node(HEAVY, {**snapshot.nodes[HEAVY].labels, **more})
    return replace(snapshot, nodes={**snapshot.nodes, node.name: node})


def died(snapshot: Snapshot, _run: int) -> Snapshot:
    """The big node is gone."""
    silence = Suspicion(unreachable_on=frozenset({"eth1"}))
    hearing = {**snapshot.liveness, HEAVY: Liveness.SUSPECT}
    return replace(snapshot, liveness=hearing, suspicions={HEAVY: silence})


def revoked(snapshot: Snapshot, run: int) -> Snapshot:
    """The second pass of that: the dead node's spec grants nothing any more."""
    plumbing = replace(snapshot.plumbings[HEAVY], generation=2, grants={})
    plumbings = {**snapshot.plumbings, HEAVY: plumbing}
    return died(replace(snapshot, plumbings=plumbings), run)


def reported(snapshot: Snapshot, run: int) -> Snapshot:
    """The big node's agent writes its status again, with one address less."""
    plumbing = snapshot.plumbings[HEAVY]
    served = frozenset(sorted(plumbing.served)[run + 1 :])
    changed = replace(plumbing, resource_version=str(run), served=served)
    return replace(snapshot, plumbings={**snapshot.plumbings, HEAVY: changed})


def retargeted(snapshot: Snapshot, run: int) -> Snapshot:
    """Somebody changes the Topology of all addresses."""
    return replace(snapshot, topologies=(parsing.topology(topology(run + 1)),))


def unready(snapshot: Snapshot, run: int) -> Snapshot:
    """The Service of every tenth address has no ready endpoint on its owner any more."""
    return with_services(snapshot, run + 1)


def with_services(snapshot: Snapshot, turn: int = 0) -> Snapshot:
    """Every tenth address asks for one of a hundred Services, each ready on three nodes."""
    nodes, vips = sorted(snapshot.plumbings), list(snapshot.vips)
    for number in range(len(vips) - len(vips) // 10, len(vips)):
        key = ReadinessKey("endpointsOf", f"default/s{number % SERVICES}")
        vips[number] = replace(vips[number], readiness=frozenset({key}))
    ready = {
        f"default/s{n}": frozenset(nodes[(7 * n + turn + 2 * k) % len(nodes)] for k in range(3))
        for n in range(SERVICES)
    }
    table = {service: ServiceEndpoints(on) for service, on in ready.items()}
    return with_fitness(replace(snapshot, vips=tuple(vips)), ServiceTable(table))


def balanced(snapshot: Snapshot, _run: int) -> Snapshot:
    """It is time to even out the load."""
    return replace(snapshot, balance_moves=0)


def unchanged(snapshot: Snapshot, _run: int) -> Snapshot:
    """Nothing has changed, but somebody looks."""
    return replace(snapshot)


CHANGES: Final[tuple[Change, ...]] = (
    unchanged,
    balanced,
    edited,
    moved_elsewhere,
    added,
    deleted,
    relabelled,
    drained,
    died,
    revoked,
    reported,
    retargeted,
)


def measured(
    vips: int, nodes: int, runs: int = RUNS, selectors: int = 0
) -> Iterator[tuple[str, Times]]:
    """`(what has changed, the times of the pass that follows)`, one by one."""
    operator = Operator()
    rest = settled(operator, world(vips, nodes, selectors))
    GcTuning().collect_when_idle()  # as the operator does when it is quiet
    for change in CHANGES:
        times = [timed(operator, rest, change(rest, run)) for run in range(runs)]
        decided, whole = zip(*times, strict=True)
        yield change.__name__, Times(median(decided), median(whole), max(whole))


def timed(operator: Operator, rest: Snapshot, changed: Snapshot) -> tuple[float, float]:
    """Milliseconds until it is decided, and with all verdicts, once the world was at rest."""
    operator.decide(rest)
    begun = time.thread_time()
    operator.decide(changed)
    decided = time.thread_time()
    if operator.last:
        operator.last.address_statuses  # noqa: B018 (worked out by being asked for)
    return (decided - begun) * 1000, (time.thread_time() - begun) * 1000


def measured_unready(vips: int, nodes: int, runs: int = RUNS) -> Iterator[tuple[str, Times]]:
    """The same where every tenth address depends on a Service."""
    operator = Operator()
    rest = settled(operator, with_services(world(vips, nodes)))
    GcTuning().collect_when_idle()
    for change in (unchanged, died, unready):
        times = [timed(operator, rest, change(rest, run)) for run in range(runs)]
        decided, whole = zip(*times, strict=True)
        yield change.__name__, Times(median(decided), median(whole), max(whole))


def main(vips: str = "10240", nodes: str = "100", selectors: str = "5000") -> None:
    """Print a line for each kind of change."""
    for distinct in (0, int(selectors)):
        print(f"{vips} entities, {nodes} nodes, {distinct} selectors")
        print(f"{'after':16}{'decided':>9}{'whole':>9}{'worst':>9}  ms of CPU")
        for what, times in measured(int(vips), int(nodes), selectors=distinct):
            print(f"{what:16}" + "".join(f"{ms:9.1f}" for ms in times))
    print(f"{vips} entities, {nodes} nodes, a tenth with one of {SERVICES} Services")
    for what, times in measured_unready(int(vips), int(nodes)):
        print(f"{what:16}" + "".join(f"{ms:9.1f}" for ms in times))


if __name__ == "__main__":
    main(*sys.argv[1:])
