"""Tells the host, by the second serial line, what came of each test: one JSON document each."""

import json
from pathlib import Path
from typing import IO

import pytest

RESULTS = "/dev/ttyS1"


class Reporter:
    """A plugin of pytest."""

    def __init__(self, line: IO[str]) -> None:
        self._line = line

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Tell of the test itself, and of what it could not be begun or ended with."""
        if report.when == "call" or report.outcome != "passed":
            self._tell(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Tell of a file that cannot be read."""
        if report.outcome != "passed":
            self._tell(report)

    def _tell(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        document = {
            "check": report.nodeid,
            "outcome": report.outcome,
            "detail": "" if report.outcome == "passed" else report.longreprtext,
        }
        self._line.write(json.dumps(document) + "\n")
        self._line.flush()


def pytest_configure(config: pytest.Config) -> None:
    """Register it; the line is open for as long as there are tests."""
    line = Path(RESULTS).open("w")  # noqa: SIM115
    config.pluginmanager.register(Reporter(line))
