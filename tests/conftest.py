"""Settings that all tiers share."""

from pathlib import Path
from typing import Final

import pytest
from hypothesis import is_hypothesis_test, settings

# A busy machine is no failure: examples are bounded in number, not in time.
settings.register_profile("duravip", deadline=None)
settings.load_profile("duravip")

PROPERTIES: Final = Path(__file__).parent / "properties"

pytest_plugins = ["pytester", "lab_anew", "lab_logs", "lab_sharing", "lab_starved"]


def pytest_configure(config: pytest.Config) -> None:
    """Name the marks."""
    config.addinivalue_line("markers", "row(n): what the test shows, by its row in rows.yaml")
    config.addinivalue_line("markers", "properties: the test tries many examples")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the property tests, also those beside a module's unit tests: they are one tier."""
    for item in items:
        is_drawn = is_hypothesis_test(getattr(item, "function", None))
        if is_drawn or PROPERTIES in item.path.parents:
            item.add_marker("properties")
