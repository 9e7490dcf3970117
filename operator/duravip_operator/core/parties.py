"""Parties: a leader with its followers, elected as one."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from duravip_api.addresses import to_int
from duravip_operator.core.conflicts import Unit
from duravip_operator.core.selection import Selection


class Party(NamedTuple):
    """A leader with its followers."""

    leader: Unit
    followers: tuple[Unit, ...]

    @property
    def weight(self) -> int:
        """How many addresses it brings to its owner."""
        return 1 + len(self.followers)


class Alike(NamedTuple):
    """Addresses of which one is as good as another: nobody follows them or asks for a move."""

    example: Unit
    addresses: frozenset[str]
    """All that have its Topology and its preference, and whose selectors match the same nodes."""


@dataclass(frozen=True, slots=True)
class Parties:
    """All that an owner is to be found for."""

    by_leader: Mapping[str, Party]
    """By the leader's address."""
    alike: tuple[Alike, ...]


def parties(units: Mapping[str, Unit], selection: Selection) -> Parties:
    """Put them together."""
    followers: dict[str, list[Unit]] = defaultdict(list)
    for unit in units.values():
        if unit.leader and unit.electable:
            followers[unit.leader].append(unit)
    for led in followers.values():
        led.sort(key=lambda unit: to_int(unit.address))
    found: dict[str, Party] = {}
    kinds: dict[tuple[str, frozenset[str], str], tuple[Unit, list[str]]] = {}
    for address, unit in units.items():
        if unit.leader or not unit.electable:
            continue
        led, topology = followers.get(address, []), unit.topology
        found[address] = Party(unit, tuple(led))
        is_odd = led or unit.request or unit.claimants
        if topology and not (is_odd or topology.excludes_foreign):
            kind = (topology.name, selection.of_any(unit.selectors), unit.preference)
            known = kinds.get(kind)
            if known is None:
                known = kinds[kind] = (unit, [])
            known[1].append(address)
    alike = tuple(Alike(unit, frozenset(addresses)) for unit, addresses in kinds.values())
    return Parties(found, alike)
