"""Collects garbage when nobody waits for anything.

A full collection looks at every object of a program. With ten thousand addresses that takes an
operator a third of a second, and Python begins one when many objects are new: amid a fail-over.
So what has stayed is set aside in quiet moments, and only what is new is looked at in others.

What the API server tells of thousands of addresses takes megabytes for a moment, and the C library
keeps what was given back to it: it goes back to the kernel at the same time.
"""

import ctypes
import gc
import time
from typing import Any, Final

YOUNG_THRESHOLD: Final = 20_000
"""So many more objects than before make Python look at those that are new."""
OLD_THRESHOLD: Final = 1000
"""And so many times that often at all of them: only if there is never a quiet moment."""

IDLE_S: Final = 1.0
"""So long, in seconds, nothing has happened when it is quiet."""
FULL_EVERY_S: Final = 900.0
"""What was set aside and has become garbage since, in cycles, is found after so many seconds."""


class GcTuning:
    """One for a program, which calls `collect_when_idle` in quiet moments."""

    def __init__(self) -> None:
        gc.set_threshold(YOUNG_THRESHOLD, 10, OLD_THRESHOLD)
        self._full_due = 0.0
        self._trim: Any = getattr(ctypes.CDLL(None), "malloc_trim", None)  # not in every C library

    def collect_when_idle(self) -> None:
        """Find what is garbage now, and set the rest aside."""
        now = time.monotonic()
        if now >= self._full_due:
            self._full_due = now + FULL_EVERY_S
            gc.unfreeze()
            gc.collect()
        else:
            gc.collect(1)
        gc.freeze()
        if self._trim:
            self._trim(0)
