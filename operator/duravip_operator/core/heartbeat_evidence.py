"""Beats.

Whether a node's agent has ended: its status says so, and so does its last beat.

Nobody waits for a node whose agent has ended: it holds nothing. Somebody else may have written
that into its status. So it counts only if the agent's last beat says the same, or if there was
none, for as long as this replica has listened. Else the agent is taken for one that is about to
end; if it is silent, its neighbours are asked as after any other that is.

Of which nodes the store may know less than they do: it has gone back to an earlier state.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from duravip_api.heartbeat import address_digest
from duravip_operator.core.snapshot import HEARD_STATES, Plumbing, Snapshot


class HeartbeatState(NamedTuple):
    """What the last beat of an agent said."""

    boot: str
    generation: int
    digest: str
    stopped: bool = False


def confirms_release(plumbing: Plumbing, heard: HeartbeatState) -> bool:
    """Whether a beat says that a node serves nothing but what its spec grants as it stands.

    Its status will say so too, some milliseconds later. The agent acts on this very spec: nothing
    else can be served again before there is another one.
    """
    is_its = (heard.boot, heard.generation) == (plumbing.boot, plumbing.generation)
    return is_its and heard.digest == address_digest(plumbing.served & plumbing.granted)


def verify_stopped(
    plumbings: Mapping[str, Plumbing], beats: Mapping[str, HeartbeatState]
) -> Mapping[str, Plumbing]:
    """The same, but stopped only where the last beat of the node, if any, says so too."""
    forged = {
        name: replace(plumbing, stopped=False, leaving=True)
        for name, plumbing in plumbings.items()
        if plumbing.stopped and (said := beats.get(name)) and not _says_stopped(said, plumbing)
    }
    return {**plumbings, **forged} if forged else plumbings


def _says_stopped(said: HeartbeatState, plumbing: Plumbing) -> bool:
    return said.stopped and said.boot == plumbing.boot


def nodes_ahead_of_store(
    snapshot: Snapshot, heard: Mapping[str, HeartbeatState], restored_in: int | None
) -> frozenset[str]:
    """The nodes of which the API server may know less than they do.

    `restored_in` is our epoch, if the store has gone back before it began: then nobody is known
    whose spec has another one. Else a node is found out by a beat that names a later generation
    than its spec has.
    """
    found = {
        name
        for name, plumbing in snapshot.plumbings.items()
        if (said := heard.get(name))
        and said.boot == plumbing.boot
        and said.generation > plumbing.generation
    }
    if restored_in is not None:
        names = snapshot.plumbings.keys() | heard.keys()
        found |= {name for name in names if _is_strange(snapshot, name, restored_in)}
    return frozenset(found)


def _is_strange(snapshot: Snapshot, name: str, epoch: int) -> bool:
    plumbing = snapshot.plumbings.get(name)
    is_heard = snapshot.liveness.get(name) in HEARD_STATES
    if plumbing is None:
        return is_heard
    return plumbing.epoch != epoch and (is_heard or bool(plumbing.boot))
