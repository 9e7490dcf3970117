"""The benchmark's time is shared out: never more than there is, and what matters most first."""

import pytest

from bench.plans import DURAVIP, KEEPALIVED, STRICT, Cell, Wish, plan
from bench.shares import Ready, a_run, before_a_run, shared_out

CELLS = plan(Wish())
AN_HOUR = 3600.0


def shares(minutes: float) -> dict[tuple[str, str, int], int]:
    runs = shared_out(CELLS, 60 * minutes)
    return {(c.case, c.system, c.addresses): n for c, n in zip(CELLS, runs, strict=True)}


def seconds(cells: list[Cell], runs: list[int]) -> float:
    """As estimated, when they are run in this order."""
    total, ready = 0.0, Ready()
    for cell, count in zip(cells, runs, strict=True):
        if count:
            total += before_a_run(cell, ready) + count * a_run(cell)
            ready = Ready(cell.system, cell.addresses)
    return total


@pytest.mark.parametrize("minutes", [1, 4.75, 20, 60, 150, 1000])
@pytest.mark.parametrize("is_quick", [False, True])
def test_all_of_it_fits_into_the_time(minutes: float, is_quick: bool) -> None:
    cells = plan(Wish(quick=is_quick))
    assert seconds(cells, shared_out(cells, 60 * minutes)) <= 60 * minutes


def test_an_hour_is_enough_for_what_is_promised() -> None:
    found = shares(60)
    for case in ("crash", "move"):
        assert [found[case, DURAVIP, n] for n in (1, 100, 1000)] == [20, 20, 20]
        assert found[case, DURAVIP, 10240] >= 5
    assert all(found["crash", STRICT, n] >= 5 for n in (1, 100, 1000))
    assert all(found["crash", name, 10240] >= 3 for name in KEEPALIVED)


def test_an_hour_leaves_nothing_out() -> None:
    runs = shared_out(CELLS, AN_HOUR)
    assert not [c.label for c, n in zip(CELLS, runs, strict=True) if c.least and not n]


def test_little_time_goes_to_what_comes_first() -> None:
    found = shares(4)
    assert found["crash", DURAVIP, 1] > 0
    assert found["agent-frozen", "keepalived-1s", 10240] == 0


def test_with_all_the_time_in_the_world_all_that_is_wanted_is_run() -> None:
    assert shared_out(CELLS, 1000 * AN_HOUR) == [cell.runs for cell in CELLS]


def test_a_slow_machine_gets_fewer_runs() -> None:
    slow, quick = (sum(shared_out(CELLS, AN_HOUR, pace=pace)) for pace in (3, 1))
    assert slow < quick


def test_what_is_ready_costs_nothing() -> None:
    cell = Cell("crash", DURAVIP, 10240, 1, 1)
    assert before_a_run(cell, Ready(DURAVIP, 10240)) == 0
    assert shared_out([cell], a_run(cell) + 1, Ready(DURAVIP, 10240)) == [1]
    assert shared_out([cell], a_run(cell) + 1) == [0]


def test_no_time_is_no_runs() -> None:
    assert set(shared_out(CELLS, -5)) == {0}
