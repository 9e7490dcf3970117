"""Thousands of addresses: how long they take, and that silence comes before the call returns."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import cycle
from statistics import median
from threading import Event, Thread
from typing import NamedTuple

import pytest

from duravip_agent.kernel.fence import Fence
from duravip_agent.kernel.watchdog import WatchdogSocket
from duravip_api.addresses import from_int
from netns.fenced import CLIENT, World, world
from netns.fenced_asking import ARP, Ear, question

GENEROUS = 2.0
"""A busy machine is no failure; what it takes at rest is printed."""

RUNS = 5


def bulk(count: int) -> list[str]:
    """Addresses of 10.1.64.0/18."""
    return [from_int(4, (10 << 24) + (1 << 16) + (64 << 8) + i) for i in range(count)]


@pytest.fixture
def made() -> Iterator[World]:
    with world() as found, found.node.entered():
        yield found


@pytest.fixture
def fence(made: World) -> Iterator[Fence]:
    assert made
    found = Fence()
    found.build(["eth1"], watchdog_timeout=10)
    yield found
    found.close()


@pytest.mark.parametrize("count", [1, 1000, 3413, 10240])
def test_thousands_are_taken_and_released_at_once(fence: Fence, count: int) -> None:
    addresses = bulk(count)
    taken, released, forgotten = [], [], []
    for _ in range(RUNS):
        taken.append(seconds_of(lambda: fence.activate(addresses)))
        assert len(fence.active) == count
        released.append(seconds_of(lambda: fence.deactivate(addresses)))
        forgotten.append(seconds_of(lambda: fence.unwatch(addresses)))
    assert fence.is_intact()
    first, *_ = taken
    print(
        f"{count}: take {first * 1000:.1f} ms the first time, then {median(taken) * 1000:.1f}; "
        f"release {median(released) * 1000:.1f}; forget {median(forgotten) * 1000:.1f}"
    )
    assert max(*taken, *released, *forgotten) < GENEROUS


def test_a_refresh_costs_microseconds(fence: Fence) -> None:
    dead_man = WatchdogSocket()
    times = sorted(seconds_of(dead_man.feed) for _ in range(2000))
    print(f"refresh: {times[1000] * 1e6:.1f} us, 99 of 100 within {times[1980] * 1e6:.1f}")
    assert times[1000] < 0.001
    assert fence.is_fed()
    assert dead_man.refused == 0
    dead_man.close()


def test_what_is_released_is_silent_when_the_call_returns(made: World, fence: Fence) -> None:
    addresses = bulk(3413)
    made.plumb(*addresses)
    fence.activate(addresses)
    with closing(WatchdogSocket()) as dead_man, closing(Ear(made.client, ARP)) as ear:
        dead_man.feed()
        assert all(ear.asks(address, CLIENT) for address in addresses)
        with asking(ear, addresses) as exchanges:
            time.sleep(0.3)
            fence.deactivate(addresses)
            released = time.monotonic()
            time.sleep(0.3)
    heard = [exchange for exchange in exchanges if exchange.answered]
    last = max(exchange.answered for exchange in heard)
    print(f"the last of {len(heard)} answers came {(released - last) * 1000:.1f} ms before")
    assert exchanges[-1].asked > released + 0.2
    assert not [exchange for exchange in heard if exchange.asked >= released]


class Exchange(NamedTuple):
    """A question, and its answer."""

    asked: float
    answered: float
    """0 = not at all."""


@contextmanager
def asking(ear: Ear, addresses: Sequence[str]) -> Iterator[list[Exchange]]:
    """Let the client ask for one address after the other, all the time."""
    exchanges: list[Exchange] = []
    over = Event()

    def ask() -> None:
        for address in cycle(addresses):
            if over.is_set():
                return
            asked = time.monotonic()
            ear.sock.send(question(address, CLIENT))
            is_answered = ear.hears(address, patience=0.001)
            exchanges.append(Exchange(asked, time.monotonic() if is_answered else 0.0))

    thread = Thread(target=ask)
    thread.start()
    try:
        yield exchanges
    finally:
        over.set()
        thread.join()


def seconds_of(call: Callable[[], object]) -> float:
    """How long a call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started
