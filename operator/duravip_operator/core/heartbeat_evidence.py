"""What heartbeats confirm, or refute, of the objects that the API server stores.

A status is written by anybody with the rights to do so, and some time after the fact; a
heartbeat is signed by the agent and names the spec that it has acted on. Three rules compare
the two:

- `confirms_release`: a heartbeat shows that a node has let go what was revoked, some milliseconds
  before its status does.
- `verify_stopped`: no node waits for one whose agent has shut down, for it holds nothing. Somebody
  else may have written that into its status. So it counts only if the agent's last heartbeat says
  the same, or if this replica has never received one. Otherwise the agent is treated as one that
  is about to end; if it is silent, its neighbours probe for it as for any other.
- `nodes_ahead_of_store`: after a restored backup the API server knows less than the nodes, which
  have acted on specs that it no longer has.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from duravip_api.heartbeat import address_digest
from duravip_operator.core.snapshot import HEARD_STATES, Plumbing, Snapshot


class HeartbeatState(NamedTuple):
    """The content of an agent's last heartbeat."""

    boot: str
    generation: int
    digest: str
    """The digest of the addresses that it serves."""
    stopped: bool = False


def confirms_release(plumbing: Plumbing, heartbeat: HeartbeatState) -> bool:
    """Whether a heartbeat shows that a node serves nothing beyond its present grants.

    Its status will say so too, some milliseconds later. The agent has acted on this very spec,
    so nothing else can be served again before there is another one.
    """
    is_its = (heartbeat.boot, heartbeat.generation) == (plumbing.boot, plumbing.generation)
    return is_its and heartbeat.digest == address_digest(plumbing.served & plumbing.granted)


def verify_stopped(
    plumbings: Mapping[str, Plumbing], heartbeats: Mapping[str, HeartbeatState]
) -> Mapping[str, Plumbing]:
    """The NodePlumbings, stopped only where the node's last heartbeat, if any, says so too."""
    forged = {
        name: replace(plumbing, stopped=False, leaving=True)
        for name, plumbing in plumbings.items()
        if plumbing.stopped
        and (heartbeat := heartbeats.get(name))
        and not _says_stopped(heartbeat, plumbing)
    }
    return {**plumbings, **forged} if forged else plumbings


def _says_stopped(heartbeat: HeartbeatState, plumbing: Plumbing) -> bool:
    return heartbeat.stopped and heartbeat.boot == plumbing.boot


def nodes_ahead_of_store(
    snapshot: Snapshot, heartbeats: Mapping[str, HeartbeatState], restored_in: int | None
) -> frozenset[str]:
    """The nodes that may have acted on specs which the API server no longer has.

    `restored_in` is the present leader's epoch if the store went back before it began: then no
    node is trusted whose spec has another epoch. Otherwise a node is detected by a heartbeat
    that names a later generation than its spec has.
    """
    ahead = {
        name
        for name, plumbing in snapshot.plumbings.items()
        if (heartbeat := heartbeats.get(name))
        and heartbeat.boot == plumbing.boot
        and heartbeat.generation > plumbing.generation
    }
    if restored_in is not None:
        names = snapshot.plumbings.keys() | heartbeats.keys()
        ahead |= {name for name in names if _is_strange(snapshot, name, restored_in)}
    return frozenset(ahead)


def _is_strange(snapshot: Snapshot, name: str, epoch: int) -> bool:
    plumbing = snapshot.plumbings.get(name)
    is_heard = snapshot.liveness.get(name) in HEARD_STATES
    if plumbing is None:
        return is_heard
    return plumbing.epoch != epoch and (is_heard or bool(plumbing.boot))
