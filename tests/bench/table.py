"""The tables that are printed. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from bench.phases import NAMES
from bench.results import Row

HEAD = ("case", "system", "addresses", "runs", "median", "p99", "double", "late")
_LEFT = 2
"""So many columns are words; the rest are numbers, to the right."""


def table(rows: Iterable[Row]) -> str:
    """All rows, those of one case together."""
    return _aligned([HEAD, *(_cells(row) for row in rows)])


def phases(rows: Iterable[Row]) -> str:
    """The phases of fail-overs, in ms after the event; empty when there are none."""
    told = [row for row in rows if row.phases_ms]
    names = [name for name in NAMES if any(name in row.phases_ms for row in told)]
    lines = [(row.case, row.system, str(row.addresses), *_moments(row, names)) for row in told]
    return _aligned([("ms after the event", *HEAD[1:3], *names), *lines]) if lines else ""


def doubles(rows: Iterable[Row]) -> str:
    """Why two machines answered one question, a line each; empty when none did."""
    return "\n".join(
        f"{row.case}, {row.system}, {row.addresses} addresses: two answered one question: "
        + plain(row.double_kinds)
        for row in rows
        if row.double_kinds
    )


def seconds(value: float | None) -> str:
    """A time for people."""
    if value is None:
        return "never"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


def plain(figure: Any) -> str:
    """A figure, or several, for people."""
    if isinstance(figure, dict):
        return ", ".join(f"{name} {value}" for name, value in figure.items()) or "none"
    return str(figure)


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.case,
        row.system,
        str(row.addresses),
        str(row.runs),
        seconds(row.median_s),
        seconds(row.p99_s),
        str(row.double_owner_samples),
        str(row.late_runs),
    )


def _moments(row: Row, names: Iterable[str]) -> Iterator[str]:
    """A dash for a phase that the logs do not tell of."""
    for name in names:
        yield f"{row.phases_ms[name]:.0f}" if name in row.phases_ms else "-"


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(_line(line, widths) for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        cell.ljust(width) if index < _LEFT else cell.rjust(width)
        for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(padded).rstrip()
