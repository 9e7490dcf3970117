"""What is to be measured: which cases, of which systems, with how many addresses. Pure.

How often each is measured depends on the time: `shares.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

DURAVIP: Final = "duravip"
STRICT: Final = "duravip-strict"
"""The same with `fencing: Strict`."""
KEEPALIVED: Final = ("keepalived-0.1s", "keepalived-1s")
MAIL: Final = "duravip-mail"
"""Postfix on the nodes, whose queues follow the addresses."""
SYSTEMS: Final = (DURAVIP, STRICT, *KEEPALIVED, MAIL)

AT_REST: Final = "at-rest"
MAIL_MOVE: Final = "mail-move"
CRASH: Final = "crash"
MOVE: Final = "move"
AWAY: Final = "control-plane-away"
CASES: Final = {
    CRASH: "a node loses its power",
    MOVE: "a planned move: its node is labelled as to be left out",
    "sigterm": "the agent is asked to end",
    "agent-killed": "the agent is killed, its node lives on",
    "leader-and-owner": "the operator that leads dies with the node",
    "agent-frozen": "the agent is stopped, and goes on later",
    AWAY: "the API server and both operators are killed",
    MAIL_MOVE: "an address moves while mail is queued that leaves from it",
    AT_REST: "nothing happens; then both processors are busy",
}
"""What comes first is measured first when time is short."""
KEEPALIVED_CASES: Final = (CRASH, "sigterm", "agent-killed", "agent-frozen")
"""It has no operator, and its planned move is to be asked to end."""

FULL_COUNTS: Final = (1, 100, 1000, 10240)
QUICK_COUNTS: Final = (1, 100)
BIG: Final = 1000
"""With more addresses than this everything takes much longer."""
SLOW_CASES: Final = ("leader-and-owner", AWAY)
"""They take long to be brought back from: quickly, they are measured with 100 addresses only."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A case with one system and so many addresses."""

    case: str
    system: str
    addresses: int
    least: int
    """So many runs it gets before any cell gets more than its least."""
    runs: int
    """So many are wanted."""

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
    wanted = [
        cell
        for cell in (_quick(wish) if wish.quick else _full(wish))
        if (not wish.cases or cell.case in wish.cases)
        and (not wish.systems or cell.system in wish.systems)
    ]
    if not wish.runs:
        return wanted
    return [replace(c, least=min(c.least, wish.runs), runs=wish.runs) for c in wanted]


def _full(wish: Wish) -> Iterator[Cell]:
    for system in SYSTEMS:
        if system == MAIL:
            yield Cell(MAIL_MOVE, MAIL, 1, 1, 5)
            continue
        counts = FULL_COUNTS if system != STRICT else FULL_COUNTS[:-1]
        for count in sorted(wish.addresses or counts):
            for case in _cases(system):
                if case != AT_REST:
                    yield Cell(case, system, count, *_runs(case, system, count))
            if system == DURAVIP and count == max(wish.addresses or counts):
                yield Cell(AT_REST, system, count, 1, 1)


def _runs(case: str, system: str, count: int) -> tuple[int, int]:
    """How many at least, and how many are wanted."""
    is_big = count > BIG
    if case == AWAY:
        return 1, 1
    if system == DURAVIP:
        least = (6 if is_big else 20) if case in {CRASH, MOVE} else 2 if is_big else 3
        return least, 20
    if case == CRASH:
        return 3 if is_big else 5, 10
    return 0 if is_big else 2, 5


def _quick(wish: Wish) -> Iterator[Cell]:
    """Crashes three times, everything else once; what takes long with keepalived is left out."""
    for system in SYSTEMS:
        is_slow = system == "keepalived-1s"
        if system in {STRICT, MAIL} and not {system, MAIL_MOVE} & {*wish.systems, *wish.cases}:
            continue
        if system == MAIL:
            yield Cell(MAIL_MOVE, MAIL, 1, 1, 1)
            continue
        for count in sorted(wish.addresses or QUICK_COUNTS):
            for case in _cases(system):
                if case == AT_REST or (is_slow and case != CRASH and not wish.cases):
                    continue
                if case in SLOW_CASES and count == 1 and not wish.cases:
                    continue
                yield Cell(case, system, count, 1, 1 if case != CRASH else 2 if is_slow else 3)
        if system == DURAVIP and not wish.addresses:
            yield Cell(AT_REST, system, 300, 1, 1)
        if not wish.addresses:
            yield Cell(CRASH, system, BIG, 1, 1 if is_slow else 2)


def _cases(system: str) -> tuple[str, ...]:
    own = {DURAVIP: tuple(case for case in CASES if case != MAIL_MOVE), STRICT: (CRASH,)}
    return own.get(system, KEEPALIVED_CASES)
