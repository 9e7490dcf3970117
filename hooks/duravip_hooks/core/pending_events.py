"""Which event the hooks are notified of next.

Hooks were notified that some addresses are here (`notified`), and some are (`served`). What
differs is pending, and nothing else: an address that has come and gone while other hooks ran is no
event any more. So there are never more events than addresses, however fast they come and go.

Losses come first, then gains, each in the order of the addresses. An address that is on another
interface is lost there, and gained here. Hooks are notified of these once: a hook that fails would
hear of a past moment, were it notified again.

When nothing of that is left, *settled* follows: everything is as it was said last. It is due after
every change, also after one that has cancelled itself out, and once at the start. Those of its
hooks that fail are notified again, with a growing pause, until they succeed, or until something
changes and all of them are notified again.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from duravip_api.addresses import to_int

FIRST_RETRY_S: Final = 1.0
MAX_RETRY_S: Final = 60.0


class EventKind(StrEnum):
    """What a hook's first argument is."""

    GAINED = "gained"
    LOST = "lost"
    SETTLED = "settled"


class HookEvent(NamedTuple):
    """What hooks are notified of."""

    kind: EventKind
    address: str = ""
    interface: str = ""
    only: frozenset[str] = frozenset()
    """Of *settled*: the hooks that have failed; empty: all of them."""


class PendingEvents:
    """Times are seconds of any steady clock."""

    def __init__(self) -> None:
        self._served: Mapping[str, str] = {}
        self._notified: dict[str, str] = {}
        self._losses: deque[HookEvent] = deque()
        self._gains: deque[HookEvent] = deque()
        self._is_settled = True
        """Nothing is due before it was said for the first time what is served."""
        self._failed: frozenset[str] = frozenset()
        self._retry_s = FIRST_RETRY_S
        self._settled_due = float("-inf")

    def change(self, served: Mapping[str, str]) -> None:
        """Something has changed: these addresses are served now, each on this interface."""
        self._served = dict(served)
        notified = self._notified
        lost = [a for a, where in notified.items() if served.get(a) != where]
        gained = [a for a, where in served.items() if notified.get(a) != where]
        self._losses = deque(HookEvent(EventKind.LOST, a, notified[a]) for a in _in_order(lost))
        self._gains = deque(HookEvent(EventKind.GAINED, a, served[a]) for a in _in_order(gained))
        self._is_settled, self._failed = False, frozenset()
        self._retry_s, self._settled_due = FIRST_RETRY_S, float("-inf")

    def next(self, now: float) -> HookEvent | None:
        """What to notify of now, if anything; for an address that counts as done from here on."""
        if self._losses:
            event = self._losses.popleft()
            del self._notified[event.address]
            return event
        if self._gains:
            event = self._gains.popleft()
            self._notified[event.address] = event.interface
            return event
        if self._is_settled or now < self._settled_due:
            return None
        return HookEvent(EventKind.SETTLED, only=self._failed)

    def settled(self, failed: frozenset[str], now: float) -> None:
        """Hooks were notified of *settled*, and these have failed."""
        self._failed, self._is_settled = failed, not failed
        if failed:
            self._settled_due = now + self._retry_s
            self._retry_s = min(2 * self._retry_s, MAX_RETRY_S)

    def wait_s(self, now: float) -> float | None:
        """How long nothing is due unless something changes; None: for ever."""
        if self._losses or self._gains:
            return 0.0
        return None if self._is_settled else max(0.0, self._settled_due - now)

    @property
    def served(self) -> list[str]:
        """Everything that is served now, in order: what *settled* says."""
        return _in_order(self._served)


def _in_order(addresses: Iterable[str]) -> list[str]:
    return sorted(addresses, key=to_int)
