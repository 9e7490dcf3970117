"""Keeps a replica that does not lead out of the way of a fail-over.

What is written then, it has to read too: thousands of addresses for each node. It does so when
that is over, since until then those who take the addresses need the processors. A replica that
comes to lead finds out what it has not read yet: its first writes are conditional on it.
"""

import time
from collections.abc import Callable
from threading import Event
from typing import Final

LATE: Final = 0.5
"""How long it waits, in seconds."""
EVERY: Final = 2.0
"""So long it then reads whatever comes."""


class Standby:
    """For the threads of watches, which it stops."""

    def __init__(
        self,
        is_leading: Callable[[], bool],
        stopping: Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._is_leading, self._stopping, self._clock = is_leading, stopping, clock
        self._ready_until = 0.0

    def stand_back(self) -> None:
        """Wait before something is read, unless this replica leads or has waited just now."""
        if not self._is_leading() and self._clock() >= self._ready_until:
            self._stopping.wait(LATE)
            self._ready_until = self._clock() + EVERY
