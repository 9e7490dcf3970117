"""When a question was delivered to a machine, and when that machine answered. Pure.

The observer sees when it asked and when answers came. On a busy machine a frame may wait for
milliseconds on its way to a node, so who has answered what is told by what passes the node's own
card (`recorder`). Addresses and askers are numbered as the observer numbers them.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

DELIVERED, ANSWERED = 0, 1
MOST_KEPT: Final = 200_000
"""Frames: 20 seconds and more, when a hundred addresses are asked for every 20 ms."""

SLACK: Final = 0.002
"""Clocks are read one after the other: a frame may seem to come so much before it was sent."""


class Passing(NamedTuple):
    """A question that came in, or an answer that went out."""

    time: float
    kind: int
    number: int
    """The address's."""
    asker: int


class Wish(NamedTuple):
    """The answers to one question: of this address, to this asker, within this time."""

    number: int
    asker: int
    since: float
    until: float


@dataclass(slots=True)
class Recording:
    """The last frames that passed."""

    _passed: deque[Passing] = field(default_factory=lambda: deque(maxlen=MOST_KEPT))

    def note(self, passing: Passing) -> None:
        """One has."""
        self._passed.append(passing)

    def found(self, wishes: Iterable[Wish]) -> list[list[float | None]]:
        """Of each wish `[when the question was delivered, when it was answered]`."""
        by_asker: dict[tuple[int, int], list[Passing]] = {}
        for passing in self._passed:
            by_asker.setdefault((passing.number, passing.asker), []).append(passing)
        return [self._times(wish, by_asker) for wish in wishes]

    @staticmethod
    def _times(wish: Wish, by_asker: dict[tuple[int, int], list[Passing]]) -> list[float | None]:
        times: list[float | None] = [None, None]
        for passing in by_asker.get((wish.number, wish.asker), ()):
            is_near = wish.since - SLACK <= passing.time <= wish.until + SLACK
            if is_near and times[passing.kind] is None:
                times[passing.kind] = passing.time
        return times


def wishes(doubles: Iterable[Any]) -> list[Wish]:
    """What recorders are asked for, of the doubles as the observer tells of them."""
    return [Wish(number, sample % 2, asked, heard) for number, sample, asked, heard, *_ in doubles]
