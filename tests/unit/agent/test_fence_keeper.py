"""What the agent makes of a fence that nothing opens, or that somebody keeps changing."""

import pytest

from duravip_agent import clock
from duravip_agent.core.probing import ProbeResult
from duravip_agent.kernel.fence_keeper import MISSED_FEEDS, REBUILDS_OF_A_FIGHT, FenceKeeper
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


def tended(agent: Agent, keeper: FenceKeeper, time: Clock, turns: int = 1) -> None:
    """Beats, looks and steps in turn."""
    for _ in range(turns):
        time.time += BEAT
        agent.watchdog.loop_alive()
        agent.watchdog.feed(None)
        keeper.check()
        agent.world.contact = agent.world.contact._replace(sent=time.time)
        agent.step()


def test_refreshes_that_do_not_arrive_end_in_nothing_being_served(time: Clock) -> None:
    agent = serving(A)
    keeper = agent.fence_keeper()
    tended(agent, keeper, time, 3)
    assert agent.reconciler.served == {A}
    agent.world.hears = False
    tended(agent, keeper, time, MISSED_FEEDS - 1)
    assert agent.reconciler.served == {A}, "that may be a coincidence"
    tended(agent, keeper, time)
    assert agent.health.has_problem(Reason.MUTED)
    assert not agent.reconciler.served
    tended(agent, keeper, time, 30)
    assert not agent.reconciler.served
    agent.world.hears = True
    tended(agent, keeper, time, 20)
    assert agent.health.problem is None
    assert agent.reconciler.served == {A}


def test_a_node_that_cannot_be_heard_says_so_before_it_is_granted_anything(time: Clock) -> None:
    agent = serving()
    keeper = agent.fence_keeper()
    agent.world.hears = False
    tended(agent, keeper, time)
    assert agent.health.has_problem(Reason.MUTED)


def test_what_nobody_hears_is_not_said_to_be_served(time: Clock) -> None:
    agent = serving()
    agent.world.hears = False
    agent.grant(A)
    agent.step()
    assert not agent.reconciler.served
    assert agent.health.has_problem(Reason.MUTED)
    assert time.time == 1000.0


def test_a_fence_that_somebody_changes_again_and_again_is_none(time: Clock) -> None:
    agent = serving(A)
    keeper = agent.fence_keeper()
    for _ in range(REBUILDS_OF_A_FIGHT):
        agent.world.is_changed = True
        tended(agent, keeper, time)
    assert agent.health.has_problem(Reason.UNFENCED)
    assert not agent.world.aliases, "what cannot be muted is deleted"
    tended(agent, keeper, time, 150)
    assert agent.health.problem is None
    assert not agent.reconciler.served, "after so long the segment is asked first"
    agent.facts.add_probe_result(agent.generation, ProbeResult(silent=frozenset({A})), clock.now())
    agent.step()
    assert agent.reconciler.served == {A}
