"""When mail that waits is tried again although its route is still true.

Postfix itself tries again after five minutes at the earliest. Two things are known sooner here:
that somebody answers at an address for which mail waits, and that an address has come here.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final

FIRST_PAUSE_S: Final = 5.0
LONGEST_PAUSE_S: Final = 300.0
AFTER_GAIN_S: Final = (0.0, 5.0, 20.0, 60.0)
"""The first connection from a new address may come too early for the neighbour caches of the
segment, and Postfix would then set its destination aside for minutes."""
GRACE_S: Final = 1.0
"""An address that is back so soon, after a lapse of the agent, costs no rewriting of its queue."""
AFTER_NEW_NAME_S: Final = (0.0, 5.0, 20.0, 60.0, 300.0, 900.0)
"""The name of a Binding is looked up when a message begins to come in, which may take long: one
that found no such Binding may be queued only after there is one."""


class HandOverRetries:
    """Tries a route at once when somebody begins to answer there, then ever more rarely.

    Whoever answers and takes nothing does not think that it serves the address: only its own
    knowledge can change that. Once a message was taken, what waits is tried soon again.
    """

    def __init__(self) -> None:
        self._pauses: dict[str, tuple[float, float]] = {}
        """By route: the pause in seconds, and when it ends."""

    def due(self, answering: AbstractSet[str], now: float) -> frozenset[str]:
        """The routes to try now, of those for which mail waits and at which somebody answers."""
        self._pauses = {r: pause for r, pause in self._pauses.items() if r in answering}
        again = frozenset(r for r in answering if now >= self._pauses.get(r, (0.0, now))[1])
        for route in again:
            last, _ = self._pauses.get(route, (0.0, now))
            pause = min(max(2 * last, FIRST_PAUSE_S), LONGEST_PAUSE_S)
            self._pauses[route] = (pause, now + pause)
        return again

    def note_taken(self, route: str) -> None:
        """A message was taken there: the next one that waits is as likely to be."""
        self._pauses.pop(route, None)


class Departures:
    """Remembers since when routes for which mail waits are not true any more."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def due(self, untrue: AbstractSet[str], now: float) -> frozenset[str]:
        """Of the routes that are untrue now, those that have been for long enough."""
        self._since = {route: self._since.get(route, now) for route in untrue}
        return frozenset(r for r, since in self._since.items() if now - since >= GRACE_S)


class Arrivals:
    """Remembers what has come lately: addresses to this node, or names of Bindings."""

    def __init__(self, after: Sequence[float], *, first_counts: bool = False) -> None:
        """`after` are seconds since it came; `first_counts`: what is there at first comes too."""
        self._after = tuple(after)
        self._there: frozenset[str] | None = frozenset() if first_counts else None
        self._due: list[tuple[float, str]] = []

    def due(
        self, there: frozenset[str], now: float, again: frozenset[str] = frozenset()
    ) -> frozenset[str]:
        """What came, is still there, and is to be acted upon now.

        `again` came although it was there at the last look: it had gone in between.
        """
        come = (there - self._there) | (again & there) if self._there is not None else frozenset()
        self._there = there
        self._due += [(now + after, one) for one in come for after in self._after]
        again = frozenset(one for when, one in self._due if when <= now and one in there)
        self._due = [(when, one) for when, one in self._due if when > now and one in there]
        return again
