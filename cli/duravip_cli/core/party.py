"""Those who are elected as one, and what keeps a node from holding all of them."""

from collections.abc import Mapping
from dataclasses import dataclass

from duravip_api import EXCLUDE_LABEL
from duravip_api.reasons import Reason
from duravip_cli.core.live import View
from duravip_operator.core.conflicts import Unit
from duravip_operator.core.eligibility import Eligibility, Eligible, fault_of, is_selected
from duravip_operator.core.snapshot import Node, Plumbing, Snapshot


@dataclass(frozen=True, slots=True)
class Party:
    """The unit that is asked about, and those that are elected with it."""

    unit: Unit
    leader: Unit
    followers: tuple[Unit, ...]
    eligible: Eligible

    @property
    def units(self) -> tuple[Unit, ...]:
        """All of them."""
        return (self.leader, *self.followers)


def party_of(snapshot: Snapshot, units: Mapping[str, Unit], unit: Unit) -> Party:
    """The unit with its leader and all that follow that."""
    leader = units.get(unit.leader, unit) if unit.leader else unit
    led = tuple(u for u in units.values() if u.leader == leader.address and u.electable)
    return Party(unit, leader, led, Eligibility(snapshot).of(leader, led))


def detail(view: View, party: Party, name: str, reason: Reason) -> str:
    """What about this node in particular makes it so; empty when the sentence says it all."""
    node = view.snapshot.nodes.get(name)
    if reason in {Reason.NODE_SILENT, Reason.NODE_YOUNG, Reason.NODE_STOPPED}:
        return view.heard[name].basis
    if reason is Reason.REPAIR_FAILED:
        known = view.snapshot.given_up_until
        until = {known.get((u.address, name), "") for u in party.units} - {""}
        return f"until {max(until)}" if until else ""
    if reason is Reason.SELECTOR_MISMATCH and node:
        return "; ".join(_mismatches(party, node))
    if reason is Reason.NODE_EXCLUDED and node:
        return f"{EXCLUDE_LABEL}={node.labels.get(EXCLUDE_LABEL, '')}"
    return _detail_of_interface(view, party, name, reason)


def _detail_of_interface(view: View, party: Party, name: str, reason: Reason) -> str:
    if reason is Reason.INTERFACE_UNUSABLE:
        return "; ".join(sorted(_faults(view.snapshot.plumbings[name], party)))
    if reason in {Reason.INTERFACE_MISSING, Reason.INTERFACE_DOWN}:
        return ", ".join(sorted({u.topology.placement.interface for u in party.units
                                 if u.topology}))  # fmt: skip
    return ""


def _faults(plumbing: Plumbing, party: Party) -> set[str]:
    topologies = [unit.topology for unit in party.units if unit.topology]
    nics = {t.placement.interface: (plumbing.nics.get(t.placement.interface), t.family)
            for t in topologies}  # fmt: skip
    return {f"{name}: {fault}" for name, (nic, family) in nics.items()
            if nic and (fault := fault_of(nic, family))}  # fmt: skip


def _mismatches(party: Party, node: Node) -> list[str]:
    asked = [(f"Topology {u.topology.name}", u.topology.selector) for u in party.units
             if u.topology]  # fmt: skip
    for unit in party.units:  # one of its entities is enough
        if not any(is_selected(node, selector) for selector in unit.selectors):
            asked += [(entity.label, entity.selector) for entity in unit.entities]
    return sorted(
        {
            f"{label} wants {key}={value}"
            for label, selector in asked
            for key, value in selector
            if node.labels.get(key) != value
        }
    )
