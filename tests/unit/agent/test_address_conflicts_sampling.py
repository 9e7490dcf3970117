"""Which addresses an agent asks about while all is well: all in their turn, and not too many."""

from duravip_agent.core.address_conflicts import (
    MAX_SAMPLED,
    SAMPLE_ALL_WITHIN_S,
    SAMPLE_CLAIMED_AFTER_S,
    SAMPLE_EVERY_S,
    Conflict,
    Sampler,
)

TIMES = round(SAMPLE_ALL_WITHIN_S / SAMPLE_EVERY_S)


def addresses(number: int) -> frozenset[str]:
    return frozenset(f"10.1.{n // 256}.{n % 256}" for n in range(number))


def asked(sampler: Sampler, rounds: int) -> list[str]:
    found: list[str] = []
    for number in range(rounds):
        few = sampler.due(number * SAMPLE_EVERY_S, {}).get("eth1", ())
        assert len(few) <= MAX_SAMPLED
        found += few
    return found


def test_each_of_a_few_is_asked_about_once_in_a_round() -> None:
    for number in (1, 3, 10, 11, 100, 320):
        sampler = Sampler()
        sampler.set_held({"eth1": addresses(number)})
        for _ in range(3):
            assert sorted(asked(sampler, TIMES)) == sorted(addresses(number))


def test_of_thousands_no_more_than_the_budget_are_asked_about_and_all_in_the_end() -> None:
    sampler = Sampler()
    sampler.set_held({"eth1": addresses(3413)})
    assert len(asked(sampler, TIMES)) == MAX_SAMPLED * TIMES
    assert set(asked(sampler, 3413 // MAX_SAMPLED + 1)) == addresses(3413)


def test_nothing_is_asked_about_that_is_not_held() -> None:
    sampler = Sampler()
    assert sampler.due(0, {}) == {}
    sampler.set_held({"eth1": addresses(1)})
    sampler.set_held({"eth1": frozenset()})
    assert asked(sampler, TIMES) == []


def test_what_is_held_anew_is_asked_about_and_what_is_not_any_more_is_not() -> None:
    sampler = Sampler()
    sampler.set_held({"eth1": addresses(20)})
    asked(sampler, 3)
    sampler.set_held({"eth1": addresses(10)})
    assert sorted(asked(sampler, TIMES)) == sorted(addresses(10))


def test_what_somebody_claims_is_asked_about_again_before_that_seems_over() -> None:
    sampler, last = Sampler(), 100.0
    everything = addresses(1000)
    sampler.set_held({"eth1": everything})
    late = max(everything)
    conflict = Conflict("eth1", "02:00:00:00:00:09", last, last)
    assert late not in sampler.due(last + SAMPLE_CLAIMED_AFTER_S - 1, {late: conflict})["eth1"]
    assert late in sampler.due(last + SAMPLE_CLAIMED_AFTER_S, {late: conflict})["eth1"]
