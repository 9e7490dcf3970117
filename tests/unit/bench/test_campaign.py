"""A benchmark goes on after whatever fails, and names what it has not measured."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import results
from bench.campaign import Campaign
from bench.plans import DURAVIP, STRICT, Cell
from bench.results import Row, Run

AN_HOUR = 3600.0


class Stage:
    """Every run takes no time; some cells fail."""

    def __init__(self, broken: dict[str, Exception], after: int) -> None:
        self._broken = broken
        self._after = after
        self.served: list[int] = []

    def serve(self, count: int) -> None:
        self.served.append(count)

    def rows(self, cell: Cell, _deadline: float) -> Iterator[Row]:
        runs: list[Run] = []
        for number in range(cell.runs):
            if cell.label in self._broken and number == self._after:
                raise self._broken[cell.label]
            runs.append(Run(0.2, 0))
            yield Row.of(cell.case, cell.system, cell.addresses, runs)


class Venue:
    """Opens stages, and remembers them."""

    def __init__(self, broken: dict[str, Exception] | None = None, after: int = 0) -> None:
        self.stages: list[Stage] = []
        self._broken = broken or {}
        self._after = after

    @contextmanager
    def open(self, name: str) -> Iterator[Stage]:
        if error := self._broken.get(name):
            self.stages.append(Stage({}, 0))
            raise error
        self.stages.append(Stage(self._broken, self._after))
        yield self.stages[-1]


CELLS = [
    Cell("crash", DURAVIP, 1, 2, 2),
    Cell("move", DURAVIP, 1, 2, 2),
    Cell("crash", DURAVIP, 100, 2, 2),
    Cell("move", DURAVIP, 100, 2, 2),
    Cell("crash", STRICT, 1, 2, 2),
]


def campaign(tmp_path: Path, venue: Venue, limit: float = AN_HOUR) -> Campaign:
    made = Campaign(tmp_path / "results.json", lambda _: None, venue.open, limit=limit)
    made.measure(CELLS)
    return made


def test_each_system_has_one_lab_and_addresses_are_only_added(tmp_path: Path) -> None:
    venue = Venue()
    made = campaign(tmp_path, venue)
    assert [stage.served for stage in venue.stages] == [[1, 100], [1]]
    assert [(row.case, row.system, row.addresses, row.runs) for row in made.rows] == [
        (cell.case, cell.system, cell.addresses, 2) for cell in CELLS
    ]
    assert made.notes == []
    assert results.read(tmp_path / "results.json") == made.rows


def test_a_failure_costs_one_cell_and_keeps_its_earlier_runs(tmp_path: Path) -> None:
    venue = Venue({CELLS[2].label: ValueError("broken")}, after=1)
    made = campaign(tmp_path, venue)
    assert [row.runs for row in made.rows] == [2, 2, 1, 2, 2]
    assert made.notes == ["crash, duravip, 100: broken"]
    assert [stage.served for stage in venue.stages] == [[1, 100], [100], [1]]


def test_a_system_that_never_starts_is_given_up_and_the_others_are_measured(
    tmp_path: Path,
) -> None:
    made = campaign(tmp_path, Venue({DURAVIP: OSError("no")}))
    assert [row.system for row in made.rows] == [STRICT]
    assert {f"{cell.label}: too much failed before" for cell in CELLS[:-1]} < set(made.notes)


def test_what_there_is_no_time_for_is_named(tmp_path: Path) -> None:
    venue = Venue()
    made = campaign(tmp_path, venue, limit=1)
    assert made.rows == []
    assert venue.stages == []
    assert made.notes == [f"{cell.label}: no time was left" for cell in CELLS]
