"""The command line: `python -m bench`."""

import argparse
import os
import platform
import signal
import sys
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from bench import plans, table
from bench.campaign import Campaign
from bench.results import Row
from bench.stage import open_stage
from lab import requirements
from lab.errors import LabError

ROOT = Path(__file__).parents[2]
QUICK_LIMIT = 285.0
"""Seconds, for all of it: what does not fit is named."""
MINUTES = 150.0
"""The same, when nothing is said."""


def main(argv: list[str] | None = None) -> int:
    """Measure what is asked for; the exit code."""
    arguments = _parser().parse_args(argv)
    wish = plans.Wish(
        cases=tuple(arguments.case or ()),
        systems=tuple(arguments.system or ()),
        addresses=tuple(arguments.addresses or ()),
        runs=arguments.runs,
        quick=arguments.quick,
    )
    cells = plans.plan(wish)
    if not cells:
        print("nothing is to be measured: no case fits", file=sys.stderr)
        return 2
    if any(cell.system in plans.KEEPALIVED for cell in cells):
        _install_keepalived()
    limit = QUICK_LIMIT if wish.quick else 60.0 * arguments.minutes
    where = machine()
    say(where)
    say(f"{len(cells)} cases, {limit / 60:.0f} minutes at most")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    opening = partial(open_stage, say=say, is_quick=wish.quick)
    campaign = Campaign(arguments.output, say, opening, limit=limit)
    try:
        campaign.measure(cells)
    except KeyboardInterrupt:
        say("interrupted: what was measured so far is kept")
        return 130
    finally:
        conclude(campaign, arguments.output, arguments.drawing, where)
    return 0 if campaign.rows else 1


def _install_keepalived() -> None:
    """Where that fails the table goes without it, and says so."""
    try:
        requirements.ensure("bench", say)
    except LabError as error:
        say(f"keepalived: {error}")


def conclude(campaign: Campaign, output: Path, drawing: Path, where: str) -> None:
    """Print the table and all that has to be known with it; draw it."""
    rows = campaign.rows
    if rows:
        print(f"\n{table.table(rows)}\n")
        for told in (table.phases(rows), table.doubles(rows)):
            if told:
                print(f"{told}\n")
        for row in rows:
            _print_figures(row)
    for note in campaign.notes:
        print(f"not run: {note}")
    if rows:
        _draw(rows, drawing, f"{datetime.now(UTC):%Y-%m-%d}, {where}")
        print(f"load at the end {os.getloadavg()[0]:.1f}; results: {output}")


def _draw(rows: list[Row], drawing: Path, subtitle: str) -> None:
    try:
        from bench.drawing import draw  # noqa: PLC0415 (all but the picture works without it)
    except ImportError:
        print("no picture: matplotlib is not installed")
        return
    if draw(rows, drawing, subtitle):
        print(f"picture: {drawing}")


def _print_figures(row: Row) -> None:
    for name, figure in (row.figures or {}).items():
        print(f"{row.case}, {row.addresses} addresses: {name}: {table.plain(figure)}")


def machine() -> str:
    """What it is measured on, in one line."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = os.getloadavg()[0]
    return (
        f"{os.cpu_count()} processors, {memory:.0f} GiB, Linux {platform.release()}, "
        f"load {load:.1f} at the start"
    )


def say(line: str) -> None:
    """Tell of the progress."""
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measures how long addresses are silent when something happens, beside "
        "keepalived on the same machine. Needs root. See tests/bench/README.md.",
        epilog="Cases: " + "; ".join(f"{name}: {what}" for name, what in plans.CASES.items()),
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="few runs of few cases, in less than 5 minutes")
    add("--case", action="append", choices=list(plans.CASES), help="only this one; repeatable")
    add("--system", action="append", choices=plans.SYSTEMS, help="only this one; repeatable")
    add("--addresses", action="append", type=_count, metavar="N", help="so many; repeatable")
    add("--runs", type=_count, default=0, metavar="N", help="of each case, if time allows")
    add(
        "--minutes", type=_minutes, default=MINUTES, metavar="N", help="for all of it: %(default)g"
    )
    add("--output", type=Path, default=ROOT / "bench-results.json", metavar="FILE")
    add("--drawing", type=Path, default=ROOT / "bench.svg", metavar="FILE")
    return parser


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 10_240:
        raise argparse.ArgumentTypeError(f"must be 1 to 10240, not {number}")
    return number


def _minutes(text: str) -> float:
    number = float(text)
    if not 1 <= number <= 24 * 60:
        raise argparse.ArgumentTypeError(f"must be 1 to 1440, not {number:g}")
    return number


if __name__ == "__main__":
    sys.exit(main())
