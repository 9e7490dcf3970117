"""How the time is shared out: how often each cell is measured. Pure.

First every cell gets one run, then its least number of them, then as many as are wanted; each
time in the order of the cases, and ours before others. So what matters most is measured even when
time is short, and nothing is left out while something else has more than it needs.

The estimates are those of a quiet machine with two processors. While the benchmark runs it finds
out by how much they are wrong, and shares out anew what is left before each cell.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from bench.plans import AT_REST, AWAY, CASES, DURAVIP, MAIL, MAIL_MOVE, STRICT, SYSTEMS, Cell

A_LAB: Final = 15.0
"""Seconds to start one, with the system's programs, and to end it."""
A_THOUSAND: Final = {True: 10.0, False: 0.5}
"""Seconds to make the next thousand addresses: of ours, each is an object; of keepalived, none."""
A_RUN: Final = {
    "crash": 7.0, "move": 7.0, "sigterm": 7.5, "agent-killed": 7.5, "leader-and-owner": 18.0,
    "agent-frozen": 8.0, AWAY: 30.0, AT_REST: 130.0, MAIL_MOVE: 100.0,
}  # fmt: skip
"""Seconds of one run of ours with a single address, with everything that brings it back."""
STRICT_MORE: Final = 3.5
RUN_A_THOUSAND: Final = 2.8
REST_A_THOUSAND: Final = 13.0
"""Seconds that a run of ours takes longer for each thousand addresses."""
THEIR_RUN: Final = {"keepalived-0.1s": 5.0, "keepalived-1s": 13.0}
THEIR_RUN_A_THOUSAND: Final = 4.5
STEPS: Final[tuple[Callable[[Cell], int], ...]] = (
    lambda cell: min(1, cell.least),
    lambda cell: cell.least,
    lambda cell: cell.runs,
)
"""How many runs a cell shall have before any cell gets more."""


@dataclass(frozen=True, slots=True)
class Ready:
    """What the lab that runs is ready for."""

    system: str = ""
    addresses: int = 0


def a_run(cell: Cell) -> float:
    """The seconds that one run of it is estimated to take."""
    thousands = cell.addresses / 1000
    if not _is_ours(cell.system):
        return THEIR_RUN[cell.system] + THEIR_RUN_A_THOUSAND * thousands
    more = STRICT_MORE if cell.system == STRICT else 0.0
    a_thousand = REST_A_THOUSAND if cell.case == AT_REST else RUN_A_THOUSAND
    return A_RUN[cell.case] + more + a_thousand * thousands


def before_a_run(cell: Cell, ready: Ready) -> float:
    """The seconds that it takes to get ready for its first run."""
    is_there = cell.system == ready.system
    served = ready.addresses if is_there else 0
    thousands = max(0, cell.addresses - served) / 1000
    return (0.0 if is_there else A_LAB) + A_THOUSAND[_is_ours(cell.system)] * thousands


def shared_out(
    cells: Sequence[Cell], seconds: float, ready: Ready | None = None, pace: float = 1.0
) -> list[int]:
    """How many runs each of these cells gets; `pace` is what an estimated second really takes."""
    given = [0] * len(cells)
    left = seconds / pace
    prepared = {ready.system: ready} if ready else {}
    order = sorted(range(len(cells)), key=lambda index: _rank(cells[index]))
    for step in STEPS:
        for index in order:
            cell = cells[index]
            known = prepared.get(cell.system, Ready())
            before = 0.0 if given[index] else before_a_run(cell, known)
            more = min(step(cell) - given[index], int((left - before) / a_run(cell)))
            if more > 0:
                given[index] += more
                left -= before + more * a_run(cell)
                served = max(cell.addresses, known.addresses)
                prepared[cell.system] = Ready(cell.system, served)
    return given


def _rank(cell: Cell) -> tuple[int, bool, int]:
    """Who comes first; cells of one rank stay in their order."""
    return list(CASES).index(cell.case), cell.system != DURAVIP, SYSTEMS.index(cell.system)


def _is_ours(system: str) -> bool:
    return system in {DURAVIP, STRICT, MAIL}
