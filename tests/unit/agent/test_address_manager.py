"""Addresses that others put in the place of ours, and cards that stop answering."""

from dataclasses import replace

from duravip_agent.kernel.address_manager import AddressManager
from unit.agent.world import A, B, alias, serving


def robbed(address: str) -> object:
    return alias(address)._replace(is_marked=False)


def test_what_was_ours_at_the_same_place_is_marked_again_and_goes_when_it_is_revoked() -> None:
    agent = serving(A, B)
    agent.world.aliases = {alias(B), robbed(A)}
    assert agent.step() == ["mark 1"]
    assert agent.world.aliases == {alias(A), alias(B)}
    assert agent.reconciler.served == {A, B}
    agent.world.aliases = {alias(B), robbed(A)}
    agent.grant(B)
    agent.step()
    assert agent.world.aliases == {alias(B)}


def test_against_something_that_keeps_robbing_it_slows_down_and_it_stays_ours() -> None:
    agent = serving(A)
    marked = 0
    for _ in range(9):
        agent.world.aliases = {robbed(A)}
        agent.addresses.read_kernel(with_links=True)
        marked += alias(A) in agent.world.aliases
        agent.step()
        assert agent.reconciler.served == {A}
        assert not agent.addresses.failures
    assert 2 <= marked < 9


def test_what_cannot_be_marked_again_is_deleted_and_added() -> None:
    agent = serving(A)
    agent.world.aliases = {robbed(A)}
    agent.world.refuses = {A}
    agent.addresses.read_kernel(with_links=True)
    assert agent.addresses.present == frozenset()


def test_what_somebody_puts_elsewhere_or_after_a_start_is_theirs() -> None:
    agent = serving(A)
    elsewhere = alias(A)._replace(link=3, is_marked=False)
    agent.world.aliases = {alias(A), elsewhere}
    agent.step()
    assert elsewhere in agent.world.aliases
    started = AddressManager(agent.world, agent.metrics)
    agent.world.aliases = {robbed(A)}
    started.read_kernel(with_links=True)
    assert started.present == frozenset()


def test_a_card_that_answers_nobody_has_nothing_served_on_it() -> None:
    for change in ({"arp_ignore": 8}, {"is_port": True}, {"state": 5}):
        agent = serving(A)
        agent.world.link = replace(agent.world.link, **change)  # type: ignore[arg-type]
        agent.step()
        assert not agent.reconciler.served
        assert "eth0" in agent.addresses.failures[A]
        agent.world.link = replace(agent.world.link, arp_ignore=0, is_port=False, state=6)
        agent.step()
        assert agent.reconciler.served == {A}


def test_a_card_that_the_fence_cannot_guard_has_nothing_served_on_it() -> None:
    agent = serving(A)
    agent.health.unguarded = {"eth0": "no"}
    agent.step()
    assert not agent.reconciler.served
