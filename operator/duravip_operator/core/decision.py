"""One pass of the operator, whole: from a snapshot to grants and verdicts."""

import operator
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from duravip_api.reasons import Reason, State
from duravip_operator.core import conflicts, election, follows, handover, topologies, verdicts
from duravip_operator.core.snapshot import Entity, Rejection, Snapshot, Topology
from duravip_operator.core.verdicts import Verdict

Asked = tuple[tuple[Entity, ...], tuple[Topology, ...], str, tuple[tuple[str, str], ...]]
"""All entities and Topologies, the default fencing, and the nodes' own addresses."""


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
    asked: Asked
    """What it was decided from, as far as people have asked for it."""

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


def decided(snapshot: Snapshot, memory: handover.Memory, last: Decision | None = None) -> Decision:
    """Decide everything anew from the state of the world.

    What people wrote need not be sorted again where the `last` decision has done so: that is half
    of the work, and in a fail-over none of it has changed.
    """
    asked = _asked(snapshot)
    if last and _same(last.asked, asked):
        judged, sorted_topologies = conflicts.Judged(last.units, last.refused), last.topologies
    else:
        blocks = topologies.blocks(snapshot.topologies, snapshot.fencing)
        judged = follows.joined(conflicts.judged(snapshot, blocks))
        sorted_topologies = blocks.judged
    holders = election.holders_of(snapshot)
    choices = election.elected(judged.units, holders, snapshot)
    plans, waiting = handover.plans(judged.units, choices, snapshot, memory)
    return Decision(
        units=judged.units,
        refused=judged.refused,
        topologies=sorted_topologies,
        choices=choices,
        plans=plans,
        verdicts=verdicts.verdicts(judged.units, choices, waiting, snapshot),
        asked=asked,
    )


def _asked(snapshot: Snapshot) -> Asked:
    own = tuple(sorted(conflicts.node_addresses(snapshot).items()))
    return (snapshot.entities, snapshot.topologies, snapshot.fencing, own)


def _same(one: Asked, other: Asked) -> bool:
    """Whether they hold the very same objects: those are never changed, only replaced."""
    lists = zip(one[:2], other[:2], strict=True)
    return one[2:] == other[2:] and all(
        len(a) == len(b) and all(map(operator.is_, a, b)) for a, b in lists
    )
