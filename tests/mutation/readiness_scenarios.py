"""The scenarios of readiness, for whatever its unit tests leave to them."""

from pathlib import Path

import pytest

from scenarios.files import FILES
from scenarios.test_scenarios import test_scenario as holds


@pytest.mark.parametrize(
    "file", [f for f in FILES if f.parent.name == "readiness"], ids=lambda file: file.stem
)
def test_it_comes_out_as_the_file_says(file: Path) -> None:
    holds(file)
