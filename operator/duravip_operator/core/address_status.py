"""What is reported about every address: the summary behind statuses, events and metrics.

An `AddressStatus` is small and comparable, so that a pass over ten thousand units can see which
of them changed without composing a status for each.

That several nodes serve an address (`AddressInUse`) is reported once it has lasted for longer
than a hand-over explains. In every move the former owner lets go, and says so in a heartbeat,
before the next node is granted the address; its status follows some 0.1 s later. Until then both
statuses name the address. What lasts for `DUPLICATE_AFTER_S` is no such delay: both nodes may
hold it.
"""

from collections.abc import Container, Mapping
from typing import Final, NamedTuple

from duravip_api.reasons import Reason, State
from duravip_operator.core.advisories import (
    is_as_wanted,
    is_unfit,
    participant_advisories,
    preference_advisories,
    readiness_advisories,
)
from duravip_operator.core.election import Assignment
from duravip_operator.core.eligibility import Eligibility
from duravip_operator.core.handover import status_counts
from duravip_operator.core.silent_nodes import is_gone_from
from duravip_operator.core.snapshot import Advisory, Plumbing, Rejection, Snapshot, Topology
from duravip_operator.core.topologies import has_network_mask
from duravip_operator.core.units import Unit
from duravip_runtime.text import summarize

CLAIMED: Final = "NodeAddress"
"""The condition of an address that stays in service although a node claims it as its own."""
_FLAGGED_AS: Final = {CLAIMED: "Conflict"}

DUPLICATE_AFTER_S: Final = 3.0
"""In seconds."""


class AddressStatus(NamedTuple):
    """The state of one address, with its reason and conditions."""

    state: State
    reason: Reason
    message: str
    owner: str = ""
    interface: str = ""
    participants: int = 0
    advisories: tuple[Advisory, ...] = ()
    interfaces: tuple[str, ...] = ()
    """Where it is owned: the names that its Topology lists, in order."""

    @property
    def flags(self) -> str:
        """`-`, or those that apply of Broken, Conflict and Unsafe, separated by commas."""
        true = {kind for kind, _, _ in self.advisories}
        true |= {"Conflict"} & {_FLAGGED_AS.get(kind, "") for kind in true}
        named = [kind for kind in ("Broken", "Conflict", "Unsafe") if kind in true]
        return ",".join(named) or "-"


def address_statuses(
    units: Mapping[str, Unit],
    assignments: Mapping[str, Assignment],
    waiting: frozenset[str],
    eligibility: Eligibility,
) -> dict[str, AddressStatus]:
    """`{address: AddressStatus}` for every unit."""
    snapshot = eligibility.snapshot
    serving, twice, plumbings = _servers(snapshot), snapshot.duplicate_holders, snapshot.plumbings
    has_claims = any(p.claims for p in plumbings.values())
    macs = {nic.mac: n for n, p in plumbings.items() for nic in p.nics.values() if has_claims}
    statuses: dict[str, AddressStatus] = {}
    shared: dict[tuple[str, str, int, Reason], AddressStatus] = {}
    for address, unit in units.items():
        assignment, nodes = assignments.get(address), _present(unit, serving, snapshot)
        claim = ""
        if has_claims and assignment:
            claim = _foreign_host(unit, assignment.owner, macs, plumbings, is_served=bool(nodes))
        is_odd = bool(claim) or address in twice
        if assignment is None or unit.topology is None or (assignment.owner,) != nodes or is_odd:
            facts = _Facts(assignment, nodes, claim)
            statuses[address] = _status(unit, facts, waiting, snapshot)
            continue
        # Addresses that only their owner serves, and nothing is odd about, share one status.
        kind = (assignment.owner, unit.topology.name, assignment.participants, assignment.reason)
        is_known = not unit.preference or unit.preference in snapshot.nodes
        is_plain = is_known and not unit.preference_conflict and not unit.claimants
        is_plain = is_plain and is_as_wanted(unit, assignment.owner)
        is_plain = is_plain and not is_unfit(unit, assignment, snapshot)
        reused = shared.get(kind) if is_plain else None
        statuses[address] = reused or _status(unit, _Facts(assignment, nodes), waiting, snapshot)
        if is_plain:
            shared[kind] = statuses[address]
    extended: dict[tuple[int, tuple[Advisory, ...]], tuple[AddressStatus, AddressStatus]] = {}
    """By a status's id and the conditions added: it, and both together."""
    for address, extra in participant_advisories(units, assignments, eligibility).items():
        status, key = statuses[address], (id(statuses[address]), tuple(extra))
        if key not in extended:
            both = status._replace(advisories=(*status.advisories, *extra))
            extended[key] = (status, both)
        statuses[address] = extended[key][1]
    return statuses


def rejected_status(rejection: Rejection) -> AddressStatus:
    """The status of an object that is not accepted as it stands."""
    reason, message = rejection
    if reason in {Reason.NO_TOPOLOGY, Reason.FOLLOW_SAME_ADDRESS}:
        return AddressStatus(State.UNASSIGNED, reason, message)
    broken: Advisory = ("Broken", reason, message)
    return AddressStatus(State.BROKEN, reason, message, advisories=(broken,))


def unmanaged_status(reason: Reason) -> AddressStatus:
    """The status of an object that asks for nothing."""
    return AddressStatus(State.UNMANAGED, reason, reason.sentence)


def _servers(snapshot: Snapshot) -> Mapping[str, tuple[str, ...]]:
    """`{address: nodes that report they serve it}`, without nodes whose agent has shut down."""
    serving: dict[str, tuple[str, ...]] = {}
    for name in sorted(snapshot.plumbings):
        if status_counts(snapshot, name):
            served = snapshot.plumbings[name].served
            again = {a: (*serving[a], name) for a in served if a in serving}
            serving.update(dict.fromkeys(served, (name,)))
            serving.update(again)
    return serving


def _foreign_host(
    unit: Unit,
    owner: str,
    macs: Mapping[str, str],
    plumbings: Mapping[str, Plumbing],
    *,
    is_served: bool,
) -> str:
    """The MAC for which an address is not ours there, as its owner sees it; or empty.

    That of a host outside our nodes, of a node that claims the address as its own, or of one whose
    agent has nothing to do with it: another program answers there, e.g. another load balancer. A
    node that is on its way out answers for a moment longer, which is no conflict.
    """
    mac = plumbings[owner].claims.get(unit.address, "") if owner in plumbings else ""
    node = macs.get(mac)
    if node is None or node in unit.claimants:
        return mac
    is_leaving = is_served or unit.address in plumbings[node].served | plumbings[node].granted
    return "" if is_leaving else mac


def _present(
    unit: Unit, serving: Mapping[str, tuple[str, ...]], snapshot: Snapshot
) -> tuple[str, ...]:
    """The nodes that report they serve the unit and can still answer for it."""
    nodes = serving.get(unit.address, ())
    if not unit.topology or snapshot.suspicions.keys().isdisjoint(nodes):
        return nodes
    return tuple(node for node in nodes if not is_gone_from(snapshot, node, unit.topology))


class _Facts(NamedTuple):
    """What is known about one address beside what people ask for."""

    assignment: Assignment | None
    serving: tuple[str, ...]
    claim: str = ""
    """The MAC of another host that has it, as its owner reports; empty: none."""


def _status(
    unit: Unit, facts: _Facts, waiting: frozenset[str], snapshot: Snapshot
) -> AddressStatus:
    assignment, serving, claim = facts
    if unit.broken:
        return rejected_status(unit.broken)
    if not unit.managed:
        return unmanaged_status(Reason.NOT_ENABLED)
    advisories = _advisories(unit, facts, snapshot)
    if assignment is not None:
        advisories += tuple(preference_advisories(unit, assignment, snapshot))
        advisories += tuple(readiness_advisories(unit, assignment, snapshot))
    if (
        unit.refusal
        or assignment is None
        or not assignment.owner
        or assignment.reason is Reason.OWNER_LOST
    ):
        why = unit.refusal or _unowned(unit, assignment)
        return AddressStatus(State.UNASSIGNED, *why, advisories=advisories)
    details = (assignment.participants, advisories)
    if assignment.owner in serving:
        interface, interfaces = _interfaces(unit.topology, assignment.owner, snapshot)
        message, reason = f"served by {assignment.owner} on {interface}", Reason.SERVED
        suspicion = snapshot.suspicions.get(assignment.owner)
        if is_unfit(unit, assignment, snapshot):
            message, reason = f"{message}, though no node is fit for it", Reason.NO_FIT_NODE
        if suspicion and suspicion.is_lasting:
            message, reason = f"{message}, whose agent is not heard", Reason.OWNER_UNREACHABLE
        served = AddressStatus(State.OWNED, reason, message, assignment.owner, interface, *details)
        return served._replace(interfaces=interfaces)
    if claim:
        message = _claimed(claim, assignment.owner, is_served=False)
        return AddressStatus(State.UNASSIGNED, Reason.ADDRESS_IN_USE, message, "", "", *details)
    present = next((n for n in serving if _may_be_true(snapshot.plumbings[n], unit.address)), "")
    if unit.address in waiting:
        message = f"goes to {assignment.owner} once its former holder has confirmed its release"
        reason = Reason.WAITING_FOR_RELEASE
    else:
        failure = snapshot.plumbings[assignment.owner].failures.get(unit.address)
        message = f"{assignment.owner} {failure or 'is about to serve it'}"
        reason = Reason.PLUMBING_FAILED if failure else Reason.ELECTED
    return AddressStatus(State.MOVING, reason, message, present, "", *details)


def _interfaces(
    topology: Topology | None, node: str, snapshot: Snapshot
) -> tuple[str, tuple[str, ...]]:
    """`(the interface that the node uses, the names that the Topology lists)`."""
    if topology is None:
        return "", ()
    return snapshot.interface_on(node, topology).name, topology.candidates.names


def _may_be_true(plumbing: Plumbing, address: str) -> bool:
    """Whether a node that reports it serves an address may have it from us (O7)."""
    return not plumbing.has_acted or any(
        address in granted for granted in plumbing.grants.values()
    )


def _unowned(unit: Unit, assignment: Assignment | None) -> Rejection:
    if assignment is None:
        why = f"{unit.leader}, which it follows, has no owner"
        return Rejection(Reason.LEADER_UNASSIGNED, why)
    say = {
        Reason.NO_PARTICIPANT: f"no node may hold it: {_listed(assignment.eligible.refusals)}",
        Reason.CAPACITY_EXCEEDED: f"all {assignment.participants} nodes that may hold it are full",
    }
    return Rejection(assignment.reason, say.get(assignment.reason, assignment.reason.sentence))


def _listed(refusals: Mapping[str, Reason]) -> str:
    """Why no node takes it, e.g. `InterfaceMissing on n1, n2; NodeYoung on n3`."""
    nodes: dict[Reason, list[str]] = {}
    for node in sorted(refusals):
        nodes.setdefault(refusals[node], []).append(node)
    parts = [f"{reason} on {summarize(names)}" for reason, names in sorted(nodes.items())]
    return "; ".join(parts) or "no node runs an agent"


def _claimed(mac: str, owner: str, *, is_served: bool) -> str:
    if is_served:
        return f"another host, {mac}, has it as well: {owner} serves it nevertheless"
    return f"another host, {mac}, answers for it: {owner} takes it when that has ended"


def _advisories(unit: Unit, facts: _Facts, snapshot: Snapshot) -> tuple[Advisory, ...]:
    conditions: list[Advisory] = []
    if unit.preference_conflict:
        conditions.append(("Conflict", Reason.PREFERENCES_DIFFER, unit.preference_conflict))
    if unit.claimants:
        who = summarize(sorted(unit.claimants))
        why = f"claimed as its own by {who}, which does not get it"
        conditions.append((CLAIMED, Reason.NODE_ADDRESS, why))
    if unit.preference and unit.preference not in snapshot.nodes:
        why = f"there is no Node {unit.preference!r}: elected as if there were no preference"
        conditions.append(("PreferredNodeUnknown", Reason.PREFERRED_NODE_UNKNOWN, why))
    if unit.topology and has_network_mask(unit.topology):
        why = f"Topology {unit.topology.name} has cidrmask {unit.topology.placement.mask}"
        conditions.append(("CidrMask", Reason.MASK_NOT_HOST, why))
    twice = [n for n in snapshot.duplicate_holders.get(unit.address, ()) if n in facts.serving]
    if facts.claim and facts.assignment:
        owner = facts.assignment.owner
        why = _claimed(facts.claim, owner, is_served=owner in facts.serving)
        conditions.append(("AddressInUse", Reason.ADDRESS_IN_USE, why))
    elif len(twice) > 1:
        why = f"{', '.join(twice)} all report that they serve it"
        conditions.append(("AddressInUse", Reason.SERVED_TWICE, why))
    return tuple(conditions)


class DuplicateHolders(NamedTuple):
    """The nodes that serve one address, and since when there are several."""

    nodes: tuple[str, ...]
    since: float


DuplicateHolderTable = Mapping[str, DuplicateHolders]
"""By address."""


def update_duplicates(
    previous: DuplicateHolderTable,
    plumbings: Mapping[str, Plumbing],
    gone: Container[str],
    now: float,
) -> DuplicateHolderTable:
    """The duplicates after another look at the statuses; `now` is in seconds.

    Nodes in `gone`, dead or muted, hold nothing, whatever their last status says. A node that
    has acted on its spec holds nothing of ours beyond its grants (O7). One that has shut down
    does not count.
    """
    serving = {
        name: plumbing.served & plumbing.granted if plumbing.has_acted else plumbing.served
        for name, plumbing in sorted(plumbings.items())
        if not plumbing.stopped and name not in gone
    }
    served_once: set[str] = set()
    served_twice: set[str] = set()
    for served in serving.values():
        served_twice |= served & served_once
        served_once |= served
    current: dict[str, DuplicateHolders] = {}
    for address in sorted(served_twice):
        nodes = tuple(name for name, served in serving.items() if address in served)
        before = previous.get(address)
        is_same = before is not None and len(set(nodes) & set(before.nodes)) > 1
        current[address] = DuplicateHolders(nodes, before.since if before and is_same else now)
    return current


def lasting_duplicates(duplicates: DuplicateHolderTable, now: float) -> dict[str, tuple[str, ...]]:
    """`{address: nodes}` of the duplicates that have lasted for `DUPLICATE_AFTER_S`."""
    return {
        a: holders.nodes
        for a, holders in duplicates.items()
        if now - holders.since >= DUPLICATE_AFTER_S
    }
