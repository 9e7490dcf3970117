"""What is to be measured, in which order, and for how long at most. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

DURAVIP: Final = "duravip"
KEEPALIVED: Final = ("keepalived-0.1s", "keepalived-1s")
SYSTEMS: Final = (DURAVIP, *KEEPALIVED)

AT_REST: Final = "at-rest"
CRASH: Final = "crash"
CASES: Final = {
    CRASH: "a node loses its power",
    "move": "a planned move: its node is labelled as to be left out",
    "sigterm": "the agent is asked to end",
    "agent-killed": "the agent is killed, its node lives on",
    "agent-frozen": "the agent is stopped, and goes on later",
    "leader-and-owner": "the operator that leads dies with the node",
    "control-plane-away": "the API server and both operators are killed",
    AT_REST: "nothing happens; then both processors are busy",
}
KEEPALIVED_CASES: Final = (CRASH, "sigterm", "agent-killed", "agent-frozen")
"""It has no operator, and its planned move is to be asked to end."""

FULL_COUNTS: Final = (1, 100, 1000, 10240)
QUICK_COUNTS: Final = (1, 100)
BIG: Final = 1000
SLOW_CASES: Final = ("leader-and-owner", "control-plane-away")
"""They take long to be brought back from: quickly, they are measured with 100 addresses only."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A case with one system and so many addresses."""

    case: str
    system: str
    addresses: int
    runs: int
    budget: float
    """Seconds after which no other run is begun."""

    @property
    def label(self) -> str:
        """Its name for people."""
        return f"{self.case}, {self.system}, {self.addresses}"


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asks for; empty or 0 = all, or as usual."""

    cases: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()
    addresses: tuple[int, ...] = ()
    runs: int = 0
    quick: bool = False


def plan(wish: Wish) -> list[Cell]:
    """Every cell to be measured: system by system, the numbers of addresses rising."""
    cells = list(_quick(wish) if wish.quick else _full(wish))
    wanted = [
        cell
        for cell in cells
        if (not wish.cases or cell.case in wish.cases)
        and (not wish.systems or cell.system in wish.systems)
    ]
    return [replace(cell, runs=wish.runs or cell.runs) for cell in wanted]


def longest(cells: Sequence[Cell]) -> float:
    """So many seconds the cells' budgets are in all."""
    return sum(cell.budget for cell in cells)


def _full(wish: Wish) -> Iterator[Cell]:
    for system in SYSTEMS:
        for count in sorted(wish.addresses or FULL_COUNTS):
            budget = 240.0 if count <= BIG else 600.0
            for case in _cases(system):
                if case != AT_REST:
                    runs = 2 if case == "control-plane-away" else 20
                    yield Cell(case, system, count, runs, budget)
            if system == DURAVIP and count == max(wish.addresses or FULL_COUNTS):
                yield Cell(AT_REST, system, count, 1, budget)


def _quick(wish: Wish) -> Iterator[Cell]:
    """Crashes three times, everything else once; what takes long with keepalived is left out."""
    for system in SYSTEMS:
        is_slow = system == "keepalived-1s"
        for count in sorted(wish.addresses or QUICK_COUNTS):
            for case in _cases(system):
                if case == AT_REST or (is_slow and case != CRASH and not wish.cases):
                    continue
                if case in SLOW_CASES and count == 1 and not wish.cases:
                    continue
                runs = 1 if case != CRASH else 2 if is_slow else 3
                yield Cell(case, system, count, runs, 30.0)
        if system == DURAVIP and not wish.addresses:
            yield Cell(AT_REST, system, 300, 1, 45.0)
        if not wish.addresses:
            yield Cell(CRASH, system, BIG, 1 if is_slow else 2, 30.0)


def _cases(system: str) -> tuple[str, ...]:
    return tuple(CASES) if system == DURAVIP else KEEPALIVED_CASES
