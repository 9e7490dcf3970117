"""The node's NodePlumbing, parsed into what is granted where.

An entry that cannot be parsed is left out, which means not granted, and named among the failures:
an address is served only when the spec says so beyond doubt.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from duravip_agent.core.fencing import InterfaceShare
from duravip_api.addresses import parse_address, union
from duravip_api.checks import MOST_CHECKS, NodeCheck, parse_check
from duravip_api.grants import Allowance, InterfaceGrant, NodePlumbingSpec
from duravip_api.guards import MOST_OPEN, Guards, Ports, parse_guards

MAX_ENTRY_LENGTH = 45
"""What fits into the field `address` of a failure."""


class Placement(NamedTuple):
    """Where and how an address is added and announced."""

    interface: str
    mask: int
    arp_all_hosts: bool = True
    arp_targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """What one version of the NodePlumbing grants."""

    uid: str = ""
    version: int = 0
    """The object's resourceVersion: a later one is a later state, whatever the object's uid."""
    generation: int = 0
    epoch: int = 0
    pulse: tuple[str, ...] = ()
    pulse_keys: Mapping[str, str] = field(default_factory=dict)
    """The public key of each replica that `pulse` names, as far as the spec says."""
    ports: tuple[str, ...] = ()
    """Ports for which the status names the listening sockets."""
    ports_decide: bool = False
    """Whether addresses move by who listens there."""
    checks: Mapping[str, NodeCheck] = field(default_factory=dict)
    """By the line that names it."""
    wanted: Mapping[str, Placement] = field(default_factory=dict)
    guards: Guards = field(default_factory=dict)
    """Which addresses let in declared ports alone, and which ports those are."""
    failures: Mapping[str, str] = field(default_factory=dict)
    """Entries that cannot be read, each with what is wrong with it."""
    shares: tuple[InterfaceShare, ...] = ()
    """The same addresses as in `wanted`, with what decides whether they may be heard."""

    @property
    def strict(self) -> tuple[str, ...]:
        """The interfaces on which everything is strictly fenced."""
        loose = {share.interface for share in self.shares if not share.is_strict}
        return tuple(sorted({share.interface for share in self.shares} - loose))

    @property
    def guarded(self) -> frozenset[str]:
        """All addresses that let in declared ports alone."""
        return union(self.guards.values())


@dataclass(slots=True)
class _ParsedSpec:
    wanted: dict[str, Placement] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    shares: list[InterfaceShare] = field(default_factory=list)
    allowance: Allowance = field(default_factory=Allowance)


def parse_node_spec(body: Mapping[str, Any]) -> NodeSpec:
    """Read an object of the API; raises ValueError when its spec has not the form of its kind.

    So does a list of guards that cannot be read: nobody could tell which addresses to guard.
    """
    metadata = body["metadata"]
    spec = NodePlumbingSpec.model_validate(body.get("spec") or {})
    reading = _ParsedSpec()
    for entry in spec.interfaces:
        _add(entry, reading)
    guards = _affordable(parse_guards(spec.guarded, reading.wanted), reading)
    return NodeSpec(
        uid=metadata.get("uid", ""),
        version=resource_version(body),
        generation=metadata.get("generation", 0),
        epoch=spec.epoch,
        pulse=tuple(spec.pulse),
        pulse_keys={a: key for a, key in zip(spec.pulse, spec.pulse_keys, strict=False) if key},
        ports=tuple(spec.ports),
        ports_decide=spec.ports_decide,
        checks=_checks(spec.checks, reading),
        wanted=reading.wanted,
        guards=guards,
        failures=reading.failures,
        shares=tuple(reading.shares),
    )


def _affordable(guards: Guards, reading: _ParsedSpec) -> Guards:
    """The guards without the ports that are too many: the addresses with most stay closed."""
    if sum(len(ports) * len(some) for ports, some in guards.items()) <= MOST_OPEN:
        return guards
    left, closed = MOST_OPEN, set(guards.get(frozenset(), ()))
    kept: dict[Ports, frozenset[str]] = {}
    for ports in sorted(filter(None, guards), key=lambda ports: (len(ports), sorted(ports))):
        in_order = sorted(guards[ports])
        room = max(0, left) // len(ports)
        left -= len(ports) * len(in_order)
        kept[ports] = frozenset(in_order[:room])
        closed.update(in_order[room:])
    reading.failures["guarded"] = (
        f"more than {MOST_OPEN} open ports: at {len(closed)} addresses all stay closed"
    )
    return {frozenset(): frozenset(closed), **{p: some for p, some in kept.items() if some}}


def _checks(lines: Iterable[str], reading: _ParsedSpec) -> dict[str, NodeCheck]:
    checks: dict[str, NodeCheck] = {}
    for line in lines:
        try:
            checks[line] = _check(line)
        except ValueError as error:
            reading.failures[line[:MAX_ENTRY_LENGTH]] = f"the check is not understood: {error}"
    return checks


_check = lru_cache(MOST_CHECKS)(parse_check)
"""The next spec has nearly the same ones."""


def resource_version(body: Mapping[str, Any]) -> int:
    """The object's resourceVersion as the number that it is."""
    return int(body["metadata"].get("resourceVersion", 0))


def group_by_placement(
    wanted: Mapping[str, Placement], addresses: Iterable[str]
) -> dict[Placement, frozenset[str]]:
    """Wanted addresses by where and how they are added."""
    groups: dict[Placement, set[str]] = {}
    for address in addresses:
        groups.setdefault(wanted[address], set()).add(address)
    return {place: frozenset(part) for place, part in groups.items()}


def group_by_interface(
    wanted: Mapping[str, Placement], addresses: Iterable[str]
) -> dict[str, frozenset[str]]:
    """Wanted addresses by interface."""
    groups: dict[str, frozenset[str]] = {}
    for place, part in group_by_placement(wanted, addresses).items():
        groups[place.interface] = groups.get(place.interface, frozenset()) | part
    return groups


def _add(entry: InterfaceGrant, reading: _ParsedSpec) -> None:
    """Add what one interface is granted; an address that is there already stays where it is.

    One that is named as contested and as free is contested.
    """
    where = Placement(entry.name, entry.mask, entry.arp_all_hosts, tuple(entry.arp_targets))
    contested = _read(entry.contested, where, reading)
    free = _read(entry.granted, where, reading)
    is_strict = entry.fencing == "Strict"
    reading.shares.append(
        InterfaceShare(entry.name, frozenset(free), frozenset(contested), is_strict)
    )


def _read(items: list[str], where: Placement, reading: _ParsedSpec) -> set[str]:
    """Add items of one list; gives back the addresses that are new."""
    new: set[str] = set()
    for item in items:
        if reading.allowance.left <= 0:
            reading.failures[item[:MAX_ENTRY_LENGTH]] = (
                "the entries before it name too many addresses"
            )
            break
        try:
            addresses = _expand(item, where.mask, reading.allowance)
        except ValueError as error:
            reading.failures[item[:MAX_ENTRY_LENGTH]] = f"the entry is not understood: {error}"
            continue
        for address in addresses:
            if address not in reading.wanted:
                reading.wanted[address] = where
                new.add(address)
    return new


def _expand(item: str, mask: int, allowance: Allowance) -> list[str]:
    addresses = allowance.spelled_out(item)
    if mask > parse_address(addresses[0]).max_prefixlen:
        raise ValueError(f"a mask of {mask} does not fit the address")
    return addresses
