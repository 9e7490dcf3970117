"""Runs become rows, rows a file and a table; nothing is invented on the way."""

import json
from math import inf
from pathlib import Path

import pytest

from bench import results, table
from bench.results import Row, Run, percentile

KEYS = {
    "case", "system", "addresses", "runs", "median_s", "p99_s", "double_owner_samples",
    "phases_ms", "late_runs",
}  # fmt: skip


@pytest.mark.parametrize(
    ("count", "percent", "wanted"), [(20, 99, 20), (100, 99, 99), (100, 50, 50), (1, 99, 1)]
)
def test_a_percentile_is_a_value_that_was_measured(
    count: int, percent: float, wanted: float
) -> None:
    assert percentile([float(n) for n in range(count, 0, -1)], percent) == wanted


def test_a_row_sums_up_its_runs() -> None:
    runs = [Run(0.3, 0, {"suspect": 150}), Run(0.1, 2, {"suspect": 110}), Run(0.2, 1)]
    row = Row.of("crash", "duravip", 100, runs)
    assert (row.median_s, row.p99_s, row.double_owner_samples, row.runs) == (0.2, 0.3, 3, 3)
    assert row.phases_ms == {"suspect": 130}


def test_a_row_says_in_how_many_runs_the_observer_was_late() -> None:
    runs = [Run(0.3, 0, late=0.05), Run(0.2, 0, late=0.019), Run(0.2, 0)]
    assert Row.of("crash", "duravip", 1, runs).late_runs == 1


def test_a_phase_that_few_runs_tell_is_left_out_and_the_rest_are_in_order_of_time() -> None:
    runs = [{"write": 200.0, "suspect": 150.0, "lead": 1.0}, {"write": 210.0, "suspect": 160.0}]
    assert list(results.medians(runs).items()) == [("suspect", 155.0), ("write", 205.0)]


def test_who_never_answered_is_null_in_the_file_and_never_in_the_table(tmp_path: Path) -> None:
    row = Row.of("crash", "duravip", 1, [Run(0.2, 0), Run(inf, 0), Run(inf, 0)])
    file = tmp_path / "bench-results.json"
    results.write(file, [row])
    (fact,) = json.loads(file.read_text())
    assert (fact["median_s"], fact["p99_s"]) == (None, None)
    assert table.table([row]).splitlines()[1].split() == [
        "crash", "duravip", "1", "3", "never", "never", "0", "0",
    ]  # fmt: skip


def test_the_file_has_the_promised_keys_and_can_be_read_again(tmp_path: Path) -> None:
    rows = [
        Row.of("crash", "duravip", 1, [Run(0.25, 0, {"suspect": 150.0})]),
        Row("at-rest", "duravip", 300, 1, 0.0, 0.0, 0, {}, {"agent_rss_mib": 60.0}),
    ]
    file = tmp_path / "bench-results.json"
    results.write(file, rows)
    first, second = json.loads(file.read_text())
    assert first.keys() == KEYS
    assert second.keys() == KEYS | {"figures"}
    assert results.read(file) == rows


def test_the_table_of_phases_says_what_came_when() -> None:
    rows = [
        Row("crash", "duravip", 1, 3, 0.3, 0.4, 0, {"answers": 300.0, "suspect": 150.2}),
        Row("move", "duravip", 1, 3, 0.3, 0.4, 0),
        Row("crash", "duravip", 100, 3, 0.3, 0.4, 0, {"probe": 220.0, "answers": 310.0}),
    ]
    assert [line.split()[-4:] for line in table.phases(rows).splitlines()] == [
        ["addresses", "suspect", "probe", "answers"],
        ["1", "150", "-", "300"],
        ["100", "-", "220", "310"],
    ]
    assert not table.phases(rows[1:2])


@pytest.mark.parametrize(
    ("value", "wanted"), [(0.0, "0 ms"), (0.0254, "25 ms"), (2.174, "2.17 s"), (None, "never")]
)
def test_times_are_printed_for_people(value: float | None, wanted: str) -> None:
    assert table.seconds(value) == wanted
