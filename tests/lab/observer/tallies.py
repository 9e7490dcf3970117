"""What the observer remembers of what it hears. Pure; bounded, however long it listens.

Addresses are numbered in the order in which they were given.
"""

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

MOST_LISTED: Final = 10_000
"""So many outages and doubles are listed."""
MOST_HELD: Final = 1000
"""So many holdings of each address are listed; the last one always is."""
TIMELY: Final = 0.01
"""Seconds within which a question, or a ping, must be answered."""


class Answer(NamedTuple):
    """Somebody says that an address is his."""

    mac: str
    time: float
    frame: str = ""
    """As it came, in hexadecimal digits."""


class DoubleFact(NamedTuple):
    """Two answers to one question, as they are written down."""

    number: int
    """The address's."""
    sample: int
    asked: float
    time: float
    """When the second answer came."""
    first: Answer
    second: Answer


@dataclass(slots=True)
class Claims:
    """Who answers: every answer belongs to one sample, in which every address was asked once.

    Two consecutive samples ask in the names of different askers. So an answer that is late by up
    to one sample is not taken for one to the next question.
    """

    count: int
    doubles: list[DoubleFact] = field(default_factory=list)
    """Two have answered one and the same question."""
    double_samples: int = 0
    holdings: list[list[tuple[str, float, float]]] = field(default_factory=list)
    """Of each address: (MAC, first answer, last answer), in the order of time."""
    answered: list[int] = field(default_factory=list)
    """Of each address: in how many samples somebody answered."""
    _latest: list[list[tuple[int, Answer | None, bool]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.holdings = [[] for _ in range(self.count)]
        self.answered = [0] * self.count
        self._latest = [[(-1, None, False)] * 2 for _ in range(self.count)]

    def heard(self, index: int, sample: int, answer: Answer, asked: float = 0.0) -> None:
        """Note that somebody answered for the address when it was asked in this sample."""
        last, first, is_double = self._latest[index][sample % 2]
        if last != sample or first is None:
            self._latest[index][sample % 2] = (sample, answer, False)
            self.answered[index] += 1
        elif answer.mac != first.mac and not is_double:
            self._latest[index][sample % 2] = (sample, first, True)
            self.double_samples += 1
            if len(self.doubles) < MOST_LISTED:
                told = DoubleFact(index, sample, asked, answer.time, first, answer)
                self.doubles.append(told)
        self._hold(self.holdings[index], answer.mac, answer.time)

    @staticmethod
    def _hold(held: list[tuple[str, float, float]], mac: str, time: float) -> None:
        if held and held[-1][0] == mac:
            held[-1] = (mac, held[-1][1], time)
        else:
            del held[MOST_HELD - 1 :]
            held.append((mac, time, time))


@dataclass(slots=True)
class Answers:
    """What a client gets: which pings of each address were answered, and when.

    An outage is one unanswered ping or more between two answers. It is told by the pings' own
    numbers, so a sender that was late makes none. An answer that comes too late is none: an old
    owner may have kept the ping, to pass it on once there was a new one.
    """

    count: int
    outages: list[tuple[int, float, float | None, int]] = field(default_factory=list)
    """(address, last answer before, first answer after, pings lost)."""
    first: list[float | None] = field(default_factory=list)
    _last: list[tuple[int, float]] = field(default_factory=list)
    _late: dict[int, tuple[int, float]] = field(default_factory=dict)
    """Of an address, the newest sweep that was answered too late, and when."""

    def __post_init__(self) -> None:
        self.first = [None] * self.count
        self._last = [(-1, 0.0)] * self.count

    def heard(self, index: int, sweep: int, sent: float, time: float) -> None:
        """Note the answer to the address's ping of this sweep."""
        last, when = self._last[index]
        if sweep <= last:
            return
        if time > sent + TIMELY:
            self._late[index] = (sweep, time)
            return
        if self.first[index] is None:
            self.first[index] = time
        elif sweep > last + 1 and len(self.outages) < MOST_LISTED:
            self.outages.append((index, when, time, sweep - last - 1))
        self._last[index] = (sweep, time)

    def end(self, sweeps: int) -> None:
        """All answers are in, of so many sweeps: who is silent has an outage without an end.

        Who has answered the last ping, if late, is not silent: no other ping could show that.
        """
        for index, (last, when) in enumerate(self._last):
            if self.first[index] is not None and last < sweeps - 1:
                late, time = self._late.get(index, (-1, 0.0))
                until = time if late == sweeps - 1 else None
                self.outages.append((index, when, until, sweeps - 1 - last))


def as_facts(claims: Claims, answers: Answers) -> dict[str, Any]:
    """Both as JSON can hold them."""
    return {
        "doubles": claims.doubles,
        "double_samples": claims.double_samples,
        "holdings": claims.holdings,
        "answered": claims.answered,
        "outages": answers.outages,
        "first": answers.first,
    }
