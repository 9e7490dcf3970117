"""The pass that follows from a crash, made while the neighbours of a silent node are still asked.

A decision follows from what is known and from nothing else. So when what was assumed, that the
node is gone, is known a moment later, and nothing else has changed, the decision that was made
from it stands. Otherwise it is forgotten.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from operator import is_
from typing import Final

from duravip_operator.core import decision, handover
from duravip_operator.core.snapshot import Snapshot

EVERY: Final = 1.0
"""Seconds from one to the next: where a whole rack falls silent, node by node, nothing that is
decided ahead comes true, and it would only keep the verdicts waiting."""


@dataclass(frozen=True)
class _Made:
    snapshot: Snapshot
    memory: handover.Memory
    last: decision.Decision | None
    decided: decision.Decision

    def is_from(
        self, snapshot: Snapshot, memory: handover.Memory, last: decision.Decision | None
    ) -> bool:
        """Whether it was made from all of this."""
        is_same = self.last is last and self.memory == memory
        if not is_same or _looked_at(self.snapshot) != _looked_at(snapshot):
            return False
        # Two versions of an object are equal although their statuses differ.
        return all(map(is_, self.snapshot.entities, snapshot.entities)) and all(
            map(is_, self.snapshot.topologies, snapshot.topologies)
        )


class Foresight:
    """Makes every decision, some of them ahead of time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due = clock()
        self._made: _Made | None = None

    def foresee(
        self, snapshot: Snapshot, memory: handover.Memory, last: decision.Decision
    ) -> None:
        """Decide what follows if the world comes to be so, unless that was done just now."""
        if self._clock() < self._due:
            return
        self._due = self._clock() + EVERY
        memory = handover.remembered(memory, snapshot)
        self._made = _Made(snapshot, memory, last, decision.decided(snapshot, memory, last))

    def decided(
        self, snapshot: Snapshot, memory: handover.Memory, last: decision.Decision | None
    ) -> decision.Decision:
        """As `decision.decided`; at once if it was foreseen."""
        made, self._made = self._made, None
        if made and made.is_from(snapshot, memory, last):
            return made.decided
        return decision.decided(snapshot, memory, last)


def _looked_at(snapshot: Snapshot) -> Snapshot:
    """Without what no decision looks at: the wire where no address of ours is, or is to be."""
    used = {topology.placement.interface for topology in snapshot.topologies}
    for plumbing in snapshot.plumbings.values():
        used |= {where.interface for where in plumbing.grants}
    silences = snapshot.silences.items()
    return replace(snapshot, silences={n: replace(s, gone=s.gone & used) for n, s in silences})
