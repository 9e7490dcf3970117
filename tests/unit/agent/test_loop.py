"""A turn of the agent's loop of which some part fails, time after time."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from duravip_agent import clock, loop
from duravip_agent.core.fencing import NOTHING
from duravip_agent.events import ContactChanged, Inbox, KernelChanged, ReadinessChanged
from duravip_agent.kernel import fence_keeper
from duravip_agent.kernel.nftables import FenceError
from duravip_agent.loop import Loop
from duravip_api.reasons import Reason
from unit.agent.world import A, Agent, B, serving


class Voice:
    """Writes down what is said."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self.due, self.status_error = float("inf"), ""
        self.said: list[frozenset[str]] = []
        self.urgent = 0
        """How often it could not wait."""

    def publish(self, wanted: Mapping[str, Any], *, is_urgent: bool = False) -> None:
        del wanted
        self.urgent += is_urgent
        self.said.append(self._agent.reconciler.served)

    def start(self) -> None:
        self.publish({})

    def report_if_due(self) -> None: ...

    def update_checks(self) -> None: ...


class Turns:
    """The loop of an agent, for so many turns."""

    def __init__(self, agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
        self.agent, self.voice, self.inbox = agent, Voice(agent), Inbox()
        self.left = 0
        self.is_notifying_loss = False
        monkeypatch.setattr(loop, "MAX_BACKOFF_S", 0.0)
        monkeypatch.setattr(fence_keeper, "BEAT", 0.0)
        intake = SimpleNamespace(
            wanted=agent.specs.in_force.wanted, start_timed_out=bool, on_contact_changed=bool
        )
        shutdown = SimpleNamespace(is_ready=self._is_ready, run=lambda: None)
        alone = SimpleNamespace(release=lambda: (), has_changed=lambda: False)
        parts: dict[str, Any] = {
            "inbox": self.inbox,
            "intake": intake,
            "reconciler": agent.reconciler,
            "fence_keeper": agent.fence_keeper(),
            "publisher": self.voice,
            "shutdown": shutdown,
            "duplicates": alone,
            "facts": agent.facts,
            "addresses": agent.addresses,
            "announcer": agent.world,
            "conflict_checks": agent.world,
            "watchdog": agent.watchdog,
            "health": agent.health,
            "metrics": agent.metrics,
            "local_api": SimpleNamespace(is_notifying_loss=lambda: self.is_notifying_loss),
        }
        self.loop = Loop(**parts)
        self.intake = intake

    def grant(self, *addresses: str) -> None:
        """Let exactly these be granted from now on."""
        self.agent.grant(*addresses)
        self.intake.wanted = self.agent.specs.in_force.wanted

    def run(self, turns: int) -> None:
        """Make so many of them, the first of which has something to look at."""
        self.left = turns
        self.inbox.put(KernelChanged(with_links=True))
        self.loop.run()

    def _is_ready(self) -> bool:
        self.left -= 1
        self.inbox.put(ContactChanged())  # there is something to do all the time
        return self.left < 0


def fails(*_: object, **__: object) -> None:
    raise ValueError("no such thing")


@pytest.mark.parametrize("part", ["read_state", "announce", "add_interfaces"])
def test_what_was_revoked_is_mute_though_another_part_fails(
    part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = serving(A, B)
    turns = Turns(agent, monkeypatch)
    monkeypatch.setattr(agent.world, part, fails)
    turns.grant(B)
    turns.run(2)
    assert agent.world.active == {B}
    assert turns.voice.said[-1] == {B}


def test_it_is_even_where_no_step_can_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = serving(A, B)
    turns = Turns(agent, monkeypatch)
    monkeypatch.setattr(agent.reconciler, "reconcile", fails)
    turns.grant(B)
    turns.run(2)
    assert agent.world.active == {B}
    assert turns.voice.said[-1] == {B}


@pytest.mark.parametrize("part", ["read_state", "announce"])
def test_an_agent_that_fails_for_long_lets_go_of_everything_and_says_why(
    part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "FAILING_AFTER_S", 0.0)
    agent = serving(A, B)
    turns = Turns(agent, monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(agent.world, part, fails)
        turns.run(2)
    assert not agent.world.active
    assert turns.voice.said[-1] == NOTHING
    assert agent.health.problem == (
        Reason.AGENT_FAILING,
        "ValueError: no such thing",
    )


def test_it_starts_though_the_kernel_cannot_be_read_and_serves_once_it_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    agent = serving()
    turns = Turns(agent, monkeypatch)
    turns.grant(A)
    with monkeypatch.context() as patch:
        patch.setattr(agent.world, "read_state", fails)
        turns.run(1)
    turns.run(2)
    assert agent.reconciler.served == {A}


def test_without_a_fence_everything_is_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = serving(A, B)
    turns = Turns(agent, monkeypatch)

    def gone() -> bool:
        agent.world.is_fought = True
        agent.world.active = NOTHING
        raise FenceError("no nft")

    monkeypatch.setattr(agent.world, "repair", gone)
    turns.run(3)
    assert not agent.world.aliases
    assert agent.health.problem == (Reason.UNFENCED, "no nft")
    assert turns.voice.said[-1] == NOTHING


def test_a_step_is_made_though_nothing_new_can_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = serving(A)
    turns = Turns(agent, monkeypatch)
    monkeypatch.setattr(agent.world, "read_state", fails)
    turns.grant(A, B)
    turns.run(2)
    assert agent.world.active == {A, B}


def test_what_could_not_be_deleted_at_once_is_deleted_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    agent = serving(A)
    turns = Turns(agent, monkeypatch)
    agent.world.can_fence = False
    agent.health.report_failure(Reason.UNFENCED, "no nft", clock.now())
    delete, left = agent.world.delete, [1, 2]

    def refused_at_first(aliases: Any) -> dict[Any, str]:
        return dict.fromkeys(aliases, "no") if left and left.pop() else delete(aliases)

    monkeypatch.setattr(agent.world, "delete", refused_at_first)
    turns.run(8)
    assert {A} in turns.voice.said, "it could be heard"
    assert turns.voice.said[-1] == NOTHING
    assert not agent.world.aliases


@pytest.mark.parametrize("moves_addresses", [True, False])
def test_what_addresses_move_by_is_reported_at_once(
    monkeypatch: pytest.MonkeyPatch, *, moves_addresses: bool
) -> None:
    turns = Turns(serving(A), monkeypatch)
    turns.run(1)
    assert not turns.voice.urgent
    turns.inbox.put(ReadinessChanged(moves_addresses))
    turns.run(1)
    assert turns.voice.urgent == moves_addresses


def test_nothing_is_deleted_while_programs_are_told_that_it_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    agent = serving(A, B)
    turns = Turns(agent, monkeypatch)
    turns.grant(B)
    turns.is_notifying_loss = True
    turns.run(3)
    assert agent.world.active == {B}
    assert agent.addresses.present == {A, B}
    turns.is_notifying_loss = False
    turns.run(2)
    assert agent.addresses.present == {B}
