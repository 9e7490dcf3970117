"""The checks of `doctor`: of the installation, of nodes and objects, and of this machine."""

from typing import Literal, NamedTuple

Severity = Literal["ok", "warn", "FAIL"]


class Finding(NamedTuple):
    """One line of the report."""

    verdict: Severity
    check: str
    message: str
