"""The results as Markdown, to be pasted: `python -m bench.page bench-results.json`.

A line for each case and number of addresses, a column for each system. Pure but I/O.
"""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from bench import results
from bench.bounds import bound
from bench.plans import AT_REST, CASES, DURAVIP, KEEPALIVED, STRICT
from bench.results import Row
from bench.table import plain, seconds

COLUMNS: Final = {DURAVIP: "DuraVIP", **{name: name.replace("-", ", ") for name in KEEPALIVED}}
WORDS: Final = {
    "crash": "the owner crashes",
    "move": "a planned move",
    "sigterm": "the agent is asked to end",
    "agent-killed": "the agent is killed, its node lives",
    "leader-and-owner": "the owner crashes with the operator's leader",
    "agent-frozen": "the agent is frozen, its node lives",
    "control-plane-away": "API server and operators are away",
}
STRICTLY: Final = ", `fencing: Strict`"
TWO: Final = ", two answered"
LATE: Final = " \\*"
LEGEND: Final = (
    "Median / 99th percentile (runs) of the time until the last address answers, or of the gap; "
    "of fewer than 100 runs the 99th percentile is the slowest one."
)
TWO_MEANS: Final = "*two answered*: two nodes have answered one and the same question."
LATE_MEANS: Final = (
    "\\*: in most of these runs the observer itself was late by more than 20 ms, because the "
    "machine was busy; a part of the time is its own."
)


def page(rows: Sequence[Row]) -> str:
    """The table, what its marks mean, and the figures at rest."""
    lines = [*_table(rows), "", LEGEND]
    if any(row.double_owner_samples for row in rows):
        lines.append(TWO_MEANS)
    if any(_is_late(row) for row in rows):
        lines.append(LATE_MEANS)
    for row in rows:
        lines += [""] + [f"- {text}" for text in _figures(row)] if row.figures else []
    return "\n".join(lines)


def _table(rows: Sequence[Row]) -> Iterator[str]:
    yield _line(["what happens", "addresses", "promised", *COLUMNS.values()])
    yield _line(["---", "---:", *["---"] * (1 + len(COLUMNS))])
    for case in CASES:
        for ours in (DURAVIP, STRICT):
            yield from _lines(case, ours, [row for row in rows if row.case == case])


def _lines(case: str, ours: str, rows: Sequence[Row]) -> Iterator[str]:
    """Those of one case, strictly fenced or not."""
    if case == AT_REST:
        return
    systems = [ours, *(KEEPALIVED if ours == DURAVIP else ())]
    found = {(row.system, row.addresses): row for row in rows}
    for count in sorted({count for system, count in found if system in systems}):
        promise = bound(case, ours, count)
        cells = [found.get((system, count)) for system in systems]
        cells += [None] * (len(COLUMNS) - len(cells))
        yield _line(
            [
                WORDS[case] + (STRICTLY if ours == STRICT else ""),
                str(count),
                "" if promise is None else seconds(promise),
                *map(_cell, cells),
            ]
        )


def _cell(row: Row | None) -> str:
    if row is None:
        return ""
    two = TWO if row.double_owner_samples else ""
    late = LATE if _is_late(row) else ""
    return f"{seconds(row.median_s)} / {seconds(row.p99_s)} ({row.runs}){two}{late}"


def _is_late(row: Row) -> bool:
    return 2 * row.late_runs > row.runs


def _figures(row: Row) -> Iterator[str]:
    figures: dict[str, Any] = row.figures or {}
    for name, figure in figures.items():
        yield f"{name.replace('_', ' ')}: {plain(figure)}"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the page of files of results."""
    parser = argparse.ArgumentParser(prog="python -m bench.page", description=__doc__)
    parser.add_argument("source", nargs="+", type=Path, help="of equal cells the last one counts")
    print(page(results.merged(parser.parse_args().source)))


if __name__ == "__main__":
    main()
