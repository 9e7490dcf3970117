"""What the operator says of a node's agent."""

from typing import Any

import pytest

from duravip_operator.core import parsing
from duravip_operator.core.object_status import heard_condition
from duravip_operator.core.snapshot import Liveness, Snapshot, Suspicion

READY = {"type": "Ready", "status": "True", "reason": "AgentReady"}
UNFENCED = {"type": "Fenced", "status": "False", "reason": "Unfenced"}
ENDED = {"type": "Ready", "status": "False", "reason": "AgentStopped"}
STARTING = {"type": "Ready", "status": "False", "reason": "AgentStarting"}
DEAF = {"type": "Heard", "status": "False", "reason": "NodeSilent"}


def said(
    liveness: Liveness | None, *conditions: dict[str, Any], suspicion: Suspicion | None = None
) -> tuple[bool, str] | None:
    when = {"lastTransitionTime": "2026-01-01T00:00:00Z"}
    status = {"conditions": [{**condition, **when} for condition in conditions]}
    plumbing = parsing.plumbing({"metadata": {"name": "n1"}, "status": status})
    found = heard_condition(
        Snapshot(
            plumbings={"n1": plumbing},
            liveness={"n1": liveness} if liveness else {},
            suspicions={"n1": suspicion} if suspicion else {},
        ),
        "n1",
    )
    return found and (found.is_heard, found.reason)


@pytest.mark.parametrize("liveness", [Liveness.ALIVE, Liveness.WARMING_UP])
def test_a_node_that_is_heard_and_well_is_heard(liveness: Liveness) -> None:
    assert said(liveness, READY) == (True, "AgentHeard")
    assert said(liveness, READY, DEAF) == (True, "AgentHeard")
    late = {"type": "Realtime", "status": "False", "reason": "NoRealtime"}
    assert said(liveness, READY, late) == (True, "AgentHeard")


def test_a_silent_node_is_not_whatever_it_said_last() -> None:
    gone = Suspicion(unreachable_on=frozenset({"eth1"}))
    assert said(Liveness.SUSPECT, READY, suspicion=Suspicion()) == (False, "NodeSilent")
    assert said(Liveness.SUSPECT, READY, suspicion=gone) == (False, "NodeGone")
    assert said(Liveness.SUSPECT, READY, suspicion=Suspicion(is_self_fenced=True)) == (
        False,
        "NodeGone",
    )


def test_an_agent_that_says_what_is_wrong_with_it_is_not_counted_on() -> None:
    assert said(Liveness.ALIVE, READY, UNFENCED) == (False, "Unfenced")
    assert said(Liveness.ALIVE, STARTING) == (False, "AgentStarting")
    assert said(Liveness.ALIVE, ENDED) == (False, "NodeStopped")


def test_of_a_node_that_was_not_listened_to_nothing_is_said() -> None:
    assert said(Liveness.UNKNOWN, READY) is None
    assert said(None, READY) is None
