"""The order of one step of the agent."""

import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from duravip_agent import clock
from duravip_agent.core.address_conflicts import Claim
from duravip_agent.core.kernel_state import IfAddress
from duravip_agent.core.probing import ProbeResult
from duravip_agent.core.watchdog_rule import LeaderContact, Timeouts
from duravip_agent.kernel.address_manager import CHUNK_SIZE
from duravip_agent.shutdown import Shutdown
from unit.agent.world import A, Agent, B, C, World, alias, serving


def test_an_address_is_fenced_in_then_plumbed_then_announced_then_reported() -> None:
    agent = Agent(World())
    agent.grant(A)
    assert agent.step() == ["mute", "activate 1", "feed", "add 1", "announce 1", "report"]
    assert agent.reconciler.served == {A}


def test_what_is_revoked_is_silent_and_reported_before_anything_else_is_done() -> None:
    agent = serving(A)
    agent.grant(B)
    steps = ["deactivate 1", "report", "activate 1", "add 1", "announce 1", "report", "delete 1"]
    assert agent.step() == steps
    assert agent.world.watched == {B}


def test_what_an_earlier_agent_left_is_let_be_heard_without_being_plumbed_again() -> None:
    agent = Agent(World(A))
    agent.grant(A)
    assert agent.reconciler.served == set()
    assert agent.step() == ["mute", "activate 1", "feed", "announce 1", "report"]


def test_without_contact_nothing_is_armed_and_what_is_armed_stays() -> None:
    agent = serving(A)
    agent.grant(A, B, is_known=False)
    assert agent.step() == []
    assert agent.reconciler.served == {A}
    assert agent.reconciler.due < clock.now() + 1


@pytest.mark.parametrize(
    ("heard", "last"), [(None, "deactivate"), (0, "announce"), (1, "deactivate")]
)
def test_what_is_heard_too_late_is_muted_unless_a_leader_has_confirmed_this_spec_meanwhile(
    heard: int | None, last: str
) -> None:
    agent = serving(A)
    agent.grant(A, B)
    agent.watchdog.timeouts = Timeouts(contact=0.3)
    first = agent.world.contact = LeaderContact(clock.now(), 0, agent.generation)
    add = agent.world.add

    def slow(aliases: Sequence[IfAddress]) -> dict[IfAddress, str]:
        while clock.now() < first.sent + 0.3:
            time.sleep(0.01)
        if heard is not None:
            agent.world.contact = LeaderContact(clock.now(), 0, agent.generation + heard)
        return dict(add(aliases))

    agent.world.add = slow
    assert agent.step()[-2:] == [f"{last} 1", "report"]
    assert agent.reconciler.served == ({A} if last == "deactivate" else {A, B})


def test_after_a_lapse_only_what_is_confirmed_is_heard_again() -> None:
    agent = serving(A, B)
    agent.watchdog.mute()
    agent.grant(A, contested=(B,))
    assert agent.step() == [
        "mute",
        "deactivate 1",
        "report",
        "probe 1",
        "feed",
        "announce 1",
        "report",
    ]
    assert agent.reconciler.served == {A}


def test_after_a_lapse_thousands_are_heard_again_some_at_a_time() -> None:
    addresses = [f"10.1.{n // 256}.{n % 256}" for n in range(3 * CHUNK_SIZE)]
    agent = Agent(World(*addresses))
    agent.grant(*addresses)
    steps = [step for step in agent.step() if step.startswith("announce")]
    assert steps == [f"announce {CHUNK_SIZE}"] * 3
    assert len(agent.reconciler.served) == 3 * CHUNK_SIZE


def test_after_a_lapse_without_contact_everything_stays_mute() -> None:
    agent = serving(A, B)
    agent.watchdog.mute()
    agent.world.contact = None
    assert agent.step() == ["mute", "deactivate 2", "report"]
    assert agent.step() == ["mute"]


def test_a_contested_address_is_asked_about_first_and_taken_when_nobody_answers() -> None:
    agent = Agent(World())
    agent.grant(contested=(A,))
    assert agent.step() == ["mute", "probe 1"]
    agent.facts.add_probe_result(
        agent.generation, ProbeResult({A: ("02:00:00:00:00:09",)}), clock.now()
    )
    assert agent.facts.contested == {A: "02:00:00:00:00:09"}
    assert agent.step() == ["mute"]
    agent.facts.add_probe_result(agent.generation, ProbeResult(silent=frozenset({A})), clock.now())
    assert "add 1" in agent.step()
    agent.step()
    assert agent.facts.contested == {}


def test_where_the_segment_could_not_be_asked_nothing_is_taken() -> None:
    agent = Agent(World())
    agent.grant(contested=(A,))
    agent.step()
    agent.facts.add_probe_result(
        agent.generation, ProbeResult(unasked=frozenset({A})), clock.now()
    )
    assert agent.step() == ["mute"]
    assert agent.facts.contested == {}


def test_who_has_answered_is_still_named_under_the_next_spec() -> None:
    agent, mac = Agent(World()), "02:00:00:00:00:09"
    agent.grant(contested=(A,))
    agent.step()
    agent.facts.add_probe_result(agent.generation, ProbeResult({A: (mac,)}), clock.now())
    agent.grant(B, contested=(A,))
    assert "add 1" in agent.step()
    assert agent.facts.contested == {A: mac}
    agent.grant(B)
    agent.step()
    assert agent.facts.contested == {}


def test_what_was_granted_before_the_agent_started_is_asked_about_first() -> None:
    agent = Agent(World(), is_new=True)
    agent.grant(A)
    assert agent.step() == ["mute", "probe 1"]
    agent.facts.add_probe_result(agent.generation, ProbeResult(silent=frozenset({A})), clock.now())
    assert "add 1" in agent.step()
    agent.grant(A, B)
    assert "add 1" in agent.step()
    assert agent.reconciler.served == {A, B}


def test_what_was_muted_under_its_grant_is_asked_about_before_it_is_heard_again() -> None:
    agent = serving(A)
    agent.world.contact = None
    agent.facts.add_claims((Claim(A, "eth0", "02:00:00:00:00:09", 0.0),), frozenset({A}))
    agent.step()
    assert not agent.reconciler.served
    agent.world.contact = LeaderContact(clock.now(), 0, agent.generation)
    assert "probe 1" in agent.step()
    assert not agent.reconciler.served
    agent.facts.add_probe_result(agent.generation, ProbeResult(silent=frozenset({A})), clock.now())
    agent.step()
    assert agent.reconciler.served == {A}


def test_silence_under_an_earlier_spec_counts_for_nothing() -> None:
    agent = Agent(World())
    agent.grant(contested=(A,))
    agent.step()
    agent.grant(contested=(A,))
    agent.step()
    agent.facts.add_probe_result(
        agent.generation - 1, ProbeResult(silent=frozenset({A})), clock.now()
    )
    assert agent.step() == ["mute"]


def test_thousands_are_heard_chunk_by_chunk_and_something_newer_interrupts() -> None:
    agent = serving()
    agent.grant(*(f"10.1.{n // 256}.{n % 256}" for n in range(3 * CHUNK_SIZE)))
    once = [f"activate {CHUNK_SIZE}", "feed", f"add {CHUNK_SIZE}", f"announce {CHUNK_SIZE}"]
    assert agent.step(stop_after=1) == ["mute", *once, "report"]
    assert not agent.is_done
    assert len(agent.reconciler.served) == CHUNK_SIZE


def test_what_is_revoked_before_its_alias_is_there_leaves_no_route() -> None:
    agent = serving()
    agent.world.knows_routes = True
    agent.grant(*(f"10.1.{n // 256}.{n % 256}" for n in range(3 * CHUNK_SIZE)))
    agent.step(stop_after=0)
    assert len(agent.reconciler.served) == 3 * CHUNK_SIZE
    agent.grant()
    assert agent.step() == ["deactivate 768", "report", "unroute 768"]
    assert agent.world.watched == set()


def test_what_is_revoked_is_silent_before_the_kernel_is_looked_at_and_deleted_after_it() -> None:
    agent = serving(A)
    agent.grant(B)
    first = ["deactivate 1", "report", "activate 1", "add 1", "announce 1", "report"]
    assert agent.step(may_delete=False) == first
    assert agent.reconciler.deferred_due <= clock.now()
    assert agent.step() == ["delete 1"]
    assert agent.reconciler.deferred_due == float("inf")
    assert agent.world.watched == {B}


def test_what_is_in_the_way_of_an_address_is_deleted_before_that_is_added() -> None:
    agent = Agent(World(A))
    agent.world.aliases = {alias(A)._replace(mask=24)}
    agent.grant(A)
    assert agent.step(may_delete=False) == ["mute"]
    assert not agent.is_done
    steps = [
        "mute",
        "delete 1",
        "report",
        "activate 1",
        "feed",
        "add 1",
        "announce 1",
        "report",
    ]
    assert agent.step() == steps
    assert agent.is_done


def test_a_few_addresses_are_worth_routes_where_there_are_thousands_already() -> None:
    agent = serving(*(f"10.1.{n // 256}.{n % 256}" for n in range(8 * CHUNK_SIZE)))
    agent.world.knows_routes = True
    more = tuple(f"10.2.0.{n}" for n in range(100))
    agent.grant(*agent.specs.in_force.wanted, *more)
    steps = ["activate 100", "route 100", "announce 100", "report"]
    assert agent.step() == steps


def test_what_cannot_be_deleted_is_mute_all_the_same() -> None:
    agent = serving(A)
    agent.world.refuses = {A}
    agent.grant()
    agent.step()
    assert agent.addresses.failures == {A: "no"}
    assert agent.reconciler.served == set()
    assert agent.world.watched == {A}


def test_what_cannot_be_added_is_said_and_waits_for_its_next_try() -> None:
    agent = Agent(World())
    agent.world.refuses = {A}
    agent.grant(A)
    agent.step()
    assert agent.addresses.failures == {A: "no"}
    assert agent.reconciler.served == set()
    assert agent.world.watched == set()
    assert agent.addresses.next_due(0.0) < float("inf")


def test_a_step_that_fails_half_way_leaves_nothing_to_be_heard() -> None:
    agent = serving(A)
    agent.grant(A, B)

    def fail(aliases: Sequence[IfAddress]) -> dict[IfAddress, str]:
        agent.world.aliases.update(aliases)
        raise OSError("no more memory")

    agent.world.add = fail
    with pytest.raises(OSError, match="no more memory"):
        agent.step()
    assert agent.world.active == {A}


def test_without_a_fence_what_may_not_be_heard_is_deleted() -> None:
    agent = Agent(World(A, B, is_fenced=False))
    agent.grant(A, contested=(C,))
    agent.addresses.read_kernel(with_links=True)
    assert agent.reconciler.served == {A, B}
    assert "delete 1" in agent.step()
    agent.world.contact = None
    agent.watchdog.mute()
    assert agent.step() == ["mute", "deactivate 1", "report", "delete 1"]
    assert agent.reconciler.served == set()


def test_in_contact_a_claimed_address_is_defended_and_otherwise_left() -> None:
    agent = serving(A)
    claim = Claim(A, "eth0", "02:00:00:00:00:09", 1.0)
    agent.facts.add_claims([claim], agent.reconciler.active)
    assert agent.step() == ["defend 1"]
    agent.world.contact = None
    agent.facts.add_claims([claim], agent.reconciler.active)
    assert agent.step() == ["deactivate 1", "report"]


def test_withdrawing_leaves_nothing_of_ours() -> None:
    agent = serving(A, B)
    agent.reconciler.mute_all()
    assert agent.reconciler.served == set()
    told: list[set[IfAddress]] = []
    nobody: Any = None  # is told of an end that nobody has asked for
    programs: Any = SimpleNamespace(withdraw_locally=lambda: told.append(set(agent.world.aliases)))
    Shutdown(agent.reconciler, agent.addresses, agent.released, nobody, programs, nobody).run()
    assert agent.world.aliases == set()
    assert told
    assert told[0], "before they are gone"


def test_a_guard_is_in_force_before_its_address_is_heard() -> None:
    agent = Agent(World())
    agent.grant(A, guarded=(f"{A} TCP/25",))
    assert agent.step()[:3] == ["mute", "guard 1", "activate 1"]
    assert agent.reconciler.served == {A}


def test_a_guard_goes_once_its_address_is_mute() -> None:
    agent = Agent(World())
    agent.grant(A, B, guarded=(f"{A} TCP/25", B))
    agent.step()
    agent.grant(B, guarded=(B,))
    assert agent.step()[:3] == ["deactivate 1", "report", "guard 1"]
    assert agent.reconciler.served == {B}


def test_an_address_that_cannot_be_guarded_is_not_served_and_the_others_are() -> None:
    agent = Agent(World())
    agent.world.guard_problem = "no such rule"
    agent.grant(A, B, guarded=(A,))
    assert "activate 1" not in agent.step()
    assert not agent.is_done, "it is decided anew at once"
    agent.step()
    assert agent.reconciler.served == {B}
    assert agent.facts.unguardable == {A}
    agent.world.guard_problem = ""
    agent.step()
    agent.step()
    assert agent.reconciler.served == {A, B}


def test_an_address_whose_guard_is_lost_falls_silent() -> None:
    agent = Agent(World())
    agent.grant(A, B, guarded=(A,))
    agent.step()
    agent.world.guard_problem = "no such rule"
    agent.step()
    assert "deactivate 1" in agent.step()
    assert agent.reconciler.served == {B}
