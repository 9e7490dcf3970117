"""One run of a target: inputs for so long, and what came of them."""

import gc
import resource
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from fuzz.mutations import mutated
from fuzz.registry import IGNORED, Target

MOST_ESCAPES = 5
"""After so many the run ends."""
MOST_KEPT = 2000
"""Inputs that are changed further."""
TRIES = 3


@dataclass
class Report:
    """What came of a run."""

    inputs: int = 0
    seconds: float = 0.0
    slowest_s: float = 0.0
    grown_mib: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    escapes: list[str] = field(default_factory=list)
    """What went wrong, each with its input."""

    def __str__(self) -> str:
        """For people."""
        counts = ", ".join(f"{count} {what}" for what, count in self.outcomes.most_common(12))
        return "\n".join(
            [
                f"{self.inputs} inputs in {self.seconds:.0f} s, {len(self.escapes)} escapes, "
                f"slowest {self.slowest_s * 1000:.1f} ms, memory grew by {self.grown_mib:.1f} MiB",
                f"made of them: {counts}",
                *self.escapes,
            ]
        )


def run(target: Target, seconds: float, seed: int = 0) -> Report:
    """Give a target inputs for so long; always the same ones for the same seed."""
    try:
        return _run(target, seconds, seed)
    finally:
        target.close()


def _run(target: Target, seconds: float, seed: int) -> Report:
    report, chance = Report(), Random(seed)  # noqa: S311 - only has to be the same each time
    kept = list(target.examples)
    for example in target.examples:
        _give(target, example, report)
    gc.collect()
    began, memory = time.monotonic(), _memory_mib()
    while time.monotonic() - began < seconds and len(report.escapes) < MOST_ESCAPES:
        data = mutated(chance.choice(kept), kept, chance, target.longest)
        known = len(report.outcomes)
        outcome = _give(target, data, report)
        if len(report.outcomes) > known or (outcome != IGNORED and chance.random() < 0.0005):
            kept.append(data)
            if len(kept) > MOST_KEPT:
                del kept[chance.randrange(len(target.examples), len(kept))]
    gc.collect()
    report.seconds = time.monotonic() - began
    report.grown_mib = _memory_mib() - memory
    if report.grown_mib > target.all_within_mib:
        report.escapes.append(f"memory grew by {report.grown_mib:.1f} MiB in this run")
    return report


def _give(target: Target, data: bytes, report: Report) -> str:
    """What came of it; IGNORED if it is not to be changed further."""
    report.inputs += 1
    peak, began = _peak_mib(), time.thread_time()
    try:
        outcome = target.check(data)
        report.outcomes[outcome] += 1
    except Exception:  # noqa: BLE001 - that is what is looked for
        report.escapes.append(f"{data!r}\n{traceback.format_exc()}")
        return IGNORED
    took = time.thread_time() - began
    if took > target.within_s:
        took = min(took, *(_time_of(target, data) for _ in range(TRIES - 1)))
        if took > target.within_s:
            report.escapes.append(f"{data!r} took {took * 1000:.0f} ms")
    report.slowest_s = max(report.slowest_s, took)
    if _peak_mib() - peak > target.within_mib:
        report.escapes.append(f"{data!r} took {_peak_mib() - peak:.0f} MiB")
    return outcome


def _time_of(target: Target, data: bytes) -> float:
    began = time.thread_time()
    target.check(data)
    return time.thread_time() - began


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _memory_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20
