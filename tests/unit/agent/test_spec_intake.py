"""An agent that the API server has not known (401) for a minute."""

from types import SimpleNamespace
from typing import Any

import pytest

from duravip_agent import clock
from duravip_agent.core.watchdog_rule import LeaderContact
from duravip_agent.events import AccessDenied
from duravip_agent.spec_intake import PermissionDeniedError, SpecIntake
from unit.agent.test_loop import Turns
from unit.agent.world import A, Agent, serving

SENTENCE = "the API server has not known us for 60 s (401)"


def heard(agent: Agent, ago: float) -> None:
    """Let a leader have acknowledged a beat so many seconds ago."""
    agent.world.contact = LeaderContact(clock.now() - ago, 0, agent.generation)


def denied(agent: Agent, monkeypatch: pytest.MonkeyPatch, *, times: int = 1) -> Turns:
    """Let its loop be told so often."""
    turns = Turns(agent, monkeypatch)
    nobody: Any = SimpleNamespace()
    intake = SpecIntake(
        agent.specs,
        agent.facts,
        agent.world,
        agent.commands,
        writer=nobody,
        publisher=nobody,
        command_runner=nobody,
        watch_again=nobody,
    )
    turns.intake.on_access_denied = intake.on_access_denied
    for _ in range(times):
        turns.inbox.put(AccessDenied(SENTENCE))
    turns.run(2)
    return turns


def test_it_ends_while_a_leader_hears_it_that_can_let_others_take_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    agent = serving(A)
    heard(agent, 0.0)
    with pytest.raises(PermissionDeniedError, match="401"):
        denied(agent, monkeypatch)


def test_it_keeps_what_it_holds_where_no_leader_is_heard_and_says_so_once_a_minute(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    agent = serving(A)
    heard(agent, 1.0)
    turns = denied(agent, monkeypatch, times=3)
    assert agent.reconciler.served == {A}
    said = [record.getMessage() for record in caplog.records if SENTENCE in record.getMessage()]
    assert len(said) == 1
    assert "what is held stays" in said[0]
    heard(agent, 0.0)
    turns.inbox.put(AccessDenied(SENTENCE))
    with pytest.raises(PermissionDeniedError):
        turns.run(2)


def test_it_ends_where_it_holds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = serving()
    agent.world.contact = None
    with pytest.raises(PermissionDeniedError):
        denied(agent, monkeypatch)
