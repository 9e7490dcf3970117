"""The condition `Heard` of a NodePlumbing: whether the operator hears the node's agent.

A dead agent cannot report that it is dead. So what `kubectl get nodeplumbings` shows as READY
is the operator's word and not the agent's: whether the agent is heard, and ready by its own
report. About a node that this replica has not listened to for long enough it says nothing.
"""

from typing import NamedTuple

from duravip_api.reasons import Reason
from duravip_operator.core.snapshot import Liveness, Snapshot

HEARD_CONDITION = "Heard"
"""The type of the condition, the only one of a NodePlumbing that the agent does not write."""


class HeardCondition(NamedTuple):
    """The condition for one node."""

    is_heard: bool
    reason: str
    message: str


def heard_condition(snapshot: Snapshot, node: str) -> HeardCondition | None:
    """The condition for a node that has a NodePlumbing; None: leave what is there."""
    plumbing = snapshot.plumbings[node]
    if plumbing.stopped:
        return _unheard(Reason.NODE_STOPPED)
    liveness = snapshot.liveness.get(node, Liveness.UNKNOWN)
    if liveness is Liveness.UNKNOWN:
        return None
    if liveness is Liveness.SUSPECT:
        suspicion = snapshot.suspicions.get(node)
        is_gone = suspicion is not None and bool(
            suspicion.unreachable_on or suspicion.is_self_fenced
        )
        return _unheard(Reason.NODE_GONE if is_gone else Reason.NODE_SILENT)
    if plumbing.unready:
        return HeardCondition(False, *plumbing.unready)  # noqa: FBT003
    return HeardCondition(True, Reason.AGENT_HEARD, Reason.AGENT_HEARD.sentence)  # noqa: FBT003


def _unheard(reason: Reason) -> HeardCondition:
    return HeardCondition(False, reason, reason.sentence)  # noqa: FBT003
