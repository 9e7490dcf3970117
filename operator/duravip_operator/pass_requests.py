"""When the reconcile loop makes its next pass.

What others wait for asks for a pass at once: a node that fell silent, a hand-over that can go on,
a new leader, a label of a Node. What comes by the thousand and can wait, edits of addresses and
what nodes say that they have taken, is collected while the loop rests. It rests after each pass
for REST times as long as that took: an edit alone is answered at once, and thousands of them cost
a fifth of a processor, and not a write of every NodePlumbing for each few.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from duravip_runtime.gc_tuning import IDLE_S

REST: Final = 4.0
MAX_REST_S: Final = 1.0


class PassRequests:
    """Who asks for a pass, and who waits for that. All in the asyncio thread."""

    def __init__(self) -> None:
        self._urgent, self._edits = asyncio.Event(), asyncio.Event()
        self._rested_at = 0.0

    def at_once(self) -> None:
        """Something changed that others wait for: make a pass now."""
        self._urgent.set()

    def soon(self) -> None:
        """Something changed: make a pass once the loop has rested."""
        self._edits.set()

    def clear(self) -> None:
        """A pass begins, which sees all that has changed until now."""
        self._urgent.clear()
        self._edits.clear()

    def rest_after(self, seconds: float) -> None:
        """A pass has ended that took so long."""
        self._rested_at = _now() + min(MAX_REST_S, REST * seconds)

    async def wait(self, stop: asyncio.Event, on_idle: Callable[[], None], most: float) -> None:
        """Return when a pass is due, when `stop` is set, or after `most` seconds.

        `on_idle` is called when nobody has asked for anything for a while.
        """
        all_three = (self._urgent, self._edits, stop)
        if not await _is_set_within(IDLE_S, *all_three):
            on_idle()
            await _is_set_within(most - IDLE_S, *all_three)
        if self._edits.is_set():
            await _is_set_within(self._rested_at - _now(), self._urgent, stop)


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _is_set_within(seconds: float, *events: asyncio.Event) -> bool:
    """Whether one of the events is set, once that is so or the time is over."""
    if seconds <= 0:
        return any(event.is_set() for event in events)
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    done, _ = await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    return bool(done)
