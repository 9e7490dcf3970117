"""What happens when another host says that it has an address of ours."""

from duravip_agent.core.claims import (
    DEFEND_EVERY,
    OVER_AFTER,
    PASS_EVERY,
    Claim,
    Conflicts,
    Sieve,
)

ADDRESS, OTHER = "10.1.1.1", "10.1.1.2"
MAC, ANOTHER = "02:00:00:00:00:fe", "02:00:00:00:00:ee"
START = 1000.0


def claim(time: float = START, mac: str = MAC, address: str = ADDRESS) -> Claim:
    return Claim(address, "eth1", mac, time)


def test_in_contact_an_address_is_defended_and_reported() -> None:
    response = Conflicts().claimed([claim()], is_in_contact=True)
    assert response == (frozenset({ADDRESS}), frozenset(), True)


def test_it_is_defended_once_in_ten_seconds_whoever_claims_it() -> None:
    conflicts = Conflicts()
    conflicts.claimed([claim(), claim()], is_in_contact=True)
    again = conflicts.claimed([claim(START + DEFEND_EVERY - 1, ANOTHER)], is_in_contact=True)
    assert again.defend == frozenset()
    assert conflicts.claimed([claim(START + DEFEND_EVERY)], is_in_contact=True).defend == {ADDRESS}


def test_one_address_does_not_keep_another_from_being_defended() -> None:
    conflicts = Conflicts()
    conflicts.claimed([claim()], is_in_contact=True)
    response = conflicts.claimed([claim(address=OTHER)], is_in_contact=True)
    assert response.defend == {OTHER}


def test_out_of_contact_it_is_yielded_and_never_defended() -> None:
    conflicts = Conflicts()
    response = conflicts.claimed([claim()], is_in_contact=False)
    assert response == (frozenset(), frozenset({ADDRESS}), True)
    assert conflicts.claimed([claim(START + 1)], is_in_contact=False).mute == {ADDRESS}


def test_after_contact_is_back_it_is_defended_at_once() -> None:
    conflicts = Conflicts()
    conflicts.claimed([claim()], is_in_contact=False)
    assert conflicts.claimed([claim(START + 0.1)], is_in_contact=True).defend == {ADDRESS}


def test_a_conflict_is_news_once_and_again_with_another_mac() -> None:
    conflicts = Conflicts()
    assert conflicts.claimed([claim()], is_in_contact=True).is_news
    assert not conflicts.claimed([claim(START + 1)], is_in_contact=True).is_news
    assert conflicts.claimed([claim(START + 2, ANOTHER)], is_in_contact=True).is_news
    found = conflicts.open[ADDRESS]
    assert (found.mac, found.since, found.last) == (ANOTHER, START, START + 2)


def test_a_conflict_is_over_half_a_minute_after_the_last_claim() -> None:
    conflicts = Conflicts()
    conflicts.claimed([claim(), claim(START + 5)], is_in_contact=True)
    assert conflicts.next_due() == START + 5 + OVER_AFTER
    assert not conflicts.expire(START + 5 + OVER_AFTER - 0.1)
    assert conflicts.expire(START + 5 + OVER_AFTER)
    assert (dict(conflicts.open), conflicts.next_due()) == ({}, None)


def test_an_address_that_is_no_longer_ours_has_no_conflict() -> None:
    conflicts = Conflicts()
    conflicts.claimed([claim(), claim(address=OTHER)], is_in_contact=True)
    assert conflicts.keep_only(frozenset({OTHER}))
    assert conflicts.open.keys() == {OTHER}
    assert not conflicts.keep_only(frozenset({OTHER}))


def test_no_claims_no_response() -> None:
    assert Conflicts().claimed([], is_in_contact=False) == (frozenset(), frozenset(), False)


def test_of_a_flood_one_claim_in_a_tenth_of_a_second_gets_through() -> None:
    sieve = Sieve()
    flood = [claim(START + i / 1000) for i in range(1000)]
    passed = [found for found in flood if sieve.lets_through(found)]
    assert len(passed) == round(1 / PASS_EVERY)
    assert (sieve.passed, sieve.held_back) == (10, 990)


def test_a_flood_about_one_address_does_not_hide_another() -> None:
    sieve = Sieve()
    assert sieve.lets_through(claim())
    assert sieve.lets_through(claim(address=OTHER))


def test_an_address_that_comes_back_is_heard_at_once() -> None:
    sieve = Sieve()
    sieve.lets_through(claim())
    sieve.keep_only(frozenset({OTHER}))
    assert sieve.lets_through(claim())
