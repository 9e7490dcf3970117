"""Which event hooks are told of next, whatever comes while they run."""

from hypothesis import given
from hypothesis import strategies as st

from duravip_hooks.core.pending_events import (
    FIRST_RETRY_S,
    MAX_RETRY_S,
    EventKind,
    HookEvent,
    PendingEvents,
)

A, B, C, SIX = "10.1.1.1", "10.1.1.2", "10.1.1.10", "fd00::1"
SETTLED = HookEvent(EventKind.SETTLED)


def gained(address: str, interface: str = "eth1") -> HookEvent:
    return HookEvent(EventKind.GAINED, address, interface)


def lost(address: str, interface: str = "eth1") -> HookEvent:
    return HookEvent(EventKind.LOST, address, interface)


def on(*addresses: str, interface: str = "eth1") -> dict[str, str]:
    return dict.fromkeys(addresses, interface)


def told_all(pending: PendingEvents, now: float = 0.0) -> list[HookEvent]:
    """What is told until nothing is left; all hooks succeed."""
    told = []
    while event := pending.next(now):
        told.append(event)
        if event.kind is EventKind.SETTLED:
            pending.settled(frozenset(), now)
    return told


def test_before_anything_is_known_nothing_is_told() -> None:
    pending = PendingEvents()
    assert pending.next(0.0) is None
    assert pending.wait_s(0.0) is None


def test_at_the_start_all_is_gained_in_order_and_then_settled() -> None:
    pending = PendingEvents()
    pending.change(on(SIX, C, B, A))
    assert pending.served == [A, B, C, SIX]
    assert told_all(pending) == [gained(A), gained(B), gained(C), gained(SIX), SETTLED]
    assert pending.wait_s(0.0) is None


def test_a_node_that_serves_nothing_is_settled_too() -> None:
    pending = PendingEvents()
    pending.change({})
    assert told_all(pending) == [SETTLED]


def test_losses_are_told_before_gains() -> None:
    pending = PendingEvents()
    pending.change(on(A, B))
    told_all(pending)
    pending.change(on(A, C))
    assert told_all(pending) == [lost(B), gained(C), SETTLED]


def test_on_another_interface_it_is_lost_and_gained() -> None:
    pending = PendingEvents()
    pending.change(on(A))
    told_all(pending)
    pending.change(on(A, interface="eth2"))
    assert told_all(pending) == [lost(A), gained(A, "eth2"), SETTLED]


def test_what_came_and_went_while_others_ran_is_no_event_but_settled_is_told() -> None:
    pending = PendingEvents()
    pending.change(on(A))
    told_all(pending)
    pending.change(on(A, B))
    pending.change(on(A))
    assert told_all(pending) == [SETTLED]


def test_a_change_amid_the_events_counts_from_the_next_one() -> None:
    pending = PendingEvents()
    pending.change(on(A, B, C))
    assert pending.next(0.0) == gained(A)
    pending.change(on(C))
    assert told_all(pending) == [lost(A), gained(C), SETTLED]


def test_hooks_that_fail_are_told_again_ever_more_rarely() -> None:
    pending, now, pauses = PendingEvents(), 0.0, []
    pending.change({})
    assert pending.next(now) == SETTLED
    for _ in range(10):
        pending.settled(frozenset({"10.web"}), now)
        assert pending.next(now) is None
        pause = pending.wait_s(now) or 0.0
        pauses.append(pause)
        now += pause
        assert pending.next(now) == SETTLED._replace(only=frozenset({"10.web"}))
    assert pauses[0] == FIRST_RETRY_S
    assert pauses == sorted(pauses)
    assert pauses[-1] == MAX_RETRY_S
    pending.settled(frozenset(), now)
    assert pending.wait_s(now) is None


def test_after_a_change_all_hooks_are_told_at_once_and_the_pause_begins_anew() -> None:
    pending = PendingEvents()
    pending.change({})
    for now in (0.0, 100.0, 200.0):
        pending.next(now)
        pending.settled(frozenset({"10.web"}), now)
    pending.change(on(A))
    assert pending.wait_s(200.0) == 0.0
    assert pending.next(200.0) == gained(A)
    assert pending.next(200.0) == SETTLED
    pending.settled(frozenset({"10.web"}), 200.0)
    assert pending.wait_s(200.0) == FIRST_RETRY_S


served = st.dictionaries(
    st.sampled_from([A, B, C, SIX]), st.sampled_from(["eth1", "eth2"]), max_size=4
)
steps = st.lists(st.one_of(served, st.booleans(), st.just(0)), max_size=60)


@given(steps)
def test_hooks_know_in_the_end_what_is_served_and_never_hear_nonsense(
    history: list[dict[str, str] | bool | int],
) -> None:
    """A dictionary is a change; anything else tells one event, which succeeds or fails."""
    pending, now, known = PendingEvents(), 0.0, dict[str, str]()
    is_settled, current, changed = True, dict[str, str](), False
    for step in history:
        now += 0.7
        if isinstance(step, dict):
            pending.change(step)
            is_settled, current, changed = False, step, True
        elif event := pending.next(now):
            is_settled = hears(event, known, current)
            if event.kind is EventKind.SETTLED:
                pending.settled(frozenset({"10.web"} if step else ()), now)
                is_settled = not step
    for _ in range(20):
        now += MAX_RETRY_S
        if event := pending.next(now):
            is_settled = hears(event, known, current)
            if event.kind is EventKind.SETTLED:
                pending.settled(frozenset(), now)
    assert is_settled
    assert known == current
    assert pending.wait_s(now) is None
    assert changed or not known


def hears(event: HookEvent, known: dict[str, str], current: dict[str, str]) -> bool:
    """Take up an event as a hook does; whether it was *settled*."""
    if event.kind is EventKind.LOST:
        assert known.pop(event.address) == event.interface
    elif event.kind is EventKind.GAINED:
        assert event.address not in known
        known[event.address] = event.interface
    else:
        assert known == current, "it is settled when all else was told"
    return event.kind is EventKind.SETTLED
