"""Settings that all tiers share."""

import pytest
from hypothesis import settings

# A busy machine is no failure: examples are bounded in number, not in time.
settings.register_profile("duravip", deadline=None)
settings.load_profile("duravip")

pytest_plugins = ["lab_logs", "lab_sharing", "lab_starved"]


def pytest_configure(config: pytest.Config) -> None:
    """Name the mark of the scenarios."""
    config.addinivalue_line("markers", "row(n): what the test shows, by its row in rows.yaml")
