"""The findings of `doctor`: one a line, each with a verdict."""

from typing import Literal, NamedTuple

Severity = Literal["ok", "warn", "FAIL"]


class Finding(NamedTuple):
    """One line of the report."""

    verdict: Severity
    check: str
    message: str
