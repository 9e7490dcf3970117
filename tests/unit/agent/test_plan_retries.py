"""When an address may be added again."""

from duravip_agent.core.plan import LASTING_S, PROMPT_TRIES, UNDONE, RetrySchedule

VIP = "10.1.1.1"


def test_an_address_that_keeps_vanishing_is_repaired_at_once_and_then_ever_more_slowly() -> None:
    retries = RetrySchedule()
    now = 0.0
    waits = []
    for _ in range(PROMPT_TRIES + 4):
        retries.tried([VIP], now)
        due = retries.next_due(now)
        waits.append(0.0 if due is None else round(due - now, 3))
        now = due or now
    assert waits == [0, 0, 0.1, 0.2, 0.4, 0.8, 1.6]
    retries.tried([VIP], now)
    assert retries.held_back(now) == {VIP: UNDONE}


def test_a_refused_address_always_waits_a_little() -> None:
    retries = RetrySchedule()
    retries.tried([VIP], 5.0)
    retries.refused(VIP, "no such device")
    assert retries.held_back(5.0) == {VIP: "no such device"}
    assert retries.next_due(5.0) == 5.1
    assert retries.held_back(5.2) == {}


def test_what_has_lasted_starts_anew() -> None:
    retries = RetrySchedule()
    for _ in range(10):
        retries.tried([VIP], 0.0)
    later = 100.0 + LASTING_S
    retries.tried([VIP], later)
    assert retries.held_back(later) == {}


def test_what_is_no_longer_wanted_is_forgotten() -> None:
    retries = RetrySchedule()
    retries.tried([VIP], 0.0)
    retries.refused(VIP, "no")
    retries.forget([], 0.0)
    assert retries.held_back(0.0) == {}
