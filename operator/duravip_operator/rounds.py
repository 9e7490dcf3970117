"""When addresses may move to even out the load: now and then, and not in every pass."""

import time
from collections.abc import Callable

from duravip_operator.settings import Settings


class Rounds:
    """Tells a pass whether it is a round; one that finds no calm is not made up for."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval, self._size = settings.balance_interval, settings.balance_set_size
        self._clock = clock
        self._next = clock() + self._interval

    def due(self) -> int | None:
        """How many may move in the pass that begins now; None: it is no round."""
        now = self._clock()
        if now < self._next:
            return None
        self._next = now + self._interval
        return self._size
