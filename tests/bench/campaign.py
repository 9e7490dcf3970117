"""All cells, system by system, each system on a lab of its own; the rows are kept as they come."""

import time
from collections.abc import Sequence
from pathlib import Path

from bench import results
from bench.measuring import Measuring, Say
from bench.plans import AT_REST, DURAVIP, SYSTEMS, Cell
from bench.resting import Resting
from bench.results import Row, Run
from bench.systems import absence, system
from bench.systems.duravip import DuraVip
from bench.systems.system import System
from duravip_api import timing
from lab.cluster import Lab
from lab.errors import LabError

MATURE = {True: 1.0, False: timing.MATURE}
"""--mature of the operators, quickly or not: it only makes the way back to the start shorter."""
MOST_LABS = 4
"""So many labs in all does one system get, if it fails again and again."""
SHARE = {True: 0.62, False: 1.0}
"""Of the time, so much is DuraVIP's, so that something is left to compare it with."""


class Campaign:
    """One benchmark from its start to its end."""

    def __init__(self, output: Path, say: Say, *, limit: float, is_quick: bool) -> None:
        self.rows: list[Row] = []
        self.notes: list[str] = []
        """What was not run, and why."""
        self._output = output
        self._say = say
        self._is_quick = is_quick
        self._started = time.monotonic()
        self._limit = limit

    def measure(self, cells: Sequence[Cell]) -> None:
        """Measure them all, as far as time allows."""
        named = {cell.system for cell in cells}
        for name in [name for name in SYSTEMS if name in named]:
            own = [cell for cell in cells if cell.system == name]
            if why := absence(name):
                self.notes.append(f"{name}: {why}")
                continue
            share = SHARE[self._is_quick] if name == DURAVIP and len(named) > 1 else 1.0
            self._measure_system(name, own, self._started + share * self._limit)

    def _measure_system(self, name: str, cells: list[Cell], deadline: float) -> None:
        """A failure costs one cell: the rest goes on with a new lab."""
        for _ in range(MOST_LABS):
            if not cells or time.monotonic() > deadline:
                break
            self._say(f"{name}: a lab is started")
            with Lab("api", say=self._say) as lab:
                self._measure_on(lab, name, cells, deadline)
        why = "no time was left" if time.monotonic() > deadline else "too much failed before"
        self.notes += [f"{cell.label}: {why}" for cell in cells]

    def _measure_on(self, lab: Lab, name: str, cells: list[Cell], deadline: float) -> None:
        """Take cells off the list until it is empty, one fails, or time is up."""
        made = system(name, lab, mature=MATURE[self._is_quick])
        measuring = Measuring(lab, made, self._say, is_quick=self._is_quick)
        serving = 0
        try:
            made.start()
            while cells and time.monotonic() < deadline:
                cell = cells[0]
                if cell.addresses < serving:
                    return  # a new lab: addresses are only ever added
                if cell.addresses > serving:
                    self._say(f"{name}: {cell.addresses} addresses are set up")
                    made.serve(cell.addresses)
                    serving = cell.addresses
                cells.pop(0)
                self._measure_cell(lab, made, measuring, cell, deadline)
        except LabError as error:
            self._say(f"{name}: failed: {error}")
            self.notes.append(f"{cells.pop(0).label}: {error}" if not serving else f"{error}")

    def _measure_cell(
        self, lab: Lab, made: System, measuring: Measuring, cell: Cell, deadline: float
    ) -> None:
        if cell.case == AT_REST and isinstance(made, DuraVip):
            if time.monotonic() + cell.budget > deadline:
                self.notes.append(f"{cell.label}: no time was left")
                return
            resting = Resting(lab, made, self._say, is_quick=self._is_quick)
            self._keep(resting.row(cell.addresses))
            return
        runs: list[Run] = []
        try:
            for run in measuring.runs(cell, deadline):
                runs.append(run)  # noqa: PERF402 (what came before an interruption counts)
        except LabError as error:
            raise LabError(f"{cell.label}: {error}") from error
        finally:
            if runs:
                self._keep(Row.of(cell.case, cell.system, cell.addresses, runs))
        if len(runs) < cell.runs:
            self.notes.append(f"{cell.label}: {cell.runs - len(runs)} of {cell.runs} runs")

    def _keep(self, row: Row) -> None:
        self.rows.append(row)
        results.write(self._output, self.rows)
