"""Whether a node's agent has ended: its status says so, and so does its last beat.

Nobody waits for a node whose agent has ended: it holds nothing. Somebody else may have written
that into its status. So it counts only if the agent's last beat says the same, or if there was
none, for as long as this replica has listened. Else the agent is taken for one that is about to
end; if it is silent, its neighbours are asked as after any other that is.
"""

from collections.abc import Mapping
from dataclasses import replace

from duravip_operator.core.handover import Heard
from duravip_operator.core.snapshot import Plumbing


def confirmed(
    plumbings: Mapping[str, Plumbing], beats: Mapping[str, Heard]
) -> Mapping[str, Plumbing]:
    """The same, but stopped only where the last beat of the node, if any, says so too."""
    forged = {
        name: replace(plumbing, stopped=False, leaving=True)
        for name, plumbing in plumbings.items()
        if plumbing.stopped and (said := beats.get(name)) and not _says_stopped(said, plumbing)
    }
    return {**plumbings, **forged} if forged else plumbings


def _says_stopped(said: Heard, plumbing: Plumbing) -> bool:
    return said.stopped and said.boot == plumbing.boot
