"""When each step of a fail-over was done, read from the programs' own logs. Pure.

A phase's figure is the time from the event to the line that tells of its end. What no line tells
is left out.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from bench.spread import VICTIM


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a program's log."""

    program: str
    """`operator` or `agent`."""
    machine: str
    time: float
    """Seconds since 1970."""
    text: str
    """What follows the level."""


@dataclass(frozen=True, slots=True)
class Phase:
    """A step, and the line that is written when it is done."""

    name: str
    program: str
    pattern: re.Pattern[str]
    takes_last: bool
    """Which of several such lines counts: the last one, or the first."""


PHASES: Final = (
    Phase("suspect", "operator", re.compile(rf"node {VICTIM} is silent"), takes_last=False),
    Phase("scout", "operator", re.compile(rf"node {VICTIM} is gone from "), takes_last=False),
    Phase("lead", "operator", re.compile(r"leading with epoch"), takes_last=False),
    Phase("decide", "operator", re.compile(rf"node {VICTIM}: granted"), takes_last=False),
    Phase("write", "operator", re.compile(r"node \S+: granted [1-9]"), takes_last=True),
    Phase("probe", "agent", re.compile(r"probed .*: nobody answers"), takes_last=True),
    Phase("plumb", "agent", re.compile(r"plumbed (?!again|behind)"), takes_last=True),
    Phase("announce", "agent", re.compile(r"announced "), takes_last=True),
)
ANSWERS: Final = "answers"
NAMES: Final = (*(phase.name for phase in PHASES), ANSWERS)

WRITTEN_WITHIN: Final = 0.025
"""A line may be written so many seconds after what it tells of, while the client hears already."""

_LINE: Final = re.compile(r"(\d{4}-\d\d-\d\dT\S+) (?:debug|info|warning|error|critical) +(.*)")


def lines(program: str, machine: str, log: str) -> Iterator[Line]:
    """The lines of a log in its text form; tracebacks and the like are passed over."""
    for found in map(_LINE.fullmatch, log.splitlines()):
        if found:
            moment = datetime.fromisoformat(found[1]).timestamp()
            yield Line(program, machine, moment, found[2])


def phases_ms(log: Iterable[Line], event: float, answers: float) -> dict[str, float]:
    """`{phase: ms after the event}`; `answers` is when the last address did, on the same clock.

    What comes after the addresses answer belongs to something else.
    """
    end = answers + WRITTEN_WITHIN
    window = sorted(
        (line for line in log if event <= line.time <= end), key=lambda line: line.time
    )
    found = {}
    for phase in PHASES:
        times = [
            line.time
            for line in window
            if line.program == phase.program and phase.pattern.match(line.text)
        ]
        if times:
            done = min(answers, times[-1 if phase.takes_last else 0])
            found[phase.name] = (done - event) * 1000
    return {**found, ANSWERS: (answers - event) * 1000}
