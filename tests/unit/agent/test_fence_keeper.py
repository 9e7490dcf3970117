"""What the agent makes of a fence that nothing opens, or that somebody keeps changing."""

import pytest

from duravip_agent import clock
from duravip_agent.core.probing import Findings
from duravip_agent.kernel.fence_keeper import FOUGHT, MISSED, Upkeep
from duravip_api.reasons import Reason
from duravip_api.timing import BEAT
from unit.agent.world import A, Agent, serving


class Clock:
    """Goes on when it is told to."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(clock, "now", made)
    return made


def tended(agent: Agent, upkeep: Upkeep, time: Clock, turns: int = 1) -> None:
    """Beats, looks and steps in turn."""
    for _ in range(turns):
        time.time += BEAT
        agent.lifeline.come_round()
        agent.lifeline.tick(None)
        upkeep.tend()
        agent.world.contact = agent.world.contact._replace(sent=time.time)
        agent.step()


def test_refreshes_that_do_not_arrive_end_in_nothing_being_served(time: Clock) -> None:
    agent = serving(A)
    upkeep = Upkeep(agent.tools)
    tended(agent, upkeep, time, 3)
    assert agent.handover.served == {A}
    agent.world.hears = False
    tended(agent, upkeep, time, MISSED - 1)
    assert agent.handover.served == {A}, "that may be a coincidence"
    tended(agent, upkeep, time)
    assert agent.tools.health.has(Reason.MUTED)
    assert not agent.handover.served
    tended(agent, upkeep, time, 30)
    assert not agent.handover.served
    agent.world.hears = True
    tended(agent, upkeep, time, 20)
    assert agent.tools.health.problem is None
    assert agent.handover.served == {A}


def test_a_node_that_cannot_be_heard_says_so_before_it_is_granted_anything(time: Clock) -> None:
    agent = serving()
    upkeep = Upkeep(agent.tools)
    agent.world.hears = False
    tended(agent, upkeep, time)
    assert agent.tools.health.has(Reason.MUTED)


def test_what_nobody_hears_is_not_said_to_be_served(time: Clock) -> None:
    agent = serving()
    agent.world.hears = False
    agent.grant(A)
    agent.step()
    assert not agent.handover.served
    assert agent.tools.health.has(Reason.MUTED)
    assert time.time == 1000.0


def test_a_fence_that_somebody_changes_again_and_again_is_none(time: Clock) -> None:
    agent = serving(A)
    upkeep = Upkeep(agent.tools)
    for _ in range(FOUGHT):
        agent.world.is_changed = True
        tended(agent, upkeep, time)
    assert agent.tools.health.has(Reason.UNFENCED)
    assert not agent.world.aliases, "what cannot be muted is deleted"
    tended(agent, upkeep, time, 150)
    assert agent.tools.health.problem is None
    assert not agent.handover.served, "after so long the segment is asked first"
    agent.judge.answered(agent.generation, Findings(silent=frozenset({A})), clock.now())
    agent.step()
    assert agent.handover.served == {A}
