"""The health of programs: what memory and files they hold, what their logs should not say."""

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from bench.usage import usage

WARM: Final = 120.0
"""A program's growth is counted from so many seconds after its start."""
MORE_MIB: Final = 30.0
MORE_FILES: Final = 20
MOST_MIB: Final = {"agent": 120.0, "operator": 400.0}
"""With a few hundred addresses; an operator with its pulse."""
ALARM: Final = "Traceback (most recent call last)"
RECORD: Final = re.compile(r"^(?=\d{4}-\d\d-\d\dT|Exception in thread)", re.MULTILINE)
"""Where a line of a log begins; what it goes on with has no time."""


class Held(NamedTuple):
    """What a program holds now."""

    mib: float
    files: int
    """Open files, sockets among them."""


@dataclass(slots=True)
class Life:
    """One run of a program."""

    seen: float
    first: Held | None = None
    """When it was warm."""
    last: Held | None = None


@dataclass
class Vitals:
    """What has been seen of all programs, in all of their runs."""

    warm: float = WARM
    """How old a program must have been seen to be before its growth counts."""
    _lives: dict[tuple[str, int], Life] = field(default_factory=dict)
    _read: dict[Path, int] = field(default_factory=lambda: defaultdict(int))
    most: dict[str, Held] = field(default_factory=dict)
    """By program: the most that it ever held."""

    def look(self, programs: Mapping[str, int], now: float) -> list[str]:
        """Look at `{program and machine: process}`; what is wrong with them."""
        wrongs = []
        for name, pid in programs.items():
            try:
                held = Held(usage(pid).rss_mib, len(os.listdir(f"/proc/{pid}/fd")))  # noqa: PTH208 (numbers)
            except (OSError, StopIteration):
                continue  # it has just ended
            life = self._lives.setdefault((name, pid), Life(now))
            if life.first is None and now - life.seen >= self.warm:
                life.first = held
            life.last = held
            self._note(name, held)
            wrongs += _wrongs(name, held, life.first)
        return wrongs

    def growths(self) -> Iterator[tuple[str, Held]]:
        """By program: how much more its longest run holds than when it was warm."""
        longest: dict[str, Life] = {}
        for (name, _), life in self._lives.items():
            if life.first and (name not in longest or life.seen < longest[name].seen):
                longest[name] = life
        for name, life in sorted(longest.items()):
            if life.first and life.last:
                more = Held(life.last.mib - life.first.mib, life.last.files - life.first.files)
                yield name, more

    def tracebacks(self, logs: Path) -> list[str]:
        """What programs have logged of bugs since this was asked last."""
        found = []
        for log in sorted(logs.glob("*/duravip-*.log")):
            text = log.read_text(errors="replace")
            records = RECORD.split(text[self._read[log] :])
            self._read[log] = len(text)
            alarming = [record.splitlines() for record in records if ALARM in record]
            found += [f"{log.parent.name}/{log.name}: {a[0]}: {a[-1]}" for a in alarming]
        return found

    def _note(self, name: str, held: Held) -> None:
        known = self.most.get(name, held)
        self.most[name] = Held(max(known.mib, held.mib), max(known.files, held.files))


def _wrongs(name: str, held: Held, first: Held | None) -> list[str]:
    program, _, _ = name.partition(" ")
    wrongs = [f"{name} holds {held.mib:.0f} MiB"] if held.mib > MOST_MIB[program] else []
    if first and held.mib - first.mib > MORE_MIB:
        wrongs.append(f"{name} has grown from {first.mib:.0f} to {held.mib:.0f} MiB")
    if first and held.files - first.files > MORE_FILES:
        wrongs.append(f"{name} had {first.files} files open, and now {held.files}")
    return wrongs
