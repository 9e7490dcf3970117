"""Rows of results: how they are made from runs, and the file that they are kept in. Pure but I/O.

The file is a list of objects with the keys that the project promises. A time that never came to
an end while somebody looked is `null` there, and `never` in print.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from math import ceil, inf, isinf
from pathlib import Path
from statistics import median
from typing import Any, Final, Self

LATE: Final = 0.02
"""An observer that was behind by more seconds than this has added to what it saw."""


@dataclass(frozen=True, slots=True)
class Run:
    """What was seen of one event."""

    seconds: float
    """The worst of the observed addresses; infinite: one of them did not answer again."""
    doubles: int
    """How many questions two machines have answered."""
    phases_ms: dict[str, float] = field(default_factory=dict)
    late: float = 0.0
    """By how much the observer itself was behind, at worst."""
    kinds: dict[str, int] = field(default_factory=dict)
    """How many of the doubles came about how (`doubles.Kind`)."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    case: str
    system: str
    addresses: int
    runs: int
    median_s: float | None
    p99_s: float | None
    double_owner_samples: int
    phases_ms: dict[str, float] = field(default_factory=dict)
    figures: dict[str, Any] | None = None
    """What else was measured; only the rows `at-rest` and `mail-move` have it."""
    double_kinds: dict[str, int] = field(default_factory=dict)
    """How many of the double answers came about how."""
    late_runs: int = 0
    """In so many of the runs the observer itself was late: their times are partly its own."""

    @property
    def key(self) -> tuple[str, str, int]:
        """What it is about."""
        return self.case, self.system, self.addresses

    @classmethod
    def of(cls, case: str, system: str, addresses: int, runs: Sequence[Run]) -> Self:
        """Sum up the runs of one case."""
        times = [run.seconds for run in runs]
        return cls(
            case=case,
            system=system,
            addresses=addresses,
            runs=len(runs),
            median_s=_finite(median(times)),
            p99_s=_finite(percentile(times, 99)),
            double_owner_samples=sum(run.doubles for run in runs),
            phases_ms=medians([run.phases_ms for run in runs]),
            double_kinds=_summed(run.kinds for run in runs),
            late_runs=sum(run.late > LATE for run in runs),
        )

    def as_fact(self) -> dict[str, Any]:
        """As the file has it."""
        fact = asdict(self)
        if self.figures is None:
            del fact["figures"]
        if not self.double_kinds:
            del fact["double_kinds"]
        return fact


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many per cent of all do not exceed: never an invented one."""
    ordered = sorted(values)
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)]


def medians(runs: Sequence[dict[str, float]]) -> dict[str, float]:
    """Of each phase the median, as far as more than half of the runs tell it; in their order."""
    found: dict[str, list[float]] = {}
    for run in runs:
        for phase, value in run.items():
            found.setdefault(phase, []).append(value)
    told = {phase: values for phase, values in found.items() if 2 * len(values) > len(runs)}
    return {p: round(median(v), 1) for p, v in sorted(told.items(), key=lambda i: median(i[1]))}


def _summed(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(sorted(total.items()))


def write(file: Path, rows: Iterable[Row]) -> None:
    """Write them whole or not at all."""
    part = file.with_name(f"{file.name}.part")
    lines = [json.dumps(row.as_fact(), allow_nan=False) for row in rows]
    part.write_text("[\n" + ",\n".join(lines) + "\n]\n")
    part.rename(file)


def read(file: Path) -> list[Row]:
    """The rows of a file."""
    return [Row(**fact) for fact in json.loads(file.read_text())]


def _finite(seconds: float) -> float | None:
    return None if isinf(seconds) else round(seconds, 4)


def worst(seconds: Iterable[float]) -> float:
    """The longest of them; infinite when one never ended, or nobody looked."""
    return max(seconds, default=inf)


def merged(files: Iterable[Path]) -> list[Row]:
    """The rows of all these; of one cell that is in several the last one counts."""
    rows = [row for file in files for row in read(file)]
    return list({(row.case, row.system, row.addresses): row for row in rows}.values())
