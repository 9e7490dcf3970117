"""What a weakened operator overlooks, or does too soon: the core itself stays as it is."""

from collections.abc import Mapping
from dataclasses import replace

from duravip_operator.core.decision import Decision
from duravip_operator.core.handover import Plan
from duravip_operator.core.releases import ConfirmedReleases, ReleaseRecord, ReleaseRecords
from duravip_operator.core.snapshot import Snapshot
from simulation.changes import Weak


def weaker_facts(snapshot: Snapshot, weak: Weak) -> Snapshot:
    """Without what the agents still serve, or what tells that one node's word is not all."""
    if "word" in weak:
        snapshot = _believing(snapshot)
    if "release-before-grant" not in weak:
        return snapshot
    plumbings = {
        name: replace(plumbing, served=plumbing.served & plumbing.granted)
        for name, plumbing in snapshot.plumbings.items()
    }
    return replace(snapshot, plumbings=plumbings)


def _believing(snapshot: Snapshot) -> Snapshot:
    """What any node calls its own was never served by anybody."""
    nics = (nic for plumbing in snapshot.plumbings.values() for nic in plumbing.nics.values())
    own = {written.partition("/")[0] for nic in nics for written in nic.addresses}
    return replace(
        snapshot,
        vips=tuple(replace(vip, status={}) for vip in snapshot.vips),
        plumbings={
            name: replace(plumbing, served=plumbing.served - own)
            for name, plumbing in snapshot.plumbings.items()
        },
    )


def weaker_memory(memory: ReleaseRecords, snapshot: Snapshot, weak: Weak) -> ReleaseRecords:
    """Without doubts about what was taken out and not yet acted upon, or about strangers."""
    if weak & {"doubts", "release-before-grant"}:
        memory = {n: ReleaseRecord(p.uid, p.generation) for n, p in snapshot.plumbings.items()}
    if "first-grant" in weak:
        named = frozenset(vip.address for vip in snapshot.vips)
        return {
            n: replace(d, confirmed=ConfirmedReleases(released=named)) for n, d in memory.items()
        }
    return memory


def weaker_plans(decided: Decision, snapshot: Snapshot, weak: Weak) -> Mapping[str, Plan]:
    """With what others are still granted granted to the next owner already."""
    if "revoke-first" not in weak:
        return decided.plans
    plans = dict(decided.plans)
    for address, choice in decided.assignments.items():
        topology = decided.units[address].topology
        others = (p for n, p in snapshot.plumbings.items() if n != choice.owner)
        if choice.owner and topology and any(address in other.granted for other in others):
            plan = plans[choice.owner]
            there = plan.grants.get(topology.placement, frozenset())
            grants = {**plan.grants, topology.placement: there | {address}}
            plans[choice.owner] = Plan(grants, plan.contested)
    return plans
