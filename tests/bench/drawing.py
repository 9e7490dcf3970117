"""The picture: `python -m bench.drawing bench-results.json bench.svg [SUBTITLE]`.

One panel for each case that has more than one number of addresses: medians as dots, the 99th
percentile as the upper end of a whisker. Both axes are logarithmic.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench import results
from bench.results import Row

PANELS: Final = {
    "crash": "a node loses its power",
    "sigterm": "its agent is asked to end",
    "agent-killed": "its agent is killed",
}
STYLES: Final = {
    "duravip": ("#0b6e4f", "o", "-"),
    "keepalived-0.1s": ("#c1666b", "s", "--"),
    "keepalived-1s": ("#4f5d75", "^", ":"),
}
LEAST: Final = 0.001
"""Gaps shorter than this, none included, are drawn here: nothing finer was measured."""
TICKS: Final = {0.001: "1 ms", 0.01: "10 ms", 0.1: "0.1 s", 1: "1 s", 10: "10 s"}


def draw(rows: Sequence[Row], file: Path, subtitle: str = "") -> bool:
    """Draw what can be drawn; whether there was anything."""
    cases = [case for case in PANELS if any(row.case == case for row in rows)]
    if not cases:
        return False
    mpl.rcParams["svg.hashsalt"] = "bench"  # the same results make the same file
    figure = Figure(figsize=(1.2 + 3.6 * len(cases), 4.2), layout="constrained")
    panels = figure.subplots(1, len(cases), sharey=True, squeeze=False)[0]
    for case, panel in zip(cases, panels, strict=True):
        _panel(panel, case, [row for row in rows if row.case == case])
    panels[0].set_ylabel("outage of the last address")
    handles = {
        label: handle
        for panel in panels
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        handles.values(), handles.keys(), loc="outside lower center", ncols=3, frameon=False
    )
    figure.suptitle(f"Outage seen by a client\n{subtitle}".strip(), fontsize=10)
    figure.savefig(file, format="svg", metadata={"Date": None})
    return True


def _panel(panel: Axes, case: str, rows: Sequence[Row]) -> None:
    for system, (colour, marker, line) in STYLES.items():
        points = sorted(
            (r.addresses, r) for r in rows if r.system == system and r.median_s is not None
        )
        if points:
            counts = [count for count, _ in points]
            medians = [max(LEAST, row.median_s or 0) for _, row in points]
            tops = [max(LEAST, row.p99_s or 0) for _, row in points]
            whiskers = [[0.0] * len(points), [t - m for t, m in zip(tops, medians, strict=True)]]
            panel.errorbar(
                counts, medians, yerr=whiskers, label=system, color=colour, marker=marker,
                linestyle=line, capsize=3, markersize=5,
            )  # fmt: skip
    panel.set(xscale="log", yscale="log", ylim=(LEAST * 0.8, 20), xlabel="addresses")
    counts = sorted({row.addresses for row in rows})
    panel.set_xticks(counts, [str(count) for count in counts])
    panel.set_xticks([], minor=True)
    panel.set_yticks(list(TICKS), list(TICKS.values()))
    panel.set_title(PANELS[case], fontsize=10)
    panel.grid(visible=True, which="major", linewidth=0.4, color="#cccccc")


def main() -> None:
    """Draw the results of a file."""
    source, target, *subtitle = sys.argv[1:]
    if not draw(results.read(Path(source)), Path(target), " ".join(subtitle)):
        sys.exit(f"{source} holds nothing that can be drawn")


if __name__ == "__main__":
    main()
