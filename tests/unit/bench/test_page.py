"""The results as Markdown say what was measured, what was promised, and what to make of it."""

import pytest

from bench.bounds import bound
from bench.page import page
from bench.results import Row

CRASH = Row("crash", "duravip", 1, 20, 0.22, 0.24, 0)


def line(rows: list[Row], start: str) -> list[str]:
    (found,) = [text for text in page(rows).splitlines() if text.startswith(start)]
    return [cell.strip() for cell in found.strip("|").split("|")]


def test_systems_stand_side_by_side_and_what_was_not_measured_is_left_empty() -> None:
    rows = [CRASH, Row("crash", "keepalived-1s", 1, 5, 2.9, None, 3)]
    assert line(rows, "| the owner") == [
        "the owner crashes", "1", "250 ms", "220 ms / 240 ms (20)", "",
        "2.90 s / never (5), two answered",
    ]  # fmt: skip


def test_strict_fencing_has_lines_of_its_own() -> None:
    rows = [CRASH, Row("crash", "duravip-strict", 1, 5, 3.4, 3.45, 0)]
    assert line(rows, "| the owner crashes, ")[1:4] == ["1", "3.50 s", "3.40 s / 3.45 s (5)"]


def test_times_of_a_late_observer_are_marked_and_explained() -> None:
    late = Row("crash", "duravip", 1, 3, 0.22, 0.24, 0, late_runs=2)
    assert line([late], "| the owner")[3].endswith("\\*")
    assert "observer itself was late" in page([late])
    assert "observer itself was late" not in page([CRASH])
    assert "two answered" not in page([CRASH])


def test_figures_at_rest_follow_the_table() -> None:
    rest = Row("at-rest", "duravip", 300, 1, 0.0, 0.0, 0, {}, {"agent_rss_mib": 60.5})
    assert page([CRASH, rest]).splitlines()[-1] == "- agent rss mib: 60.5"


@pytest.mark.parametrize(
    ("case", "system", "addresses", "wanted"),
    [
        ("crash", "duravip", 100, 0.3),
        ("move", "duravip", 10240, 0.3),
        ("crash", "keepalived-1s", 1, None),
        ("at-rest", "duravip", 300, None),
    ],
)
def test_what_is_promised(case: str, system: str, addresses: int, wanted: float | None) -> None:
    assert bound(case, system, addresses) == wanted
