"""Conditions beside `Ready`: what people should know about an address that works all the same.

From the objects alone, worked out once for each demand (`object_advisories`):

- `Upgraded` (semantics 38): a disabled object whose address another one enables.
- `PreferenceAdvised` (27): adaptive delivery without a preference.
- `NoLocalBinding` (21): an address without a Binding, in a namespace that has some.
- `RequestIgnored`: a request that cannot be parsed or that a preference forbids.
- `ExposeDiffers`: an object exposes all ports of an address that another one guards.
- `PortIgnored`: a guarded address has more ports than a guard can open, and which of this object's
  stay closed.

From the nodes that may hold the address, in every pass (`participant_advisories`):

- `CrossSubnet` (24): some of them have no address in its network.
- `Disjoint` (43): most addresses of its Topology may be held by other nodes, which makes it hard
  to foresee what goes where. Only the exceptions get it, not all addresses.
- `RequestIgnored`: a request that is not possible at this moment.
- `Unsafe` (41): they offer different services on it (`service_consistency`).

From the owner, in every pass (`preference_advisories`):

- `PreferenceNotMet` (26): another node than the preferred one has it, and why: that may not have
  it, or not yet (`failback`). A hiccup of the preferred node is no reason.
- `Held` (47): a request holds it on its node, and whose.
- `NoFitNode`: its owner is not fit for it (`readiness`), and no other node that may take it is.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping

from duravip_api.annotations import format_clock_time
from duravip_api.guards import MOST_OPEN_PORTS
from duravip_api.reasons import Reason
from duravip_operator.core import failback, move_requests, readiness
from duravip_operator.core.election import Assignment, Assignments
from duravip_operator.core.eligibility import Eligibility
from duravip_operator.core.eligible import Eligible
from duravip_operator.core.service_consistency import ServiceConsistency
from duravip_operator.core.snapshot import Advisory, MoveRequest, Snapshot, Topology, VipObject
from duravip_operator.core.topologies import Subnets
from duravip_operator.core.units import Unit
from duravip_runtime.text import summarize


def object_advisories(
    units: Mapping[str, Unit], vips: Iterable[VipObject]
) -> dict[str, tuple[Advisory, ...]]:
    """`{uid: conditions}`; objects without any are left out."""
    with_bindings = {vip.namespace for vip in vips if vip.kind == "Binding"}
    advisories: dict[str, tuple[Advisory, ...]] = {}
    for unit in units.values():
        if not unit.managed or unit.broken:
            continue
        for vip in unit.vips:
            exposes_more = unit.open_ports is not None and not vip.is_guarded
            is_plain = vip.enabled and not (vip.adaptive or vip.requests or vip.unparsable)
            closed = _closed_ports(vip, unit)
            if is_plain and not (exposes_more or closed) and vip.namespace not in with_bindings:
                continue  # no condition can apply to it: true of nearly all objects
            advice = [*_on_form(vip), *_on_requests(vip, unit)]
            if exposes_more:
                advice.append(_advisory("ExposeDiffers", Reason.EXPOSE_DIFFERS))
            if closed:
                why = f"{unit.address} has more than {MOST_OPEN_PORTS}: {summarize(closed)}"
                advice.append(("PortIgnored", Reason.PORT_IGNORED, why))
            is_bound = any(one.kind == "Binding" for one in unit.vips)
            is_alone = not (is_bound or vip.follow or vip.origin)
            if is_alone and vip.namespace in with_bindings:
                advice.append(_advisory("NoLocalBinding", Reason.NO_LOCAL_BINDING))
            if advice:
                advisories[vip.uid] = tuple(advice)
    return advisories


def _closed_ports(vip: VipObject, unit: Unit) -> list[str]:
    """The ports of an object that the guard of its address has no room for; nearly always none."""
    if unit.open_ports is None or len(unit.open_ports) < MOST_OPEN_PORTS:
        return []
    return sorted(port for port, _ in vip.services if port not in unit.open_ports)


def _on_form(vip: VipObject) -> Iterator[Advisory]:
    if not vip.enabled and not vip.follow:
        yield _advisory("Upgraded", Reason.UPGRADED)
    if vip.adaptive and not vip.preference:
        yield _advisory("PreferenceAdvised", Reason.PREFERENCE_ADVISED)


def _on_requests(vip: VipObject, unit: Unit) -> Iterator[Advisory]:
    for why in vip.unparsable:
        yield ("RequestIgnored", Reason.REQUEST_UNREADABLE, f"{vip.label}: {why}")
        return
    for request in vip.requests:
        if unit.leader or move_requests.is_refused(request, unit.preference, unit.failback_s):
            verb = "release from" if request.releases else "move to"
            whom = f"it follows {unit.leader}" if unit.leader else "the preference decides"
            why = f"{vip.label}: cannot {verb} {request.node}: {whom}"
            yield ("RequestIgnored", Reason.REQUEST_REFUSED, why)
            return


def _advisory(kind: str, reason: Reason) -> Advisory:
    return (kind, reason, reason.sentence)


_Kind = tuple[str, int]
"""A Topology, and the id of an Eligible: what is true of one address is true of all of a kind."""


def participant_advisories(
    units: Mapping[str, Unit], assignments: Assignments, eligibility: Eligibility
) -> dict[str, list[Advisory]]:
    """`{address: conditions}`; most addresses have none."""
    advisories: dict[str, list[Advisory]] = defaultdict(list)
    services = ServiceConsistency(eligibility.snapshot, eligibility.selection)
    kinds: dict[_Kind, tuple[Topology, Eligible, list[str]]] = {}
    for address, (_, eligible, *_) in assignments.items():
        unit = units[address]
        topology = unit.topology
        if topology is None:
            continue
        kind = (topology.name, id(eligible))
        members = kinds.get(kind)
        if members is None:
            members = kinds[kind] = (topology, eligible, [])
        members[2].append(address)
        if unit.request and not unit.leader:
            advisories[address].extend(_void(unit.request, eligible))
        unsafe = services.inconsistency(unit, eligible.may_take) if unit.services else None
        if unsafe:
            advisories[address].append(unsafe)
    usual = _usual(kinds.values())
    for topology, eligible, addresses in kinds.values():
        for address, why in _across(topology, eligible, addresses, eligibility.subnets):
            advisories[address].append(("CrossSubnet", Reason.CROSS_SUBNET, why))
        if eligible.could_hold != usual[topology.name]:
            why = (
                f"{_listed(eligible.could_hold)} could hold it; most addresses of Topology "
                f"{topology.name}: {_listed(usual[topology.name])}"
            )
            disjoint: Advisory = ("Disjoint", Reason.DISJOINT, why)
            for address in addresses:
                advisories[address].append(disjoint)
    return advisories


def _void(request: MoveRequest, eligible: Eligible) -> Iterator[Advisory]:
    """The condition for a request that cannot be carried out now, if it cannot."""
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
    """`(address, which of its nodes are off its subnet)` wherever some are."""
    if not subnets.has_off_subnet_nodes(topology):
        return
    for address in addresses:
        off_subnet = subnets.off_subnet_nodes(topology, address) & eligible.could_hold
        if off_subnet:
            where = topology.candidates.label
            on = f"on {where}" if topology.candidates.names else where
            yield (
                address,
                f"no address in the network of {address} {on}: {_listed(off_subnet)}",
            )


def _listed(nodes: frozenset[str]) -> str:
    return summarize(sorted(nodes)) or "nobody"


def is_as_wanted(unit: Unit, owner: str) -> bool:
    """Whether `preference_advisories` has nothing to add: true of nearly all addresses."""
    return unit.request is None and unit.preference in {"", owner}


def preference_advisories(
    unit: Unit, assignment: Assignment, snapshot: Snapshot
) -> Iterator[Advisory]:
    """The conditions that follow from where the address is, and where people want it."""
    preferred, may_take = unit.preference, assignment.eligible.may_take
    if assignment.owner and preferred in snapshot.nodes and preferred != assignment.owner:
        reason = assignment.eligible.refusals.get(preferred)
        if reason:
            why = f"{preferred} is preferred and may not have it: {reason}: {reason.sentence}"
            until = snapshot.quarantined_until.get((unit.address, preferred), "")
            if reason is Reason.REPAIR_FAILED and until:
                why += f"; it is tried there again at {until}"
            yield ("PreferenceNotMet", reason, why)
        elif preferred in may_take and not failback.is_over((unit,), preferred, snapshot):
            yield ("PreferenceNotMet", *failback.explain_delay(unit, preferred, snapshot))
    request = unit.request
    if request and not request.releases and request.node == assignment.owner and not unit.leader:
        who = next((vip.label for vip in unit.vips if request in vip.requests), unit.address)
        why = (
            f"held on {request.node} as {who} asks since {format_clock_time(request.time)}, "
            "until it leaves that node; `kubectl duravip move --cancel` ends it"
        )
        yield ("Held", Reason.HELD, why)


def is_unfit(unit: Unit, assignment: Assignment, snapshot: Snapshot) -> bool:
    """Whether its owner is not fit for it, and it stays there for want of a better one."""
    if not unit.readiness or not assignment.owner:
        return False
    stays = assignment.eligible.stays or bool(unit.leader)
    return stays and not readiness.works_on(snapshot, unit.readiness, assignment.owner)


def readiness_advisories(
    unit: Unit, assignment: Assignment, snapshot: Snapshot
) -> Iterator[Advisory]:
    """The condition of an address that works nowhere, as far as its readiness can tell."""
    if is_unfit(unit, assignment, snapshot):
        owner = assignment.owner
        lacks = readiness.unmet(snapshot, unit.readiness, owner)
        listed = summarize([readiness.describe(snapshot, key) for key in lacks])
        why = f"no node that may take it is fit, so it stays on {owner}: {listed}"
        yield ("NoFitNode", readiness.reason_of(snapshot, lacks[0]), why)
