"""A pytest plugin: a test that fails in a lab shows the last lines of every program's log."""

from collections.abc import Generator

import pytest

from lab.cluster import Lab

LINES = 60


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the logs to the report of a failure."""
    report = yield
    lab = getattr(item, "funcargs", {}).get("lab")
    if report.failed and isinstance(lab, Lab):
        for log in sorted(lab.layout.home.glob("*/duravip-*.log")):
            tail = log.read_text(errors="replace").splitlines()[-LINES:]
            report.sections.append((f"{log.parent.name}: {log.name}", "\n".join(tail)))
    return report
