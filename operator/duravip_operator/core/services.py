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
from collections.abc import Iterable

from duravip_api.addresses import to_int
from duravip_api.listeners import MOST_PORTS
from duravip_api.reasons import Reason
from duravip_operator.core.conflicts import Unit
from duravip_operator.core.listeners import Nodes, listeners
from duravip_operator.core.selection import Offers, Selection
from duravip_operator.core.snapshot import Advisory, Selector, Service, Snapshot

MOST_NAMED = 5


def ports(units: Iterable[Unit]) -> tuple[str, ...]:
    """The ports that agents are asked to look at, the same for every node."""
    services = {unit.services for unit in units if unit.services and unit.electable}
    found = {port for offered in services for port, _ in offered}
    return tuple(sorted(found)[:MOST_PORTS])


class Services:
    """Answers for one snapshot."""

    def __init__(self, snapshot: Snapshot, selection: Selection) -> None:
        self._selection = selection
        self._listeners = listeners(snapshot.plumbings)
        self._are_any_uneven = any(self._listeners.uneven.values())

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
        known = self._selection.differences
        if (base, offers) not in known:
            self._selection.bound()
            known[base, offers] = self._difference(base, offers)
        return known[base, offers]

    def _difference(self, base: Selector, offers: Offers) -> str:
        offered: dict[Service, set[str]] = defaultdict(set)
        admitted: set[str] = set()
        among = self._selection.included & self._selection.matching(base)
        for selector, services in offers:
            nodes = among & self._selection.matching(selector)
            admitted |= nodes
            for service in services:
                offered[service] |= nodes
        return _said(
            f"{_shown(service)} is declared on {_named(nodes)}, not on {_named(admitted - nodes)}"
            for service, nodes in sorted(offered.items())
            if nodes and nodes != admitted
        )

    def _observed(self, unit: Unit, participants: Nodes) -> str:
        family, number = to_int(unit.address)
        seen = self._listeners
        uneven = seen.uneven[family]
        doubtful = [service for service in unit.services if service[0] in uneven]
        if not doubtful:
            return ""
        return _said(
            f"{_shown(service)} has a listener on {_named(nodes)}, none on {_named(among - nodes)}"
            for service in sorted(doubtful)
            for among in [participants & seen.looked[service[0]]]
            for nodes in [seen.on(service[0], family, number) & among]
            if nodes and nodes != among
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
