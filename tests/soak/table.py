"""The summary: what happened how often, how long it took to settle, what was wrong. Pure."""

from collections import defaultdict
from collections.abc import Sequence
from statistics import median

from soak.rounds import Round
from soak.vitals import Vitals

HEAD = ("fault", "times", "settled, median", "longest", "double answers", "two while it healed")


def table(rounds: Sequence[Round]) -> str:
    """A line for each kind of fault; of two at a time each is counted."""
    of_kind: dict[str, list[Round]] = defaultdict(list)
    for one in rounds:
        for fault in one.faults:
            of_kind[kind(fault)].append(one)
    rows = [HEAD, *(_row(name, of_kind[name]) for name in sorted(of_kind)), _row("all", rounds)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    return "\n".join(
        row[0].ljust(widths[0])
        + "".join(f"  {cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))
        for row in rows
    )


def health(vitals: Vitals) -> str:
    """A line for each program: the most it held, and how it has grown."""
    grown = dict(vitals.growths())
    lines = []
    for name, most in sorted(vitals.most.items()):
        line = f"{name}: at most {most.mib:.0f} MiB and {most.files} files"
        if more := grown.get(name):
            line += (
                f"; its longest run {more.mib:+.1f} MiB, {more.files:+} files since it was warm"
            )
        lines.append(line)
    return "\n".join(lines)


def kind(fault: str) -> str:
    """A fault's name without the machine, and without numbers."""
    words = fault.split()
    return " ".join(
        word for word in words if word not in {"n1", "n2", "n3", "cp", "x"} and not word.isdigit()
    )


def _row(name: str, rounds: Sequence[Round]) -> tuple[str, ...]:
    settled = [one.settled for one in rounds]
    return (
        name,
        str(len(rounds)),
        f"{median(settled):.1f} s" if settled else "-",
        f"{max(settled):.1f} s" if settled else "-",
        str(sum(one.doubles for one in rounds)),
        f"{max((one.healing for one in rounds), default=0) * 1000:.0f} ms",
    )
