"""All cells, system by system, each system on a lab of its own; the rows are kept as they come."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol

from bench import results
from bench.measuring import Say
from bench.plans import Cell
from bench.results import Row
from bench.shares import Ready, a_run, before_a_run, shared_out
from bench.systems import absence

MOST_FAILURES: Final = 3
"""After so many a system is given up."""
PATIENCE: Final = 1.5
"""A cell may take so many times as long as estimated before no other run of it is begun."""
KNOWN: Final = 60.0
"""So many seconds of estimates count as correct, so that the first cell does not mean too much."""


class Grounds(Protocol):
    """Where one system's cells are measured."""

    def serve(self, count: int) -> None:
        """Serve so many addresses, never fewer than before."""

    def rows(self, cell: Cell, deadline: float) -> Iterator[Row]:
        """The cell's row after each run, made of all of its runs so far."""


Opening = Callable[[str], AbstractContextManager[Grounds]]
"""Starts the system of that name somewhere, and ends it."""


class Campaign:
    """One benchmark from its start to its end."""

    def __init__(self, output: Path, say: Say, opening: Opening, *, limit: float) -> None:
        self.rows: list[Row] = []
        self.notes: list[str] = []
        """What was not run, and why."""
        self._output = output
        self._say = say
        self._opening = opening
        self._end = time.monotonic() + limit
        self._left: list[Cell] = []
        self._failures: Counter[str] = Counter()
        self._estimated = self._taken = KNOWN

    def measure(self, cells: Sequence[Cell]) -> None:
        """Measure them all, as far as time allows. A failure costs one cell, and its lab."""
        self._left = list(cells)
        while self._left:
            name = self._left[0].system
            if why := absence(name):
                self._give_up(name, why)
            elif self._failures[name] >= MOST_FAILURES:
                self._give_up(name, "too much failed before")
            elif self._next(name):
                self._say(f"{name}: a lab is started")
                with self._noting(name), self._opening(name) as grounds:
                    self._measure_on(grounds, name)

    def _measure_on(self, grounds: Grounds, name: str) -> None:
        """Until nothing of the system is left, or a cell fails: what it leaves is not known."""
        ready = Ready(name)
        before = self._failures[name]
        while self._failures[name] == before and (cell := self._next(name, ready)):
            self._left.pop(0)
            with self._noting(cell.label, name):
                self._measure(grounds, cell, ready)
            ready = Ready(name, cell.addresses)

    def _measure(self, grounds: Grounds, cell: Cell, ready: Ready) -> None:
        """One cell; how long it takes tells how good the estimates are."""
        begun = time.monotonic()
        if cell.addresses > ready.addresses:
            self._say(f"{cell.system}: {cell.addresses} addresses are set up")
            grounds.serve(cell.addresses)
        longest = PATIENCE * self._pace * a_run(cell) * cell.runs
        done = 0
        for row in grounds.rows(cell, min(self._end, time.monotonic() + longest)):
            self._keep(row)
            done = row.runs
        if not done:
            self.notes.append(f"{cell.label}: no run has fitted into its time")
        self._estimated += before_a_run(cell, ready) + done * a_run(cell)
        self._taken += time.monotonic() - begun

    def _next(self, name: str, ready: Ready | None = None) -> Cell | None:
        """The system's next cell, with the runs that there is time for."""
        while self._left and self._left[0].system == name:
            seconds = self._end - time.monotonic()
            runs = shared_out(self._left, seconds, ready, self._pace)[0]
            if runs:
                return replace(self._left[0], runs=runs)
            self.notes.append(f"{self._left.pop(0).label}: no time was left")
        return None

    @property
    def _pace(self) -> float:
        return self._taken / self._estimated

    def _keep(self, row: Row) -> None:
        """In the place of the row of the same cell with fewer runs."""
        if self.rows and self.rows[-1].key == row.key:
            self.rows.pop()
        self.rows.append(row)
        results.write(self._output, self.rows)

    @contextmanager
    def _noting(self, what: str, name: str = "") -> Iterator[None]:
        """Whatever fails inside is told, and goes no further."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 (a bug of one system must not cost the others)
            self._failures[name or what] += 1
            self._say(f"{what}: failed: {error!r}")
            self.notes.append(f"{what}: {error}")

    def _give_up(self, name: str, why: str) -> None:
        self.notes += [f"{cell.label}: {why}" for cell in self._left if cell.system == name]
        self._left = [cell for cell in self._left if cell.system != name]
