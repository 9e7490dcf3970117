"""Whether nodes offer different services on an address: then it is Unsafe, and that is all.

Declared: an entity offers its services on the nodes that its nodeSelector admits. Nodes that are
admitted by some entity of a unit, and are not all offered the same, differ.

Observed: of the nodes that may take a unit, and whose agents have looked, some have a socket that
listens on a declared port, and others have none. A socket counts when it is bound to the unit's
address, or to all addresses of its family. Where nobody listens, nothing is concluded: pods with
a network of their own cannot be seen.

No election looks at this.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from duravip_api.addresses import numbered
from duravip_api.listening import ANY, MOST_PORTS, Listener
from duravip_api.reasons import Reason
from duravip_operator.core.conflicts import Unit
from duravip_operator.core.eligibility import is_selected
from duravip_operator.core.snapshot import Advisory, Selector, Service, Snapshot

Nodes = frozenset[str]
Offers = frozenset[tuple[Selector, frozenset[Service]]]

MOST_NAMED = 5
NOBODY: Nodes = frozenset()


def ports(units: Iterable[Unit]) -> tuple[str, ...]:
    """The ports that agents are asked to look at, the same for every node."""
    services = {unit.services for unit in units if unit.services and unit.electable}
    found = {port for offered in services for port, _ in offered}
    return tuple(sorted(found)[:MOST_PORTS])


@dataclass(frozen=True, slots=True)
class _Sockets:
    """Who listens, as the agents have seen it."""

    looked: Mapping[str, Nodes]
    """`{port: nodes whose agents have looked}`."""
    bound: Mapping[Listener, Nodes]
    """The nodes with such a socket."""
    uneven: Mapping[int, frozenset[str]]
    """By family, the ports on which not all nodes have a socket for all addresses, but some have
    any: only these need a closer look."""


class Services:
    """Answers for one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._sockets = _seen(snapshot)
        self._are_any_uneven = any(self._sockets.uneven.values())
        self._declared_known: dict[tuple[Selector, Offers], str] = {}

    def unsafe(self, unit: Unit, participants: Nodes) -> Advisory | None:
        """What differs between the nodes of a unit; None = nothing does.

        `participants` are the nodes that may take it.
        """
        declared = self._declared(unit) if len(unit.entities) > 1 else ""
        observed = self._observed(unit, participants) if self._are_any_uneven else ""
        if not declared and not observed:
            return None
        reason = Reason.SERVICES_DIFFER if declared else Reason.LISTENERS_DIFFER
        return ("Unsafe", reason, "; ".join(filter(None, (declared, observed))))

    def _declared(self, unit: Unit) -> str:
        offers = frozenset((entity.selector, entity.services) for entity in unit.entities)
        if len({selector for selector, _ in offers}) == 1:
            return ""
        base = unit.topology.selector if unit.topology else ()
        if (base, offers) not in self._declared_known:
            self._declared_known[base, offers] = self._difference(base, offers)
        return self._declared_known[base, offers]

    def _difference(self, base: Selector, offers: Offers) -> str:
        offered: dict[Service, set[str]] = defaultdict(set)
        admitted: set[str] = set()
        for node in self._snapshot.nodes.values():
            if node.excluded or not is_selected(node, base):
                continue
            for selector, services in offers:
                if is_selected(node, selector):
                    admitted.add(node.name)
                    for service in services:
                        offered[service].add(node.name)
        return _said(
            f"{_shown(service)} is declared on {_named(nodes)}, not on {_named(admitted - nodes)}"
            for service, nodes in sorted(offered.items())
            if nodes != admitted
        )

    def _observed(self, unit: Unit, participants: Nodes) -> str:
        family, _ = numbered(unit.address)
        uneven = self._sockets.uneven[family]
        doubtful = [service for service in unit.services if service[0] in uneven]
        if not doubtful:
            return ""
        return _said(
            f"{_shown(service)} has a listener on {_named(nodes)}, none on {_named(among - nodes)}"
            for service in sorted(doubtful)
            for among in [participants & self._sockets.looked[service[0]]]
            for nodes in [self._listening(service[0], unit.address, family) & among]
            if nodes and nodes != among
        )

    def _listening(self, port: str, address: str, family: int) -> Nodes:
        bound = self._sockets.bound
        everywhere = bound.get(Listener(port, ANY[family]), NOBODY)
        return everywhere | bound.get(Listener(port, address), NOBODY)


def _seen(snapshot: Snapshot) -> _Sockets:
    looked: dict[str, set[str]] = defaultdict(set)
    bound: dict[Listener, set[str]] = defaultdict(set)
    for name, plumbing in snapshot.plumbings.items():
        for listener in plumbing.listening:
            looked[listener.port].add(name)
            if listener.address:
                bound[listener].add(name)
    uneven: dict[int, set[str]] = {family: set() for family in ANY}
    for port, address in bound:
        family, _ = numbered(address)
        if bound.get(Listener(port, ANY[family])) != looked[port]:
            uneven[family].add(port)
    return _Sockets(
        {port: frozenset(nodes) for port, nodes in looked.items()},
        {listener: frozenset(nodes) for listener, nodes in bound.items()},
        {family: frozenset(found) for family, found in uneven.items()},
    )


def _shown(service: Service) -> str:
    port, name = service
    return f"{name} ({port})"


def _named(nodes: Iterable[str]) -> str:
    in_order = sorted(nodes)
    more = " and others" if len(in_order) > MOST_NAMED else ""
    return ", ".join(in_order[:MOST_NAMED]) + more


def _said(differences: Iterable[str]) -> str:
    return "; ".join([*differences][:MOST_NAMED])
