"""When the watchdog may be fed, and when everything is muted."""

from dataclasses import replace

from duravip_agent.core.watchdog_rule import (
    LeaderContact,
    Timeouts,
    WatchdogState,
    is_late,
    may_feed,
)

NOW = 100.0


LIMITS = Timeouts(watchdog=0.5, contact=0.3, strict_hold=3.0, progress=0.4)


LEASH = WatchdogState(fed_at=NOW - 0.1, progress=NOW - 0.1, timeouts=LIMITS)


def test_a_living_agent_may_refresh_whatever_the_operator_does() -> None:
    assert may_feed(LEASH, NOW)


def test_a_hung_loop_is_not_kept_alive() -> None:
    hung = replace(LEASH, progress=NOW - 0.41)
    assert not may_feed(hung, NOW)
    assert not is_late(hung, NOW), "it may come round again before the dead-man's time is over"


def test_a_refresh_is_late_when_the_kernel_may_have_muted_meanwhile() -> None:
    assert not is_late(LEASH, NOW + 0.36)
    assert is_late(LEASH, NOW + 0.38)
    assert is_late(replace(LEASH, fed_at=None), NOW)


def test_strict_addresses_are_not_kept_audible_beyond_what_the_operator_counts_on() -> None:
    strict = replace(LEASH, has_strict=True, contact=LeaderContact(NOW - 2.4, 3, 7))
    assert may_feed(strict, NOW)
    assert is_late(strict, NOW + 0.11)
    assert is_late(replace(strict, contact=None), NOW)
