"""What single entities are advised, beside the verdict on their unit.

It depends on nothing but what people wrote, so it is found once and not in every pass. The rows:
`Upgraded` (semantics 38), `NoLocalBinding` (21), `PreferenceAdvised` (27), and the requests that
have no effect.

What is said of an address because of who may hold it.

- `CrossSubnet`: some of those have no address in its network (semantics 24).
- `Disjoint`: most addresses of its Topology may be held by other nodes, which makes it hard to
  foresee what goes where (43). It is said of those that differ from the rule, and not of all.
- `RequestIgnored`: what somebody asked for is not possible at this moment.
- `Unsafe`: they offer different services on it (41; `services`).

What is said of an address that is not where, or only where, somebody wants it to be.

- `PreferenceNotMet`: another node than the preferred one has it, and why (semantics 26). A node
  that has only just fallen silent is no reason yet.
- `Held`: somebody has asked for it to stay on the node that has it (47), and who.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping

from duravip_api.annotations import format_clock_time
from duravip_api.reasons import Reason
from duravip_operator.core import move_requests
from duravip_operator.core.election import Assignment, Assignments
from duravip_operator.core.eligibility import Eligibility, Eligible
from duravip_operator.core.service_consistency import ServiceConsistency
from duravip_operator.core.snapshot import Advisory, MoveRequest, Snapshot, Topology, VipObject
from duravip_operator.core.subnets import Subnets
from duravip_operator.core.units import Unit


def object_advisories(
    units: Mapping[str, Unit], vips: Iterable[VipObject]
) -> dict[str, tuple[Advisory, ...]]:
    """`{uid: what its entity is advised}`; who is not named is advised nothing."""
    with_bindings = {vip.namespace for vip in vips if vip.kind == "Binding"}
    found: dict[str, tuple[Advisory, ...]] = {}
    for unit in units.values():
        if not unit.managed or unit.broken:
            continue
        for vip in unit.vips:
            if vip.namespace not in with_bindings and _is_plain(vip):
                continue
            advice = [*_on_form(vip), *_on_requests(vip, unit)]
            is_bound = any(one.kind == "Binding" for one in unit.vips)
            if not is_bound and not vip.follow and vip.namespace in with_bindings:
                advice.append(_said("NoLocalBinding", Reason.NO_LOCAL_BINDING))
            if advice:
                found[vip.uid] = tuple(advice)
    return found


def _is_plain(vip: VipObject) -> bool:
    """Whether there is nothing about it that advice could be about: nearly all are so."""
    return vip.enabled and not (vip.adaptive or vip.requests or vip.unparsable)


def _on_form(vip: VipObject) -> Iterator[Advisory]:
    if not vip.enabled and not vip.follow:
        yield _said("Upgraded", Reason.UPGRADED)
    if vip.adaptive and not vip.preference:
        yield _said("PreferenceAdvised", Reason.PREFERENCE_ADVISED)


def _on_requests(vip: VipObject, unit: Unit) -> Iterator[Advisory]:
    for why in vip.unparsable:
        yield ("RequestIgnored", Reason.REQUEST_UNREADABLE, f"{vip.label}: {why}")
        return
    for request in vip.requests:
        if unit.leader or move_requests.is_refused(request, unit.preference):
            verb = "release from" if request.releases else "move to"
            whom = f"it follows {unit.leader}" if unit.leader else "the preference decides"
            why = f"{vip.label}: cannot {verb} {request.node}: {whom}"
            yield ("RequestIgnored", Reason.REQUEST_REFUSED, why)
            return


def _said(kind: str, reason: Reason) -> Advisory:
    return (kind, reason, reason.sentence)


_Kind = tuple[str, int]
"""A Topology, and an Eligible by its identity: what is true of one address is true of all."""
_MOST_NAMED = 5


def participant_advisories(
    units: Mapping[str, Unit], choices: Assignments, eligibility: Eligibility
) -> dict[str, list[Advisory]]:
    """`{address: what is said of it}`; most addresses are not named."""
    said: dict[str, list[Advisory]] = defaultdict(list)
    services = ServiceConsistency(eligibility.snapshot, eligibility.selection)
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
        unsafe = services.inconsistency(unit, eligible.may_take) if unit.services else None
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


def _void(request: MoveRequest, eligible: Eligible) -> Iterator[Advisory]:
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
    if not subnets.has_off_subnet_nodes(topology):
        return
    for address in addresses:
        away = subnets.off_subnet_nodes(topology, address) & eligible.could_hold
        if away:
            where = topology.placement.interface
            yield address, f"no address in the network of {address} on {where}: {_listed(away)}"


def _listed(nodes: frozenset[str]) -> str:
    named = sorted(nodes)
    more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
    return (", ".join(named[:_MOST_NAMED]) or "nobody") + more


def is_as_wanted(unit: Unit, owner: str) -> bool:
    """Whether nothing of that kind can be said: true of nearly all addresses."""
    return unit.request is None and unit.preference in {"", owner}


def preference_advisories(
    unit: Unit, choice: Assignment, snapshot: Snapshot
) -> Iterator[Advisory]:
    """What is to be said of this address."""
    preferred = unit.preference
    if choice.owner and preferred in snapshot.nodes and preferred != choice.owner:
        reason = choice.eligible.refusals.get(preferred)
        if reason:
            why = f"{preferred} is preferred and may not have it: {reason}: {reason.sentence}"
            until = snapshot.quarantined_until.get((unit.address, preferred), "")
            if reason is Reason.REPAIR_FAILED and until:
                why += f"; it is tried there again at {until}"
            yield ("PreferenceNotMet", reason, why)
    request = unit.request
    if request and not request.releases and request.node == choice.owner and not unit.leader:
        who = next((e.label for e in unit.vips if request in e.requests), unit.address)
        why = (
            f"held on {request.node} as {who} asks since {format_clock_time(request.time)}, "
            "until it leaves that node; `kubectl duravip move --cancel` ends it"
        )
        yield ("Held", Reason.HELD, why)
