"""Whether a node's agent has ended: its status says so, and so do its beats.

Of a node whose agent has said goodbye nobody waits for anything: it holds nothing. Somebody else
may have written that into its status. So it counts only if the agent's last beat says the same, or
if there was none, for as long as this replica has listened. Else the agent is taken for one that
is about to end; if it is silent, its neighbours are asked as after any other that is.
"""

from collections.abc import Mapping
from dataclasses import replace

from duravip_operator.core.handover import Heard
from duravip_operator.core.snapshot import Plumbing


def believed(
    plumbings: Mapping[str, Plumbing], beats: Mapping[str, Heard]
) -> Mapping[str, Plumbing]:
    """The same, without the goodbyes that do not count; `beats` are the last ones of each node."""
    false = {
        name: replace(plumbing, stopped=False, leaving=True)
        for name, plumbing in plumbings.items()
        if plumbing.stopped and (said := beats.get(name)) and not _is_goodbye(said, plumbing)
    }
    return {**plumbings, **false} if false else plumbings


def _is_goodbye(said: Heard, plumbing: Plumbing) -> bool:
    return said.stopped and said.boot == plumbing.boot
