"""How often a verb looks at what it waits for."""

import argparse
import time
from unittest.mock import Mock

import pytest

from duravip_cli.context import PAUSE_PER_LOOK, POLL_EVERY_S, Context, wait_for

SLOW_S = POLL_EVERY_S


class Clock:
    """Goes on only by what is slept and by how long a look takes."""

    def __init__(self, look_s: float) -> None:
        self.now, self.looks, self._look_s = 1000.0, 0, look_s
        self.pauses: list[float] = []

    def look(self) -> None:
        self.now += self._look_s
        self.looks += 1

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.pauses.append(seconds)


@pytest.mark.parametrize(
    ("look_s", "pause_s"), [(0.01, POLL_EVERY_S), (SLOW_S, PAUSE_PER_LOOK * SLOW_S)]
)
def test_the_longer_a_look_takes_the_longer_is_the_pause(
    monkeypatch: pytest.MonkeyPatch, look_s: float, pause_s: float
) -> None:
    clock = Clock(look_s)
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    context = Context(argparse.Namespace(timeout=10.0), Mock(), Mock(), clock.sleep, Mock())
    assert wait_for(context, clock.look) is None
    assert clock.pauses[:-1] == pytest.approx([pause_s] * (clock.looks - 2))
    assert clock.now == pytest.approx(1010.0, abs=look_s)
