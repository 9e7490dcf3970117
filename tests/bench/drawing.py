"""The picture: `python -m bench.drawing bench-results.json bench.svg`.

One panel for each case that matters most: medians as dots, the 99th percentile as the upper end
of a whisker. Both axes are logarithmic. Where two nodes have answered for one address the
dot is hollow: no outage is then no merit.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench import results
from bench.plans import CRASH, DURAVIP, MOVE, STRICT
from bench.results import Row

PANELS: Final = {
    CRASH: "a node loses its power",
    MOVE: "a planned move (keepalived: it is ended)",
    "agent-killed": "the agent is killed, its node lives",
}
THEIR_MOVE: Final = "sigterm"
"""What others have instead: they are asked to end."""
STYLES: Final = {
    DURAVIP: ("#0b6e4f", "o", "-", 1.0),
    STRICT: ("#59a98c", "D", "-.", 1.06),
    "keepalived-0.1s": ("#c1666b", "s", "--", 1.12),
    "keepalived-1s": ("#4f5d75", "^", ":", 1.24),
}
"""Colour, marker, line, and how far to the right, so that whiskers do not hide one another."""
TWO_OWNERS: Final = "hollow: two nodes answer"
HIGHEST: Final = 20.0
"""Where the whisker of a time ends that had no end."""
LEAST: Final = 0.001
"""Gaps shorter than this, none included, are drawn here: nothing finer was measured."""
TICKS: Final = {0.001: "1 ms", 0.01: "10 ms", 0.1: "0.1 s", 1: "1 s", 10: "10 s"}


def draw(rows: Sequence[Row], file: Path, subtitle: str = "") -> bool:
    """Draw what can be drawn; whether there was anything."""
    found = figure(rows, subtitle)
    if found:
        found.savefig(file, format="svg", metadata={"Date": None})
    return found is not None


def figure(rows: Sequence[Row], subtitle: str = "") -> Figure | None:
    """The picture; None when no row belongs into it."""
    cases = [case for case in PANELS if _shown(case, rows)]
    if not cases:
        return None
    mpl.rcParams["svg.hashsalt"] = "bench"  # the same results make the same file
    mpl.rcParams["svg.fonttype"] = "none"  # words stay words, and the file small
    made = Figure(figsize=(1.2 + 3.6 * len(cases), 4.4), layout="constrained", facecolor="white")
    panels = made.subplots(1, len(cases), sharey=True, squeeze=False)[0]
    for case, panel in zip(cases, panels, strict=True):
        _panel(panel, case, _shown(case, rows))
    panels[0].set_ylabel("outage of the last address")
    handles = {
        label: handle
        for panel in panels
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    made.legend(
        handles.values(), handles.keys(), loc="outside lower center", ncols=4, frameon=False
    )
    made.suptitle(f"Outage seen by a client\n{subtitle}".strip(), fontsize=10)
    return made


def _shown(case: str, rows: Sequence[Row]) -> list[Row]:
    """What belongs into a panel."""
    theirs = THEIR_MOVE if case == MOVE else case
    ours = {DURAVIP, STRICT}
    return [row for row in rows if row.case == (case if row.system in ours else theirs)]


def _panel(panel: Axes, case: str, rows: Sequence[Row]) -> None:
    for system in STYLES:
        own = [row for row in rows if row.system == system and row.median_s is not None]
        if own:
            _series(panel, system, sorted(own, key=lambda row: row.addresses))
    counts = sorted({row.addresses for row in rows})
    panel.set(xscale="log", yscale="log", ylim=(LEAST * 0.7, HIGHEST), xlabel="addresses")
    panel.set_xlim(0.6, 20_000)
    panel.set_xticks(counts, [str(count) for count in counts])
    panel.set_yticks(list(TICKS), list(TICKS.values()))
    panel.minorticks_off()
    panel.set_title(PANELS[case], fontsize=10)
    panel.grid(visible=True, which="major", linewidth=0.4, color="#cccccc")
    if any(map(_is_doubled, rows)):
        panel.text(0.5, 0.1, TWO_OWNERS, ha="center", fontsize=8, transform=panel.transAxes)


def _series(panel: Axes, system: str, rows: Sequence[Row]) -> None:
    colour, marker, line, aside = STYLES[system]
    places = [row.addresses * aside for row in rows]
    medians = [max(LEAST, row.median_s or 0) for row in rows]
    tops = [HIGHEST if row.p99_s is None else max(LEAST, row.p99_s) for row in rows]
    above = [top - middle for top, middle in zip(tops, medians, strict=True)]
    panel.errorbar(
        places, medians, yerr=[[0.0] * len(rows), above], label=system, color=colour,
        marker=marker, linestyle=line, capsize=3, markersize=5,
    )  # fmt: skip
    doubled = [at for *at, row in zip(places, medians, rows, strict=True) if _is_doubled(row)]
    panel.plot(
        [place for place, _ in doubled], [middle for _, middle in doubled], linestyle="none",
        marker=marker, markersize=5, markerfacecolor="white", color=colour, zorder=5,
    )  # fmt: skip


def _is_doubled(row: Row) -> bool:
    return row.double_owner_samples > 0


def main() -> None:
    """Draw the results of files."""
    parser = argparse.ArgumentParser(prog="python -m bench.drawing", description=__doc__)
    parser.add_argument("source", nargs="+", type=Path, help="of equal cells the last one counts")
    parser.add_argument("target", type=Path, help="the picture, e.g. bench.svg")
    parser.add_argument("--subtitle", default="", help="when and where it was measured")
    given = parser.parse_args()
    if not draw(results.merged(given.source), given.target, given.subtitle):
        parser.error("there is nothing that can be drawn")


if __name__ == "__main__":
    main()
