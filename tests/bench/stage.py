"""A lab on which one system runs, and on which cells are measured one after the other."""

from collections.abc import Iterator
from types import TracebackType
from typing import Self

from bench.mail_stage import MailStage
from bench.measuring import Measuring, Say
from bench.plans import AT_REST, CRASH, MAIL, Cell
from bench.resting import Resting
from bench.results import Row, Run
from bench.systems import system
from bench.systems.duravip import DuraVip
from lab.cluster import Lab

MATURE = 1.0
"""--mature of the operators: it makes nothing but the way back to the start shorter."""


def open_stage(name: str, say: Say, *, is_quick: bool) -> "Stage | MailStage":
    """The grounds on which a system is measured."""
    if name == MAIL:
        return MailStage(say, is_quick=is_quick)
    return Stage(name, say, is_quick=is_quick)


class Stage:
    """`with` it, there is a lab with the system on it."""

    def __init__(self, name: str, say: Say, *, is_quick: bool) -> None:
        self._lab = Lab("api", say=say)
        self._say = say
        self._is_quick = is_quick
        self._system = system(name, self._lab, mature=MATURE)
        self._measuring = Measuring(self._lab, self._system, say, is_quick=is_quick)

    def __enter__(self) -> Self:
        self._lab.start()
        try:
            self._system.start()
        except BaseException:
            self._lab.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lab.stop()

    def serve(self, count: int) -> None:
        """Serve so many addresses, never fewer than before; they are at home on return."""
        self._system.serve(count)
        self._system.settle(CRASH)

    def rows(self, cell: Cell, deadline: float) -> Iterator[Row]:
        """The cell's row after each run, made of all of its runs so far."""
        if cell.case == AT_REST and isinstance(self._system, DuraVip):
            resting = Resting(self._lab, self._system, self._say, is_quick=self._is_quick)
            yield resting.row(cell.addresses)
            return
        runs: list[Run] = []
        for run in self._measuring.runs(cell, deadline):
            runs.append(run)
            yield Row.of(cell.case, cell.system, cell.addresses, runs)
