"""The findings of `doctor`: one a line, each with a verdict."""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

Severity = Literal["ok", "warn", "FAIL"]
NAMED: Final = 5
"""So many names stand in one line."""


class Finding(NamedTuple):
    """One line of the report."""

    verdict: Severity
    check: str
    message: str


def named(names: Sequence[str]) -> str:
    """The first few of them, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
