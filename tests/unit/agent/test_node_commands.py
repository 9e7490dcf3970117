"""What people ask of a node by annotation: once, in time, and without a risk."""

from typing import Any

import pytest

from duravip_agent import clock
from duravip_agent.command_runner import CommandRunner
from duravip_agent.core.kernel_state import NeighbourEntry
from duravip_agent.core.node_commands import (
    MAX_NEIGHBOURS,
    NEIGHBOURS_SHOWN_FOR_S,
    NodeCommands,
    neighbour_table,
)
from duravip_agent.core.watchdog_rule import LeaderContact
from duravip_api.annotations import ANNOUNCE, LIST_NEIGHBOURS, RESET
from unit.agent.world import A, Agent, B, serving


def _body(version: int, **notes: str) -> dict[str, Any]:
    words = {"announce": ANNOUNCE, "reset": RESET, "neighbours": LIST_NEIGHBOURS}
    named = {words[word]: value for word, value in notes.items()}
    return {"metadata": {"resourceVersion": str(version), "annotations": named}}


def _asked(requests: NodeCommands, version: int, **notes: str) -> list[str]:
    return [request.what for request in requests.new_in(_body(version, **notes))]


def test_what_is_there_at_the_start_is_old_but_neighbours_are_listed() -> None:
    notes = {"announce": "T1", "reset": "T1", "neighbours": "T1"}
    assert _asked(NodeCommands(), 1, **notes) == [LIST_NEIGHBOURS]


def test_each_new_value_asks_once() -> None:
    requests = NodeCommands()
    assert _asked(requests, 1) == []
    assert _asked(requests, 2, reset="T1") == [RESET]
    assert _asked(requests, 3, reset="T1", announce="T2") == [ANNOUNCE]
    assert _asked(requests, 4, announce="T2") == []
    assert _asked(requests, 5, reset="T1", announce="T2") == []


def test_an_older_version_of_the_object_asks_nothing() -> None:
    requests = NodeCommands()
    requests.new_in(_body(1))
    assert _asked(requests, 3, reset="T2") == [RESET]
    assert _asked(requests, 2, reset="T1") == []


def test_addresses_are_read_whatever_stands_between_them() -> None:
    requests = NodeCommands()
    requests.new_in(_body(1))
    (asked,) = requests.new_in(_body(2, announce="T1 10.1.1.1, fd00:0::1,nonsense,"))
    assert (asked.time, asked.addresses) == ("T1", {"10.1.1.1", "fd00::1"})


def test_the_status_tells_neighbours_for_a_while_and_as_many_as_it_holds() -> None:
    hosts = [NeighbourEntry(2, f"10.1.{n // 250}.{n % 250}", "", "FAILED") for n in range(300)]
    others = [NeighbourEntry(2, "10.1.9.9", "02::1", "STALE"), NeighbourEntry(9, A, "", "STALE")]
    found = neighbour_table([*hosts, *others], {2: "eth1"})
    assert len(found) == MAX_NEIGHBOURS
    assert (found[0].interface, found[0].address) == ("eth1", "10.1.9.9")
    requests = NodeCommands()
    requests.set_neighbours(found, 10.0)
    assert requests.neighbours(10.0) == found
    assert requests.neighbours(10.0 + NEIGHBOURS_SHOWN_FOR_S) == []


@pytest.fixture
def agent() -> Agent:
    agent = serving(A, B)
    agent.commands.new_in(_body(1))
    return agent


def _runner(agent: Agent) -> CommandRunner:
    say = agent.world.log.append
    return CommandRunner(
        agent.commands,
        reconciler=agent.reconciler,
        facts=agent.facts,
        addresses=agent.addresses,
        announcer=agent.world,
        watchdog=agent.watchdog,
        neighbours=list,
        read_spec_soon=agent.world.read_soon,
        resync=lambda: say("look again"),
    )


def test_a_reset_mutes_and_removes_and_takes_again_only_after_a_new_contact(agent: Agent) -> None:
    agent.world.log.clear()
    assert _runner(agent).run_new(_body(2, reset="T1"))
    assert agent.world.log == ["deactivate 2", "delete 2", "read", "look again"]
    assert agent.commands.done == {"reset": "T1"}
    assert agent.step() == []  # the contact was there before the silence: it proves nothing
    agent.world.contact = LeaderContact(clock.now(), 0, agent.generation)
    assert agent.step() == ["activate 2", "add 2", "announce 2", "report"]
    assert agent.reconciler.served == {A, B}


def test_only_what_is_held_is_announced_again(agent: Agent) -> None:
    runner = _runner(agent)
    agent.world.log.clear()
    assert runner.run_new(_body(2, announce=f"T1 {A},10.9.9.9"))
    assert runner.run_new(_body(3, announce="T2"))
    assert not runner.run_new(_body(3, announce="T2"))
    again = ["read", "look again"]
    assert agent.world.log == ["renew 1", *again, "renew 2", *again]
