"""Readiness: an address goes to a node that is fit for it, and leaves one that is not.

An address that answers is of no use where nothing listens behind it. So objects may say what
makes a node fit (`spec.readiness`), and then unfit nodes are set aside as long as a fit one may
take the address. Where no node is fit, the address stays where it is: when a check fails on all
nodes at once, what is broken is not the owner, and moving helps nobody.

- *Fit* is a node that meets everything that the objects of a unit ask for. A node with a ready
  endpoint of the Service is; one whose endpoints are all terminating is not, though its address
  may stay while no other node is fit (`serving_nodes`): kube-proxy still uses those.
- A port is *listened on* by a socket that is bound to all addresses. One that is bound to the
  address itself exists on its owner alone, and so says nothing about any other node.
- A *check* is a probe that each node that may hold the address makes of its own address on the
  Topology's interface. One that was never made has not been passed.
- Policy `Prefer` takes nothing from anybody: it only chooses among the nodes that an address may
  go to when it has to go.
- An affinity group needs a node that is fit for all of it; if there is none, one that is fit for
  its leader.
- *Damping*: within `PAUSE_S` of a move for readiness an owner loses the address again only if it
  has not been fit for `LASTING_S`. So a Service that flaps moves it once, and a second real
  failure costs a second. Losses of other kinds (drain, link, death) know nothing of this.

A Service that nothing is known of counts as nobody fit. One that was named a moment ago, and whose
endpoints are on the way, is waited for: nothing that asks for it is taken by anybody meanwhile.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial, reduce
from operator import and_
from typing import Any, Final, NamedTuple

from duravip_api.checks import MOST_CHECKS, parse_check
from duravip_api.reasons import MoveReason, Reason
from duravip_operator.core.eligible import NO_NODES, Eligible
from duravip_operator.core.endpoints import (
    ServiceEndpoints,
    merge_slices,
    parse_slice,
    service_of,
)
from duravip_operator.core.snapshot import (
    NodesByReadiness,
    ReadinessKey,
    ReadinessKeys,
    Snapshot,
    VipObject,
)
from duravip_operator.core.units import Unit

PAUSE_S: Final = 5.0
"""After a move for readiness the next one of the same address waits for so long."""
LASTING_S: Final = 1.0
"""But not for an owner that has not been fit for so long."""
_REASONS: Final = {
    "endpointsOf": Reason.NO_READY_ENDPOINT,
    "listening": Reason.NOT_LISTENING,
    "check": Reason.CHECK_FAILED,
}
REASONS: Final = (*_REASONS.values(), Reason.SERVICE_UNKNOWN)
"""Why a node may not be fit."""


def asked_readiness(vips: Iterable[VipObject]) -> ReadinessKeys:
    """Everything that any object asks of a node."""
    return frozenset(key for vip in vips if vip.readiness for key in vip.readiness)


def named_services(keys: Iterable[ReadinessKey]) -> frozenset[str]:
    """The Services whose endpoints are asked for, each as `namespace/name`."""
    return frozenset(key.name for key in keys if key.kind == "endpointsOf")


class ServiceTable(NamedTuple):
    """What is known of Services, each named `namespace/name`."""

    endpoints: Mapping[str, ServiceEndpoints] = {}
    """A Service without an EndpointSlice is missing."""
    unread: frozenset[str] = frozenset()
    """Services whose EndpointSlices are on the way."""


def table_of(slices: Iterable[Mapping[str, Any]]) -> ServiceTable:
    """The table of exactly these EndpointSlices."""
    found: dict[str, list[ServiceEndpoints]] = defaultdict(list)
    for body in slices:
        found[service_of(body)].append(parse_slice(body))
    return ServiceTable({service: merge_slices(parts) for service, parts in found.items()})


def with_fitness(snapshot: Snapshot, services: ServiceTable) -> Snapshot:
    """The snapshot with the nodes that are fit for what its objects ask for."""
    keys = asked_readiness(snapshot.vips)
    if not keys:
        return snapshot
    fit: dict[ReadinessKey, frozenset[str]] = {}
    serving: dict[ReadinessKey, frozenset[str]] = {}
    lacking: set[ReadinessKey] = set()
    everywhere = frozenset(snapshot.plumbings)
    for key in keys:
        if key.kind == "listening":
            fit[key] = _listening_nodes(snapshot, key.name)
        elif key.kind == "check":
            fit.update(_passing_nodes(snapshot, key))
        elif endpoints := services.endpoints.get(key.name):
            fit[key] = everywhere if endpoints.is_anywhere else endpoints.ready
            if endpoints.serving and not fit[key]:
                serving[key] = endpoints.serving
        else:
            lacking.add(key)
    unread = frozenset(key for key in lacking if key.name in services.unread)
    return replace(
        snapshot,
        fit_nodes=fit,
        serving_nodes=serving,
        unread_services=unread,
        unknown_services=frozenset(lacking - unread),
    )


def _listening_nodes(snapshot: Snapshot, port: str) -> frozenset[str]:
    return frozenset(
        n for n, plumbing in snapshot.plumbings.items() if port in plumbing.wildcard_ports
    )


def _passing_nodes(snapshot: Snapshot, key: ReadinessKey) -> NodesByReadiness:
    """The nodes that pass a check, for each Topology that it may be made for."""
    plumbings = {name: p for name, p in snapshot.plumbings.items() if p.passing}
    return {
        key._replace(topology=topology.name): frozenset(
            name
            for name, plumbing in plumbings.items()
            if check_line(key.name, snapshot.interface_on(name, topology).name) in plumbing.passing
        )
        for topology in snapshot.topologies
    }


@lru_cache(maxsize=16384)
def check_line(check: str, interface: str) -> str:
    """The line of a check where it is made on this interface."""
    return str(parse_check(check)._replace(interface=interface))


def checks_by_node(
    units: Iterable[Unit], nodes_of: Callable[[Unit], frozenset[str]], snapshot: Snapshot
) -> dict[str, tuple[str, ...]]:
    """`{node: checks that it is to make}`: those of units that it may hold, each once."""
    wanted: dict[str, set[str]] = defaultdict(set)
    seen: set[tuple[ReadinessKey, frozenset[str]]] = set()
    for unit in units:
        if unit.topology is None:
            continue
        nodes = nodes_of(unit)
        for key in unit.readiness | unit.soft_readiness:
            if key.kind != "check" or (key, nodes) in seen:
                continue
            seen.add((key, nodes))
            for node in nodes:
                interface = snapshot.interface_on(node, unit.topology).name
                wanted[node].add(check_line(key.name, interface))
    return {node: tuple(sorted(lines)[:MOST_CHECKS]) for node, lines in wanted.items()}


def asks_for_check(unit: Unit) -> bool:
    """Whether nodes have to make a check for it."""
    return any(key.kind == "check" for key in (*unit.readiness, *unit.soft_readiness))


def asks_for_listeners(units: Iterable[Unit]) -> bool:
    """Whether any address depends on who listens."""
    asking = {keys for unit in units for keys in (unit.readiness, unit.soft_readiness)}
    return any(key.kind == "listening" for keys in asking for key in keys)


class ReadinessRecords(NamedTuple):
    """What damping needs to know of the past; times are those of one steady clock."""

    fit: NodesByReadiness = {}
    """The nodes that were fit last."""
    unfit_since: Mapping[ReadinessKey, Mapping[str, float]] = {}
    """For nodes that were fit lately: since when they are not."""
    moved: Mapping[str, float] = {}
    """By address: when its last move for readiness was decided on, if that was lately."""

    def next_change(self) -> float | None:
        """When an owner may lose what damping lets it keep; None: it lets nobody."""
        if not self.moved:
            return None
        pauses = min(self.moved.values()) + PAUSE_S
        losses = [when for since in self.unfit_since.values() for when in since.values()]
        return min([pauses, *(when + LASTING_S for when in losses)])


def with_records(snapshot: Snapshot, records: ReadinessRecords) -> Snapshot:
    """The snapshot with what was different a moment ago."""
    if not records.moved:
        return snapshot
    just_unfit = {key: frozenset(since) for key, since in records.unfit_since.items()}
    return replace(snapshot, just_unfit=just_unfit, just_moved=frozenset(records.moved))


def update_records(
    records: ReadinessRecords, fit: NodesByReadiness, now: float
) -> ReadinessRecords:
    """The records once these nodes are fit."""
    since: dict[ReadinessKey, dict[str, float]] = {}
    for key, nodes in fit.items():
        before, known = records.fit.get(key, NO_NODES), records.unfit_since.get(key, {})
        if before is nodes and not known:
            continue  # of nearly all, in nearly every pass
        lately = {**known, **dict.fromkeys(before - nodes, now)}
        unfit = {
            node: when
            for node, when in lately.items()
            if node not in nodes and now - when < LASTING_S
        }
        if unfit:
            since[key] = unfit
    moved = {address: when for address, when in records.moved.items() if now - when < PAUSE_S}
    return ReadinessRecords(fit, since, moved)


def record_moves(
    records: ReadinessRecords, causes: Mapping[str, MoveReason], now: float
) -> ReadinessRecords:
    """The records after a decision; `causes` says why addresses go to another owner."""
    moved = [address for address, cause in causes.items() if cause is MoveReason.READINESS]
    return records._replace(moved={**records.moved, **dict.fromkeys(moved, now)})


class ReadinessRule:
    """Narrows the nodes that may hold a unit to the fit ones, for one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._narrowed: dict[tuple[object, ...], tuple[Eligible, Eligible]] = {}
        """By an Eligible's id and all that matters beside: it, and what it is narrowed to."""

    def apply(
        self, eligible: Eligible, units: Sequence[Unit], *, is_settled: bool = False
    ) -> Eligible:
        """The answer for a leader with its followers; `is_settled`: none has just moved."""
        asked = [unit for unit in units if unit.readiness or unit.soft_readiness]
        if not asked:
            return eligible
        moved = self._snapshot.just_moved
        is_damped = not is_settled and any(unit.address in moved for unit in units)
        hard = _choices([unit.readiness for unit in units])
        soft = _choices([unit.soft_readiness for unit in units])
        key = (id(eligible), hard, soft, is_damped)
        if key not in self._narrowed:
            after = self._require(eligible, hard, is_damped=is_damped)
            self._narrowed[key] = (eligible, self._prefer(after, soft))
        return self._narrowed[key][1]

    def _require(
        self, eligible: Eligible, choices: Sequence[ReadinessKeys], *, is_damped: bool
    ) -> Eligible:
        """The answer by the first choice that some node is fit for."""
        if any(not keys.isdisjoint(self._snapshot.unread_services) for keys in choices):
            return eligible.waiting()
        for keys in choices:
            fit = fit_for(self._snapshot, keys)
            if not eligible.may_take.isdisjoint(fit):
                keeping = self._lately_fit(keys) if is_damped else NO_NODES
                return eligible.narrowed(fit, keeping, partial(self._why, keys))
        return eligible.staying() if choices else eligible

    def _prefer(self, eligible: Eligible, choices: Sequence[ReadinessKeys]) -> Eligible:
        if any(not keys.isdisjoint(self._snapshot.unread_services) for keys in choices):
            return eligible.waiting()
        for keys in choices:
            fit = fit_for(self._snapshot, keys)
            if not eligible.may_take.isdisjoint(fit):
                return eligible.preferring(fit)
        return eligible

    def _lately_fit(self, keys: ReadinessKeys) -> frozenset[str]:
        fit, before = self._snapshot.fit_nodes, self._snapshot.just_unfit
        return _intersection(fit.get(k, NO_NODES) | before.get(k, NO_NODES) for k in keys)

    def _why(self, keys: ReadinessKeys, node: str) -> Reason:
        return reason_of(self._snapshot, unmet(self._snapshot, keys, node)[0])


def _choices(asked: Sequence[ReadinessKeys]) -> tuple[ReadinessKeys, ...]:
    """What a node has to be fit for: all of a group, or else its leader, who is first."""
    leader = asked[0]
    if len(asked) == 1:
        return (leader,) if leader else ()
    everything = leader.union(*asked)
    return tuple(dict.fromkeys(keys for keys in (everything, leader) if keys))


def fit_for(snapshot: Snapshot, keys: ReadinessKeys) -> frozenset[str]:
    """The nodes that are fit for all of it."""
    return _intersection(snapshot.fit_nodes.get(key, NO_NODES) for key in keys)


def works_on(snapshot: Snapshot, keys: ReadinessKeys, node: str) -> bool:
    """Whether an address works there, if only on endpoints that are about to end."""
    fit, serving = snapshot.fit_nodes, snapshot.serving_nodes
    return all(node in fit.get(k, NO_NODES) or node in serving.get(k, NO_NODES) for k in keys)


def unmet(snapshot: Snapshot, keys: ReadinessKeys, node: str) -> list[ReadinessKey]:
    """What the node lacks to be fit."""
    return sorted(key for key in keys if node not in snapshot.fit_nodes.get(key, NO_NODES))


def reason_of(snapshot: Snapshot, key: ReadinessKey) -> Reason:
    """Why a node is not fit that lacks this."""
    if key in snapshot.unknown_services:
        return Reason.SERVICE_UNKNOWN
    return _REASONS[key.kind]


def describe(snapshot: Snapshot, key: ReadinessKey) -> str:
    """The same as a phrase, e.g. `no ready endpoint of Service web`."""
    if key.kind == "listening":
        port, _, version = key.name.partition(" ")
        return f"nobody listens on {port} of all IPv{version} addresses"
    if key.kind == "check":
        check = parse_check(key.name)
        return f"the check {check.scheme}://:{check.port}{check.path} does not pass"
    name = key.name.rpartition("/")[2]
    if key in snapshot.unknown_services:
        return f"Service {name} has no EndpointSlice"
    return f"no ready endpoint of Service {name}"


def unfit_nodes(snapshot: Snapshot) -> dict[Reason, frozenset[str]]:
    """`{why: nodes that are not fit for something that is asked for}`."""
    nodes = frozenset(snapshot.plumbings)
    unfit = dict.fromkeys(REASONS, NO_NODES)
    for kind, fit in {(key.kind, fit) for key, fit in snapshot.fit_nodes.items()}:
        unfit[_REASONS[kind]] |= nodes - fit
    if snapshot.unknown_services:
        unfit[Reason.SERVICE_UNKNOWN] = nodes
    return unfit


def _intersection(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    return reduce(and_, sets)
