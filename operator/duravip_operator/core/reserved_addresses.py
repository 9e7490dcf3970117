"""Addresses that are somebody else's for sure: nobody is given them.

- What an administrator has reserved (`Topology.spec.reserved`: gateways and the like) is refused,
  whoever has it.
- The API server's own addresses, and the next hops of the nodes' routes, are refused where nobody
  has served them yet. What one of our nodes serves already stays, and is said: the address that
  clients reach the API server by may be one of ours, and so may a gateway; and the word of one
  node takes nothing from another (O7).

This comes after the units are sorted and before it is looked at who follows whom.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from duravip_api.addresses import Range, to_int
from duravip_api.reasons import Reason
from duravip_operator.core.node_addresses import in_service
from duravip_operator.core.snapshot import Advisory, Rejection, Snapshot, Topology
from duravip_operator.core.units import Unit, Units


class OtherHost(NamedTuple):
    """Another host that has an address, as the API server or the nodes say."""

    reason: Reason
    why: str
    is_served: bool
    """Whether one of our nodes serves the address all the same, or has served it."""


OtherHosts = Mapping[str, OtherHost]
"""By address: of those that people name."""


def find_other_hosts(snapshot: Snapshot) -> OtherHosts:
    """The addresses that people name, and that the API server or a router has."""
    known: dict[str, tuple[Reason, str]] = {}
    for name in sorted(snapshot.plumbings, reverse=True):
        why = f"is a next hop of node {name}: a router has it"
        routers = snapshot.plumbings[name].next_hops
        known.update(dict.fromkeys(routers, (Reason.NEXT_HOP, why)))
    api = (Reason.API_SERVER, "is an address of the API server")
    known.update(dict.fromkeys(snapshot.api_hosts, api))
    if not known:
        return {}
    named = {e.address for e in snapshot.vips if e.address in known}
    served = in_service(snapshot, named) if named else frozenset()
    return {address: OtherHost(*known[address], address in served) for address in sorted(named)}


def reject_reserved(judged: Units, topologies: Iterable[Topology], found: OtherHosts) -> Units:
    """The same units, those broken whose address is somebody else's."""
    lists = [_ReservedRanges(topology) for topology in topologies if topology.reserved]
    changed: dict[str, Unit] = {}
    for address, host in found.items():
        unit = judged.units.get(address)
        if unit and not (unit.broken or host.is_served):
            changed[address] = unit._replace(broken=_rejection(unit, host.reason, host.why))
    for address, unit in judged.units.items() if lists else ():
        where = next((one.name for one in lists if address in one), None)
        if where and not unit.broken:
            why = f"is reserved by spec.reserved of Topology {where}"
            changed[address] = unit._replace(broken=_rejection(unit, Reason.RESERVED, why))
    return replace(judged, units={**judged.units, **changed}) if changed else judged


def reserved_advisories(units: Mapping[str, Unit], found: OtherHosts) -> dict[str, Advisory]:
    """`{uid: what is said}` of every entity whose address stays although a router has it."""
    return {
        vip.uid: ("Reserved", host.reason, f"{address} {host.why}")
        for address, host in found.items()
        if host.is_served and address in units and not units[address].broken
        for vip in units[address].vips
    }


class _ReservedRanges:
    """What a Topology has reserved."""

    def __init__(self, topology: Topology) -> None:
        self.name = topology.name
        self._spans: tuple[Range, ...] = topology.reserved

    def __contains__(self, address: str) -> bool:
        family, number = to_int(address)
        at = bisect_right(self._spans, (family, number + 1)) - 1
        if at < 0:
            return False
        span = self._spans[at]
        return span.family == family and span.first <= number <= span.last


def _rejection(unit: Unit, reason: Reason, why: str) -> Rejection:
    return Rejection(reason, f"{unit.vips[0].label}: spec.address: {unit.address} {why}")
