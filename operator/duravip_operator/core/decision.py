"""One pass of the operator, whole: from a snapshot to grants and verdicts."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from duravip_api.reasons import Reason, State
from duravip_operator.core import conflicts, election, follows, handover, topologies, verdicts
from duravip_operator.core.snapshot import Entity, Rejection, Snapshot, Topology
from duravip_operator.core.verdicts import Verdict


@dataclass(frozen=True, slots=True)
class Decision:
    """What one pass came to."""

    units: Mapping[str, conflicts.Unit]
    refused: Mapping[str, Rejection]
    topologies: tuple[Topology, ...]
    choices: Mapping[str, election.Choice]
    plans: Mapping[str, handover.Plan]
    """What the spec of each node shall grant."""
    verdicts: Mapping[str, Verdict]
    """By address."""

    def verdict_on(self, entity: Entity) -> Verdict:
        """What is said of one entity: of its unit, unless it belongs to none."""
        if entity.uid in self.refused:
            return verdicts.refused(self.refused[entity.uid])
        if not entity.address:
            return verdicts.unmanaged(Reason.NO_ADDRESS)
        verdict = self.verdicts[entity.address]
        if entity.enabled or entity.follow or verdict.state in {State.BROKEN, State.UNMANAGED}:
            return verdict
        upgraded = ("Upgraded", Reason.UPGRADED, Reason.UPGRADED.sentence)
        return verdict._replace(advisories=(*verdict.advisories, upgraded))

    def addresses_in(self) -> Counter[str]:
        """`{Topology: how many managed addresses}`."""
        return Counter(
            unit.topology.name for unit in self.units.values() if unit.topology and unit.managed
        )


def decided(snapshot: Snapshot, memory: handover.Memory) -> Decision:
    """Decide everything anew from the state of the world."""
    blocks = topologies.blocks(snapshot.topologies, snapshot.fencing)
    judged = follows.joined(conflicts.judged(snapshot, blocks))
    holders = election.holders_of(snapshot)
    choices = election.elected(judged.units, holders, snapshot)
    plans, waiting = handover.plans(judged.units, choices, snapshot, memory)
    return Decision(
        units=judged.units,
        refused=judged.refused,
        topologies=blocks.judged,
        choices=choices,
        plans=plans,
        verdicts=verdicts.verdicts(judged.units, choices, waiting, snapshot),
    )
