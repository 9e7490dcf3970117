"""The table that is printed. Pure."""

from collections.abc import Iterable, Sequence

from bench.results import Row

HEAD = ("case", "system", "addresses", "runs", "median", "p99", "double")
_LEFT = 2
"""So many columns are words; the rest are numbers, to the right."""


def table(rows: Iterable[Row]) -> str:
    """All rows, those of one case together."""
    lines = [HEAD, *(_cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEAD))]
    return "\n".join(_line(line, widths) for line in lines)


def phases(row: Row) -> str:
    """One line with the phases of a row's fail-over; empty when it has none."""
    steps = " → ".join(f"{name} {value:.0f}" for name, value in row.phases_ms.items())
    return f"{row.case}, {row.addresses} addresses, ms after the event: {steps}" if steps else ""


def seconds(value: float | None) -> str:
    """A time for people."""
    if value is None:
        return "never"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.case,
        row.system,
        str(row.addresses),
        str(row.runs),
        seconds(row.median_s),
        seconds(row.p99_s),
        str(row.double_owner_samples),
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        cell.ljust(width) if index < _LEFT else cell.rjust(width)
        for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(padded).rstrip()
