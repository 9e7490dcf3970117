"""What processes use, from /proc; and how to keep every processor busy."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

BUSY: Final = (
    "import sys, time\n"
    "end = time.monotonic() + float(sys.argv[1])\n"
    "while time.monotonic() < end: pass\n"
)
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_UTIME: Final = 11
"""The place of utime after the name in /proc/PID/stat; stime follows it."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a program and its children have used so far."""

    cpu_seconds: float
    rss_mib: float


def usage(pid: int) -> Usage:
    """That of a process and of all that descend from it and are alive."""
    family = list(_family(pid))
    return Usage(sum(map(_cpu, family)), sum(map(_rss, family)))


@contextmanager
def busy_processors(seconds: float) -> Iterator[None]:
    """A busy loop for each processor; they end by themselves, and with us."""
    loops = [
        subprocess.Popen([sys.executable, "-I", "-c", BUSY, str(seconds)])
        for _ in range(os.cpu_count() or 1)
    ]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def _family(pid: int) -> Iterator[int]:
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from _family(int(child))


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[_UTIME : _UTIME + 2])) / _TICKS


def _rss(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024
