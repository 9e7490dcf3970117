"""Where each rule of the agent ends: at the very moment, and not one later."""

from dataclasses import replace

from duravip_agent.core import fencing, watchdog_rule
from duravip_agent.core.fencing import Facts, InterfaceShare, ProbeAnswer
from duravip_agent.core.watchdog_rule import LeaderContact, Timeouts, WatchdogState

LIMITS = Timeouts(watchdog=0.5, contact=0.25, strict_hold=3.0, progress=0.4)
A, ETH1 = "10.1.1.1", frozenset({"eth1"})
FACTS = Facts(
    now=0.125, epoch=2, generation=7, contact=LeaderContact(0.0, 2, 7), fed_at=0.0, links=ETH1,
    timeouts=LIMITS,
)  # fmt: skip
STRICT = InterfaceShare("eth1", free=frozenset({A}), is_strict=True)


def named(epoch: int, generation: int) -> Facts:
    """The leader names another spec than the one that was read."""
    return replace(FACTS, contact=LeaderContact(0.0, epoch, generation))


def test_the_dead_man_is_not_refreshed_once_it_may_have_struck() -> None:
    end = LIMITS.watchdog - watchdog_rule.KERNEL_EARLY_S
    leash = WatchdogState(fed_at=0.0, progress=end, timeouts=LIMITS)
    assert watchdog_rule.may_feed(leash, end - 0.01)
    assert not watchdog_rule.may_feed(leash, end)
    assert watchdog_rule.has_expired(0.0, end, LIMITS)


def test_a_loop_that_hangs_is_not_kept_alive() -> None:
    leash = WatchdogState(fed_at=0.3, progress=0.0, timeouts=LIMITS)
    assert not watchdog_rule.may_feed(leash, LIMITS.progress)


def test_a_strict_hold_ends_in_time_for_the_dead_man() -> None:
    end = watchdog_rule.strict_hold_end(FACTS.contact, LIMITS)
    leash = WatchdogState(end, end, FACTS.contact, has_strict=True, timeouts=LIMITS)
    assert watchdog_rule.is_late(leash, end)
    assert not watchdog_rule.is_late(leash, end - 0.01)


def test_contact_ends_at_once() -> None:
    end = fencing.contact_end(FACTS)
    assert fencing.is_in_contact(FACTS)
    assert not fencing.is_in_contact(replace(FACTS, now=end))


def test_contact_is_to_come_only_for_a_spec_that_the_leader_will_name() -> None:
    assert fencing.is_contact_imminent(named(2, 6))
    assert not fencing.is_contact_imminent(named(2, 8))
    assert not fencing.is_contact_imminent(named(1, 7))
    assert not fencing.is_contact_imminent(replace(named(2, 6), now=fencing.contact_end(FACTS)))


def test_only_a_later_generation_is_read_again() -> None:
    assert fencing.is_outdated(named(2, 8))
    assert not fencing.is_outdated(FACTS)


def test_silence_counts_for_a_while_and_is_asked_for_again_after_another() -> None:
    asked = replace(FACTS, probed={A: ProbeAnswer(0.0)}, now=fencing.SILENCE_VALID_S)
    assert not fencing.is_silent(A, asked)
    assert fencing.may_probe(A, replace(asked, now=fencing.PROBE_EVERY_S))


def test_who_answers_is_asked_twenty_times_a_second_and_after_two_seconds_once() -> None:
    contested, times = InterfaceShare("eth1", contested=frozenset({A})), [0.0]
    while times[-1] < 60:
        probed = {A: ProbeAnswer(times[-1], "02:00:00:00:00:01", times[0])}
        contact = LeaderContact(times[-1], 2, 7)
        asked = replace(FACTS, grants=(contested,), probed=probed, contact=contact, now=times[-1])
        times.append(fencing.decide(asked).due)
    assert sum(time < 2 for time in times) in {40, 41}
    assert sum(2 <= time < 60 for time in times) in {58, 59}


def test_what_is_granted_and_may_not_be_heard_is_judged_again_soon() -> None:
    unlinked = replace(FACTS, grants=(InterfaceShare("eth2", free=frozenset({A})),))
    assert fencing.decide(unlinked).due == FACTS.now + fencing.PROBE_EVERY_S
    assert fencing.decide(replace(FACTS, grants=(InterfaceShare("eth2"),))).due == fencing.ALWAYS


def test_an_address_is_defended_in_contact_only_and_once_in_a_while() -> None:
    ours = frozenset({A})
    claimed = replace(FACTS, claimed=ours, now=10.125, contact=LeaderContact(10.0, 2, 7))
    assert fencing.claims_to_defend(claimed, ours) == ours
    assert not fencing.claims_to_defend(replace(claimed, contact=None), ours)
    at = claimed.now - fencing.DEFEND_EVERY_S
    assert fencing.claims_to_defend(replace(claimed, defended={A: at}), ours) == ours


def test_a_former_leader_holds_nothing_strict() -> None:
    assert fencing.strict_end(named(1, 7)) == watchdog_rule.NEVER
    held = replace(FACTS, now=fencing.strict_end(FACTS))
    assert not fencing.is_within_hold(STRICT, held)
    assert fencing.is_within_hold(STRICT, FACTS)


def test_the_dead_man_is_told_of_strict_addresses_with_the_verdict_that_arms_them() -> None:
    verdict = fencing.decide(replace(FACTS, grants=(STRICT,)))
    assert (verdict.activate, verdict.has_strict) == (frozenset({A}), True)
