"""What is said of an address because of who may hold it.

- `CrossSubnet`: some of those have no address in its network (semantics 24).
- `Disjoint`: most addresses of its Topology may be held by other nodes, which makes it hard to
  foresee what goes where (43). It is said of those that differ from the rule, and not of all.
- `RequestIgnored`: what somebody asked for is not possible at this moment.
- `Unsafe`: they offer different services on it (41; `services`).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping

from duravip_api.reasons import Reason
from duravip_operator.core.conflicts import Unit
from duravip_operator.core.election import Choices
from duravip_operator.core.eligibility import Eligibility, Eligible
from duravip_operator.core.services import Services
from duravip_operator.core.snapshot import Advisory, Asked, Topology
from duravip_operator.core.subnets import Subnets

_Kind = tuple[str, int]
"""A Topology, and an Eligible by its identity: what is true of one address is true of all."""
_MOST_NAMED = 5


def advisories(
    units: Mapping[str, Unit], choices: Choices, eligibility: Eligibility
) -> dict[str, list[Advisory]]:
    """`{address: what is said of it}`; most addresses are not named."""
    said: dict[str, list[Advisory]] = defaultdict(list)
    services = Services(eligibility.snapshot, eligibility.selection)
    kinds: dict[_Kind, tuple[Topology, Eligible, list[str]]] = {}
    for address, (_, eligible, *_) in choices.items():
        unit = units[address]
        topology = unit.topology
        if topology is None:
            continue
        kind = (topology.name, id(eligible))
        known = kinds.get(kind)
        if known is None:
            known = kinds[kind] = (topology, eligible, [])
        known[2].append(address)
        if unit.request and not unit.leader:
            said[address].extend(_void(unit.request, eligible))
        unsafe = services.unsafe(unit, eligible.may_take) if unit.services else None
        if unsafe:
            said[address].append(unsafe)
    usual = _usual(kinds.values())
    for topology, eligible, addresses in kinds.values():
        for address, why in _across(topology, eligible, addresses, eligibility.subnets):
            said[address].append(("CrossSubnet", Reason.CROSS_SUBNET, why))
        if eligible.could_hold != usual[topology.name]:
            why = (
                f"{_listed(eligible.could_hold)} could hold it; most addresses of Topology "
                f"{topology.name}: {_listed(usual[topology.name])}"
            )
            disjoint: Advisory = ("Disjoint", Reason.DISJOINT, why)
            for address in addresses:
                said[address].append(disjoint)
    return said


def _void(request: Asked, eligible: Eligible) -> Iterator[Advisory]:
    """What keeps the request from being heeded now, if anything does."""
    if request.releases and not eligible.may_take - {request.node}:
        why = f"cannot release from {request.node}: no other node may hold it"
        yield ("RequestIgnored", Reason.REQUEST_VOID, why)
    elif not request.releases and request.node not in eligible.may_take:
        because = eligible.refusals.get(request.node, Reason.NODE_UNKNOWN)
        why = f"cannot move to {request.node}: {because}: {because.sentence}"
        yield ("RequestIgnored", Reason.REQUEST_VOID, why)


def _usual(
    kinds: Iterable[tuple[Topology, Eligible, list[str]]],
) -> dict[str, frozenset[str]]:
    """`{Topology: the nodes that could hold most of its addresses}`; of equals, the larger set."""
    votes: dict[str, Counter[frozenset[str]]] = defaultdict(Counter)
    for topology, eligible, addresses in kinds:
        votes[topology.name][eligible.could_hold] += len(addresses)
    return {
        name: max(counted, key=lambda nodes: (counted[nodes], len(nodes), sorted(nodes)))
        for name, counted in votes.items()
    }


def _across(
    topology: Topology, eligible: Eligible, addresses: Iterable[str], subnets: Subnets
) -> Iterator[tuple[str, str]]:
    """`(address, which of its nodes are foreign to it)` wherever any of them is."""
    if not subnets.has_foreign(topology):
        return
    for address in addresses:
        away = subnets.foreign(topology, address) & eligible.could_hold
        if away:
            where = topology.placement.interface
            yield address, f"no address in the network of {address} on {where}: {_listed(away)}"


def _listed(nodes: frozenset[str]) -> str:
    named = sorted(nodes)
    more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
    return (", ".join(named[:_MOST_NAMED]) or "nobody") + more
