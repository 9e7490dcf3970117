"""Why two machines answered one question, by their cards and by the agents' logs. Pure.

In a move both owners can be asked by one question: it reaches the former owner just before that
one lets go, and the next one just after that one has taken over. On a busy machine the two may be
milliseconds apart. Such a `late delivery` is no fault: at no time had two the address. What is one
is an answer of the former owner after it has let go.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final

from bench.phases import Line
from lab.observer.results import Answer, Double

MUTED: Final = "muted "
"""What an agent logs once nothing of it can be heard any more."""

ROUNDED: Final = 0.001
"""A log's times are whole milliseconds: the line was written up to so many seconds later."""


class Kind(StrEnum):
    """How a double came about."""

    LATE_DELIVERY = "late delivery"
    AFTER_RELEASE = "answered after its release"
    UNEXPLAINED = "unexplained"


def kind_of(double: Double, released: Mapping[str, Sequence[float]]) -> Kind:
    """The kind; `released` are the times at which each machine had let go of something.

    The former owner is the one of the two that let go of something around that time. Where neither
    did, or both, nothing is known.
    """
    former = [a for a in double.answers if _released_near(double, released.get(a.machine, ()))]
    if len(former) != 1:
        return Kind.UNEXPLAINED
    (answer,) = former
    at = _released_near(double, released[answer.machine])
    sent = answer.heard if answer.sent is None else answer.sent
    if at is None:
        return Kind.UNEXPLAINED
    return Kind.AFTER_RELEASE if sent > at + ROUNDED else Kind.LATE_DELIVERY


def releases(log: Iterable[Line], to_wall: float) -> dict[str, list[float]]:
    """When each agent had let go of something, by the observer's clock."""
    found: dict[str, list[float]] = {}
    for line in log:
        if line.program == "agent" and line.text.startswith(MUTED):
            found.setdefault(line.machine, []).append(line.time - to_wall)
    return found


def told(double: Double, kind: Kind) -> str:
    """One double for people: what was asked when, and who answered when, in ms after that."""
    answers = "; ".join(_told_answer(answer, double.asked) for answer in double.answers)
    return f"{double.address} was asked for at {double.asked:.4f}, {kind}: {answers}"


def counted(kinds: Iterable[str]) -> dict[str, int]:
    """How many of each kind."""
    return dict(sorted(Counter(map(str, kinds)).items()))


def _told_answer(answer: Answer, asked: float) -> str:
    def after(time: float | None) -> str:
        return "?" if time is None else f"+{(time - asked) * 1000:.2f}"

    times = f"asked {after(answer.delivered)}, answered {after(answer.sent)}"
    return f"{answer.machine} {times}, heard {after(answer.heard)} ms: {answer.frame}"


def _released_near(double: Double, times: Sequence[float]) -> float | None:
    """The release that is nearest to the double, within a second."""
    near = [time for time in times if double.asked - 1.0 <= time <= double.time + 1.0]
    return min(near, key=lambda time: abs(time - double.time), default=None)
