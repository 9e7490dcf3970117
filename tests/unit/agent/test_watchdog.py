"""When the watchdog is fed, and when it mutes everything."""

import pytest

from duravip_agent import clock
from duravip_agent.core.watchdog_rule import DEFAULTS, LeaderContact, Timeouts
from duravip_agent.kernel.watchdog import Watchdog
from duravip_agent.metrics import Metrics


class CountingSocket:
    """Counts."""

    def __init__(self) -> None:
        self.refreshes = self.mutes = 0

    def feed(self) -> None:
        self.refreshes += 1

    def mute(self) -> None:
        self.mutes += 1


@pytest.fixture
def socket_() -> CountingSocket:
    return CountingSocket()


def watchdog_of(
    socket_: CountingSocket, lapses: list[bool], limits: Timeouts = DEFAULTS
) -> Watchdog:
    return Watchdog(socket_, limits, Metrics("1"), lambda: lapses.append(True))  # type: ignore[arg-type]


def test_the_heart_refreshes_only_what_the_loop_has_begun(socket_: CountingSocket) -> None:
    lapses: list[bool] = []
    line = watchdog_of(socket_, lapses)
    line.feed(None)
    assert socket_.refreshes == 0
    assert line.begin(clock.now() + 1)
    line.feed(None)
    assert (socket_.refreshes, socket_.mutes, lapses) == (2, 0, [])


def test_what_would_begin_too_late_does_not_begin(socket_: CountingSocket) -> None:
    line = watchdog_of(socket_, [])
    assert not line.begin(clock.now() - 1)
    assert (socket_.refreshes, line.fed_at) == (0, None)


def test_a_late_refresh_mutes_everything_and_wakes_the_loop(socket_: CountingSocket) -> None:
    lapses: list[bool] = []
    line = watchdog_of(socket_, lapses)
    line.begin(clock.now() + 1)
    line.fed_at = clock.now() - 1
    line.feed(None)
    assert (socket_.refreshes, socket_.mutes, lapses) == (1, 1, [True])
    assert line.fed_at is None


def test_a_loop_that_does_not_come_round_is_not_kept_alive(socket_: CountingSocket) -> None:
    line = watchdog_of(socket_, [], Timeouts(progress=-1.0))
    line.begin(clock.now() + 1)
    line.feed(None)
    assert socket_.refreshes == 1


def test_strictly_fenced_addresses_need_contact(socket_: CountingSocket) -> None:
    line = watchdog_of(socket_, [])
    line.begin(clock.now() + 1)
    line.has_strict = True
    line.feed(LeaderContact(clock.now(), 1, 1))
    assert line.fed_at is not None
    line.feed(LeaderContact(clock.now() - 2.6, 1, 1))
    assert line.fed_at is None
