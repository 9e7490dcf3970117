"""What an agent says of itself when it is not well, or when not everything can be written down."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from duravip_agent import clock
from duravip_agent.status_publisher import Channels, Identity, Voice
from duravip_api.reasons import Reason
from unit.agent.world import A, Agent, serving


class Ear:
    """Takes what is said."""

    def __init__(self, agent: Agent, refused_priority: str = "") -> None:
        self.reports: list[dict[str, Any]] = []
        heart = SimpleNamespace(
            refused_priority=refused_priority, hurry=bool, pulse=None, is_stale=False
        )
        channels: list[Any] = [
            SimpleNamespace(submit=self.reports.append), heart, agent.tools.metrics
        ]  # fmt: skip
        identity = Identity("1.0", "key")
        self.voice = Voice(identity, Channels(*channels), agent.tools, agent.handover)
        self._wanted = agent.specs.grant.wanted

    def hears(self) -> dict[str, Any]:
        """Let it say all that there is; gives the status."""
        self.voice.speak(self._wanted, is_urgent=True)
        return self.reports[-1]

    def conditions(self) -> dict[str, tuple[str, str, str]]:
        """By type."""
        said = self.hears()["conditions"]
        return {c["type"]: (c["status"], c["reason"], c["message"]) for c in said}


def test_a_node_that_is_not_well_is_not_ready_and_says_why() -> None:
    agent = serving(A)
    ear = Ear(agent)
    assert ear.conditions()["Ready"][:2] == ("True", "AgentReady")
    agent.tools.health.failed(Reason.MUTED, "some rule on lo", clock.now())
    assert ear.conditions() == {"Ready": ("False", "Muted", "some rule on lo")}


def test_what_cannot_be_written_down_keeps_nothing_else_from_being_said() -> None:
    agent = serving(A)
    ear = Ear(agent)
    agent.plumber.failures = {A: None}  # type: ignore[dict-item]
    status = ear.hears()
    assert status["served"] == [A]
    assert status["agent"]["publicKey"] == "key", "or nobody would hear it any more"
    assert status["observedGeneration"] == agent.generation
    assert not status["nics"]
    assert "TypeError" in ear.voice.trouble
    agent.plumber.failures = {}
    assert ear.hears()["nics"]
    assert not ear.voice.trouble


def test_cards_that_are_left_out_are_named() -> None:
    agent = serving(A)
    ear = Ear(agent)
    assert "InterfacesRead" not in ear.conditions()
    agent.plumber.observed = replace(agent.plumber.observed, unread=("an interface: 00",))
    agent.tools.health.unguarded = {"eth9": "no such card"}
    _, reason, message = ear.conditions()["InterfacesRead"]
    assert reason == "InterfaceUnreadable"
    assert "an interface: 00" in message
    assert "'eth9'" in message
    assert "no such card" in message


def test_a_refused_priority_is_a_condition_and_costs_nothing_else() -> None:
    found = Ear(serving(A), refused_priority="Operation not permitted").conditions()
    assert found["Ready"][0] == "True"
    assert found["Realtime"][:2] == ("False", "NoRealtime")
    assert "Operation not permitted" in found["Realtime"][2]


def test_the_beats_say_at_once_that_it_has_ended_and_not_before() -> None:
    ear = Ear(serving(A))
    heart = ear.voice._channels.heart  # noqa: SLF001
    hurried: list[bool] = []
    heart.hurry = lambda: hurried.append(heart.pulse.stopped)  # type: ignore[method-assign]
    ear.hears()
    ear.voice.end(Reason.AGENT_STOPPING, {})
    assert hurried[-1] is False
    ear.voice.end(Reason.AGENT_STOPPED, {})
    assert hurried[-1] is True
