"""Addresses that other hosts use, and that no node may be given.

- What an administrator has reserved (`Topology.spec.reserved`: gateways and the like) is refused,
  whoever has it.
- The API server's addresses, and the next hops of the nodes' routes, are refused unless one of our
  nodes serves them, or has. What is served stays, with a condition: the address by which clients
  reach the API server may be one of ours, and so may a gateway; and one node's word takes nothing
  from another (O7).

These rules apply after units are built and before followers are linked.
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
    """A host outside our nodes that has an address, as the API server or a node reports."""

    reason: Reason
    why: str
    is_served: bool
    """Whether one of our nodes serves the address all the same, or has served it."""


OtherHosts = Mapping[str, OtherHost]
"""By address, for addresses that objects name."""


def find_other_hosts(snapshot: Snapshot) -> OtherHosts:
    """The addresses that objects name and that the API server or a router has."""
    hosts: dict[str, tuple[Reason, str]] = {}
    for name in sorted(snapshot.plumbings, reverse=True):
        why = f"is a next hop of node {name}: a router has it"
        routers = snapshot.plumbings[name].next_hops
        hosts.update(dict.fromkeys(routers, (Reason.NEXT_HOP, why)))
    api = (Reason.API_SERVER, "is an address of the API server")
    hosts.update(dict.fromkeys(snapshot.api_hosts, api))
    if not hosts:
        return {}
    named = {vip.address for vip in snapshot.vips if vip.address in hosts}
    served = in_service(snapshot, named) if named else frozenset()
    return {address: OtherHost(*hosts[address], address in served) for address in sorted(named)}


def reject_reserved(units: Units, topologies: Iterable[Topology], hosts: OtherHosts) -> Units:
    """The units, with those broken whose address another host has."""
    lists = [_ReservedRanges(topology) for topology in topologies if topology.reserved]
    changed: dict[str, Unit] = {}
    for address, host in hosts.items():
        unit = units.units.get(address)
        if unit and not (unit.broken or host.is_served):
            changed[address] = unit._replace(broken=_rejection(unit, host.reason, host.why))
    for address, unit in units.units.items() if lists else ():
        where = next((one.name for one in lists if address in one), None)
        if where and not unit.broken:
            why = f"is reserved by spec.reserved of Topology {where}"
            changed[address] = unit._replace(broken=_rejection(unit, Reason.RESERVED, why))
    return replace(units, units={**units.units, **changed}) if changed else units


def reserved_advisories(units: Mapping[str, Unit], hosts: OtherHosts) -> dict[str, Advisory]:
    """`{uid: condition}` of objects whose address stays although another host has it."""
    return {
        vip.uid: ("Reserved", host.reason, f"{address} {host.why}")
        for address, host in hosts.items()
        if host.is_served and address in units and not units[address].broken
        for vip in units[address].vips
    }


class _ReservedRanges:
    """The reserved ranges of one Topology."""

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
