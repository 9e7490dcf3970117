"""What an agent says of itself when it is not well, or when not everything can be written down."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from duravip_agent import clock
from duravip_agent.kernel.listening_ports import ListeningPorts
from duravip_agent.status_publisher import AgentIdentity, StatusPublisher
from duravip_api.checks import parse_check
from duravip_api.reasons import Reason
from unit.agent.world import A, Agent, serving


class Ear:
    """Takes what is said."""

    def __init__(self, agent: Agent, refused_priority: str = "") -> None:
        self.reports: list[dict[str, Any]] = []
        self.told: list[Any] = []
        heartbeat: Any = SimpleNamespace(
            refused_priority=refused_priority, send_now=bool, content=None, is_stale=False
        )
        writer: Any = SimpleNamespace(submit=self.reports.append)
        self.checks: Any = SimpleNamespace(passing=frozenset(), replace=None)
        local_api: Any = SimpleNamespace(update=lambda *told: self.told.append(told))
        self.publisher = StatusPublisher(
            AgentIdentity("1.0", "key"),
            writer=writer,
            heartbeat=heartbeat,
            metrics=agent.metrics,
            reconciler=agent.reconciler,
            specs=agent.specs,
            facts=agent.facts,
            addresses=agent.addresses,
            health=agent.health,
            commands=agent.commands,
            listening_ports=ListeningPorts(),
            checks=self.checks,
            local_api=local_api,
        )
        self._wanted = agent.specs.in_force.wanted

    def hears(self) -> dict[str, Any]:
        """Let it say all that there is; gives the status."""
        self.publisher.publish(self._wanted, is_urgent=True)
        return self.reports[-1]

    def conditions(self) -> dict[str, tuple[str, str, str]]:
        """By type."""
        said = self.hears()["conditions"]
        return {c["type"]: (c["status"], c["reason"], c["message"]) for c in said}


def test_a_node_that_is_not_well_is_not_ready_and_says_why() -> None:
    agent = serving(A)
    ear = Ear(agent)
    assert ear.conditions()["Ready"][:2] == ("True", "AgentReady")
    agent.health.report_failure(Reason.MUTED, "some rule on lo", clock.now())
    assert ear.conditions() == {"Ready": ("False", "Muted", "some rule on lo")}


def test_what_cannot_be_written_down_keeps_nothing_else_from_being_said() -> None:
    agent = serving(A)
    ear = Ear(agent)
    agent.addresses.failures = {A: None}  # type: ignore[dict-item]
    status = ear.hears()
    assert status["served"] == [A]
    assert status["agent"]["publicKey"] == "key", "or nobody would hear it any more"
    assert status["observedGeneration"] == agent.generation
    assert not status["nics"]
    assert "TypeError" in ear.publisher.status_error
    agent.addresses.failures = {}
    assert ear.hears()["nics"]
    assert not ear.publisher.status_error


def test_cards_that_are_left_out_are_named() -> None:
    agent = serving(A)
    ear = Ear(agent)
    assert "InterfacesRead" not in ear.conditions()
    agent.addresses.observed = replace(agent.addresses.observed, unread=("an interface: 00",))
    agent.health.unguarded = {"eth9": "no such card"}
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
    heart = ear.publisher._heartbeat  # noqa: SLF001
    hurried: list[bool] = []
    heart.send_now = lambda: hurried.append(heart.content.stopped)  # type: ignore[method-assign]
    ear.hears()
    ear.publisher.announce_stop(Reason.AGENT_STOPPING, {})
    assert hurried[-1] is False
    ear.publisher.announce_stop(Reason.AGENT_STOPPED, {})
    assert hurried[-1] is True


def test_only_checks_that_the_spec_names_are_reported_as_passing() -> None:
    agent = serving(A)
    ear = Ear(agent)
    line = "tcp/eth0/ipv4/25/1s/1s/3/2"
    agent.specs.in_force = replace(agent.specs.in_force, checks={line: parse_check(line)})
    assert ear.hears()["passing"] == []
    ear.checks.passing = frozenset({line, "tcp/eth0/ipv4/26/1s/1s/3/2"})
    assert ear.hears()["passing"] == [line]


def test_programs_of_the_node_are_told_what_is_active_and_there() -> None:
    agent = serving(A)
    ear = Ear(agent)
    ear.hears()
    agent.reconciler.fence.deactivate({A})
    ear.hears()
    assert [active for active, _ in ear.told] == [{A}, set()]
