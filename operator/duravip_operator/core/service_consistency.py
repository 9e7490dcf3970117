"""Whether the nodes that may hold an address offer the same services on it; else it is Unsafe.

Declared: an object offers its services on the nodes that its nodeSelector matches. Nodes that
match some object of a unit, but are not all offered the same services, differ.

Observed: among the nodes that may take a unit and whose agents have reported their listeners,
some have a socket that listens on a declared port, and others have none. A socket counts when
it is bound to the unit's address, or to all addresses of its family. If no node listens,
nothing is concluded: pods with a network of their own cannot be seen.

A DuraVIP that was generated for a Service does not count: kube-proxy forwards its ports on every
node, and no socket shows it.

No election depends on this: Unsafe is a warning.

Agents report listeners as ranges of addresses, as wide as they like. `ListenerIndex` expands
nothing: for each port it sorts the ends of all ranges once, and between two ends the answer is
the same for every address. It is rebuilt only when an agent reports something else.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from duravip_api.addresses import to_int
from duravip_api.listeners import MOST_PORTS, WILDCARD, Listening, Port
from duravip_api.reasons import Reason
from duravip_operator.core.node_selectors import Offers, SelectorIndex
from duravip_operator.core.snapshot import Advisory, Plumbing, Selector, Service, Snapshot
from duravip_operator.core.units import Unit
from duravip_runtime.text import summarize

Nodes = frozenset[str]
NO_NODES: Nodes = frozenset()


@dataclass(frozen=True, slots=True)
class _Ranges:
    """The nodes with sockets bound to single addresses: from each start up to the next one."""

    starts: tuple[int, ...] = ()
    nodes: tuple[Nodes, ...] = ()

    def at(self, number: int) -> Nodes:
        before = bisect_right(self.starts, number) - 1
        return self.nodes[before] if before >= 0 else NO_NODES


@dataclass(frozen=True, slots=True)
class ListenerIndex:
    """Which nodes have a listening socket that an address can be reached by."""

    nodes_by_port: Mapping[str, Nodes]
    """`{port: nodes whose agents have reported on it}`."""
    uneven: Mapping[int, frozenset[str]]
    """By family: ports on which some node listens, and not every node listens on all addresses.
    Only these need a closer look."""
    _everywhere: Mapping[tuple[str, int], Nodes]
    _ranges: Mapping[tuple[str, int], _Ranges]

    def on(self, port: str, family: int, number: int) -> Nodes:
        """The nodes with a socket on the port that accepts connections to this address."""
        key = (port, family)
        single = self._ranges.get(key)
        everywhere = self._everywhere.get(key, NO_NODES)
        return everywhere | single.at(number) if single else everywhere


def index_listeners(plumbings: Mapping[str, Plumbing]) -> ListenerIndex:
    """The index of what all agents report."""
    return _listeners(tuple((n, p.listening) for n, p in plumbings.items() if p.listening))


@lru_cache(maxsize=2)
def _listeners(reports: tuple[tuple[str, Listening], ...]) -> ListenerIndex:
    looked: dict[str, set[str]] = defaultdict(set)
    everywhere: dict[tuple[str, int], set[str]] = defaultdict(set)
    single: dict[tuple[str, int], list[tuple[str, Port]]] = defaultdict(list)
    for node, ports in reports:
        for port in ports:
            looked[port.name].add(node)
            for family in {span.family for span in port.bound}:
                if port.takes(family, 0):
                    everywhere[port.name, family].add(node)
                else:
                    single[port.name, family].append((node, port))
    uneven: dict[int, set[str]] = {family: set() for family in WILDCARD}
    for name, family in everywhere.keys() | single.keys():
        if everywhere[name, family] != looked[name]:
            uneven[family].add(name)
    return ListenerIndex(
        {port: frozenset(nodes) for port, nodes in looked.items()},
        {family: frozenset(ports) for family, ports in uneven.items()},
        {key: frozenset(nodes) for key, nodes in everywhere.items()},
        {key: _ranges(key[1], bound) for key, bound in single.items()},
    )


def _ranges(family: int, bound: Iterable[tuple[str, Port]]) -> _Ranges:
    changes: dict[int, list[tuple[str, bool]]] = defaultdict(list)
    for node, port in bound:
        for span in port.bound:
            if span.family == family:
                changes[span.first].append((node, True))
                changes[span.last + 1].append((node, False))
    starts, nodes_after = sorted(changes), []
    bound_nodes: set[str] = set()
    for start in starts:
        for node, begins in sorted(changes[start], key=lambda change: change[1]):
            (bound_nodes.add if begins else bound_nodes.discard)(node)
        nodes_after.append(frozenset(bound_nodes))
    return _Ranges(tuple(starts), tuple(nodes_after))


MAX_NAMED = 5
"""At most this many nodes, or differences, are named in a message."""


def declared_ports(units: Iterable[Unit]) -> tuple[str, ...]:
    """The ports that agents are asked to report on, the same for every node."""
    services = {unit.services for unit in units if unit.services and unit.electable}
    declared = {port for offered in services for port, _ in offered}
    return tuple(sorted(declared)[:MOST_PORTS])


class ServiceConsistency:
    """Compares the services of nodes, for one snapshot."""

    def __init__(self, snapshot: Snapshot, selection: SelectorIndex) -> None:
        self._selection = selection
        self._listeners = index_listeners(snapshot.plumbings)
        self._are_any_uneven = any(self._listeners.uneven.values())

    def inconsistency(self, unit: Unit, participants: Nodes) -> Advisory | None:
        """The `Unsafe` condition of a unit; None if its nodes offer the same services.

        `participants` are the nodes that may take it.
        """
        declared = self._declared(unit) if len(unit.vips) > 1 else ""
        observed = self._observed(unit, participants) if self._are_any_uneven else ""
        if not declared and not observed:
            return None
        reason = Reason.SERVICES_DIFFER if declared else Reason.LISTENERS_DIFFER
        return ("Unsafe", reason, "; ".join(filter(None, (declared, observed))))

    def _declared(self, unit: Unit) -> str:
        offers = frozenset((vip.selector, vip.services) for vip in unit.vips if not vip.origin)
        if len({selector for selector, _ in offers}) == 1:
            return ""
        base = unit.topology.selector if unit.topology else ()
        cache = self._selection.declared_differences
        if (base, offers) not in cache:
            self._selection.limit_size()
            cache[base, offers] = self._difference(base, offers)
        return cache[base, offers]

    def _difference(self, base: Selector, offers: Offers) -> str:
        offered: dict[Service, set[str]] = defaultdict(set)
        admitted: set[str] = set()
        candidates = self._selection.included & self._selection.matching(base)
        for selector, services in offers:
            nodes = candidates & self._selection.matching(selector)
            admitted |= nodes
            for service in services:
                offered[service] |= nodes
        return _joined(
            f"{_shown(service)} is declared on {_named(nodes)}, not on {_named(admitted - nodes)}"
            for service, nodes in sorted(offered.items())
            if nodes and nodes != admitted
        )

    def _observed(self, unit: Unit, participants: Nodes) -> str:
        family, number = to_int(unit.address)
        reports = self._listeners
        uneven = reports.uneven[family]
        doubtful = [service for service in unit.services if service[0] in uneven]
        if not doubtful:
            return ""
        return _joined(
            f"{_shown(service)} has a listener on {_named(nodes)}, none on {_named(rest - nodes)}"
            for service in sorted(doubtful)
            for rest in [participants & reports.nodes_by_port[service[0]]]
            for nodes in [reports.on(service[0], family, number) & rest]
            if nodes and nodes != rest
        )


def _shown(service: Service) -> str:
    port, name = service
    return f"{name} ({port})"


def _named(nodes: Iterable[str]) -> str:
    return summarize(sorted(nodes), MAX_NAMED)


def _joined(differences: Iterable[str]) -> str:
    return "; ".join([*differences][:MAX_NAMED])
