"""Every row of the original's manual is shown by a scenario, or by a test that is named."""

import re
from pathlib import Path

import pytest
import yaml

from scenarios.files import FILES, read

ROOT = Path(__file__).parents[2]
LATER = {19, 20, 36}
"""Mail queues."""
ROWS = sorted(set(range(1, 55)) - LATER)
NAMED: dict[int, list[str]] = yaml.safe_load((Path(__file__).parent / "rows.yaml").read_text())
IN_SCENARIOS = {row for file in FILES for row in read(file)["rows"]}
SENTENCE = re.compile(r"[A-Z]\S*( \S+){3,}\.")


@pytest.mark.parametrize("row", ROWS)
def test_a_row_is_shown(row: int) -> None:
    assert row in NAMED or row in IN_SCENARIOS, "write a scenario, or name a test in rows.yaml"


def test_no_other_rows_are_named() -> None:
    assert IN_SCENARIOS | NAMED.keys() == set(ROWS)


@pytest.mark.parametrize("test", sorted({test for tests in NAMED.values() for test in tests}))
def test_a_test_that_is_named_exists(test: str) -> None:
    file, _, name = test.partition("::")
    assert re.search(rf"^def {name}\(", (ROOT / file).read_text(), re.MULTILINE)


def test_what_does_not_run_for_real_says_why() -> None:
    scenarios = [read(file) for file in FILES]
    parts = [*scenarios, *(step for scenario in scenarios for step in scenario["steps"])]
    reasons = [part["real"] for part in parts if "real" in part]
    assert [reason for reason in reasons if not SENTENCE.fullmatch(reason)] == []
    assert sum("real" in scenario for scenario in scenarios) <= len(scenarios) / 4
