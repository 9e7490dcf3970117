"""Who is said to claim an address of ours, and for how long."""

from duravip_agent.core.address_conflicts import (
    OVER_AFTER_S,
    PASS_EVERY_S,
    Claim,
    ClaimThrottle,
    Conflicts,
)

ADDRESS, OTHER = "10.1.1.1", "10.1.1.2"
MAC, ANOTHER = "02:00:00:00:00:fe", "02:00:00:00:00:ee"
START = 1000.0


def claim(time: float = START, mac: str = MAC, address: str = ADDRESS) -> Claim:
    return Claim(address, "eth1", mac, time)


def test_a_conflict_names_the_last_claimant_and_when_the_first_one_came() -> None:
    conflicts = Conflicts()
    conflicts.add([claim(), claim(START + 1)])
    conflicts.add([claim(START + 2, ANOTHER)])
    found = conflicts.open[ADDRESS]
    assert (found.mac, found.since, found.last) == (ANOTHER, START, START + 2)


def test_a_conflict_is_over_half_a_minute_after_the_last_claim() -> None:
    conflicts = Conflicts()
    conflicts.add([claim(), claim(START + 5)])
    assert conflicts.next_due() == START + 5 + OVER_AFTER_S
    assert not conflicts.expire(START + 5 + OVER_AFTER_S - 0.1)
    assert conflicts.expire(START + 5 + OVER_AFTER_S)
    assert (dict(conflicts.open), conflicts.next_due()) == ({}, None)


def test_an_address_that_is_no_longer_ours_has_no_conflict() -> None:
    conflicts = Conflicts()
    conflicts.add([claim(), claim(address=OTHER)])
    assert conflicts.keep_only(frozenset({OTHER}))
    assert conflicts.open.keys() == {OTHER}
    assert not conflicts.keep_only(frozenset({OTHER}))


def test_of_a_flood_one_claim_in_a_tenth_of_a_second_gets_through() -> None:
    sieve = ClaimThrottle()
    flood = [claim(START + i / 1000) for i in range(1000)]
    passed = [found for found in flood if sieve.passes(found)]
    assert len(passed) == round(1 / PASS_EVERY_S)
    assert sieve.held_back == 990


def test_a_flood_about_one_address_does_not_hide_another() -> None:
    sieve = ClaimThrottle()
    assert sieve.passes(claim())
    assert sieve.passes(claim(address=OTHER))


def test_an_address_that_comes_back_is_heard_at_once() -> None:
    sieve = ClaimThrottle()
    sieve.passes(claim())
    sieve.keep_only(frozenset({OTHER}))
    assert sieve.passes(claim())
