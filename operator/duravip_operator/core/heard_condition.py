"""What the operator says of each node's agent: the condition `Heard` of its NodePlumbing.

A dead agent cannot say that it is dead. So what `kubectl get nodeplumbings` shows as READY is not
its own word but the operator's: whether the agent is heard, and counted on by what it says itself.
Of a node that this replica has not listened to for long enough nothing is said.
"""

from typing import NamedTuple

from duravip_api.reasons import Reason
from duravip_operator.core.snapshot import Liveness, Snapshot

HEARD_CONDITION = "Heard"
"""The type of the condition, and the only one of a NodePlumbing that is not the agent's."""


class HeardCondition(NamedTuple):
    """What is said of one node."""

    is_heard: bool
    reason: str
    message: str


def heard_condition(snapshot: Snapshot, node: str) -> HeardCondition | None:
    """What to say of a node that has a NodePlumbing; None: what stands there stays."""
    plumbing = snapshot.plumbings[node]
    if plumbing.stopped:
        return _not(Reason.NODE_STOPPED)
    hearing = snapshot.liveness.get(node, Liveness.UNKNOWN)
    if hearing is Liveness.UNKNOWN:
        return None
    if hearing is Liveness.SUSPECT:
        silence = snapshot.suspicions.get(node)
        is_gone = silence is not None and bool(silence.unreachable_on or silence.is_self_fenced)
        return _not(Reason.NODE_GONE if is_gone else Reason.NODE_SILENT)
    if plumbing.unready:
        return HeardCondition(False, *plumbing.unready)  # noqa: FBT003
    return HeardCondition(True, Reason.AGENT_HEARD, Reason.AGENT_HEARD.sentence)  # noqa: FBT003


def _not(reason: Reason) -> HeardCondition:
    return HeardCondition(False, reason, reason.sentence)  # noqa: FBT003
