"""Whether a part of the program that is started again when it ends stays up.

A part that ends once a second for ever looks well from outside: something runs at every moment.
So readiness asks here.
"""

import time
from collections import deque
from collections.abc import Callable
from typing import Final

REMEMBERED_S: Final = 90.0
"""So long an end counts."""
TOLERATED: Final = 1
"""So many ends within that time are an accident."""
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 30.0


class Restarts:
    """The ends of one part. From any thread."""

    def __init__(self, part: str, clock: Callable[[], float] = time.monotonic) -> None:
        """`part` begins a sentence, e.g. `kopf`."""
        self._part = part
        self._clock = clock
        self._ends: deque[tuple[float, str]] = deque(maxlen=100)

    def ended(self, why: str) -> float:
        """The part has ended; the seconds to wait before it is started again."""
        self._ends.append((self._clock(), why))
        recent = len(self._recent())
        return min(FIRST_PAUSE_S * 2.0 ** (recent - 1), LONGEST_PAUSE_S)

    def problem(self) -> str:
        """What is wrong; empty: the part stays up."""
        recent = self._recent()
        if len(recent) <= TOLERATED:
            return ""
        times = f"{len(recent)} times within {REMEMBERED_S:g} s"
        return f"{self._part} has ended {times}, at last: {recent[-1]}"

    def _recent(self) -> list[str]:
        since = self._clock() - REMEMBERED_S
        return [why for when, why in list(self._ends) if when > since]
