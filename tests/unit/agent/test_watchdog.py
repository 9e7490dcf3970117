"""When the watchdog is fed, and when it mutes everything."""

import pytest

from duravip_agent import clock
from duravip_agent.core.watchdog_rule import DEFAULTS, LeaderContact, Timeouts
from duravip_agent.kernel.watchdog import Watchdog
from duravip_agent.metrics import Metrics


class DeadMan:
    """Counts."""

    def __init__(self) -> None:
        self.refreshes = self.mutes = 0

    def feed(self) -> None:
        self.refreshes += 1

    def mute(self) -> None:
        self.mutes += 1


@pytest.fixture
def dead_man() -> DeadMan:
    return DeadMan()


def lifeline(dead_man: DeadMan, lapses: list[bool], limits: Timeouts = DEFAULTS) -> Watchdog:
    return Watchdog(dead_man, limits, Metrics("1"), lambda: lapses.append(True))  # type: ignore[arg-type]


def test_the_heart_refreshes_only_what_the_loop_has_begun(dead_man: DeadMan) -> None:
    lapses: list[bool] = []
    line = lifeline(dead_man, lapses)
    line.feed(None)
    assert dead_man.refreshes == 0
    assert line.begin(clock.now() + 1)
    line.feed(None)
    assert (dead_man.refreshes, dead_man.mutes, lapses) == (2, 0, [])


def test_what_would_begin_too_late_does_not_begin(dead_man: DeadMan) -> None:
    line = lifeline(dead_man, [])
    assert not line.begin(clock.now() - 1)
    assert (dead_man.refreshes, line.fed_at) == (0, None)


def test_a_late_refresh_mutes_everything_and_wakes_the_loop(dead_man: DeadMan) -> None:
    lapses: list[bool] = []
    line = lifeline(dead_man, lapses)
    line.begin(clock.now() + 1)
    line.fed_at = clock.now() - 1
    line.feed(None)
    assert (dead_man.refreshes, dead_man.mutes, lapses) == (1, 1, [True])
    assert line.fed_at is None


def test_a_loop_that_does_not_come_round_is_not_kept_alive(dead_man: DeadMan) -> None:
    line = lifeline(dead_man, [], Timeouts(progress=-1.0))
    line.begin(clock.now() + 1)
    line.feed(None)
    assert dead_man.refreshes == 1


def test_strictly_fenced_addresses_need_contact(dead_man: DeadMan) -> None:
    line = lifeline(dead_man, [])
    line.begin(clock.now() + 1)
    line.has_strict = True
    line.feed(LeaderContact(clock.now(), 1, 1))
    assert line.fed_at is not None
    line.feed(LeaderContact(clock.now() - 2.6, 1, 1))
    assert line.fed_at is None
