"""Mutation tests of what decides about safety: `python -m mutation [--all] [--jobs N] [FILE...]`.

Every mutant of the modules in `targets.py` is tried against the tests named there. One that all
of them miss is a survivor, unless `reviewed.txt` says why it changes nothing. Exit code 0 only
when there is none, and nothing in that list that is no mutant any more or is found after all.

Without --all and without names a part of each module is tried, another one each time that its
source changes.
"""

import argparse
import os
import subprocess
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from mutation.mutants import mutants
from mutation.targets import TARGETS, Target

ROOT: Final = Path(__file__).resolve().parents[2]
REVIEWED: Final = Path(__file__).with_name("reviewed.txt")
SHORT: Final = 8
"""One mutant of so many is tried in a short run."""


def reviewed(text: str) -> dict[str, str]:
    """`{mutant: why it changes nothing}`: a mutant a line, its reason indented below it."""
    found: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith(" "):
            found[name] = line.strip()
        elif line and not line.startswith("#"):
            name = line
    return found


def chosen(target: Target, *, is_all: bool) -> Iterator[tuple[int, str]]:
    """`(position, name)` of the mutants of a module that are to be tried."""
    source = (ROOT / target.file).read_text()
    turn = zlib.crc32(source.encode())
    for position, mutant in enumerate(mutants(source)):
        is_meant = not target.only or mutant.name.startswith(target.only)
        if is_meant and (is_all or (position + turn) % SHORT == 0):
            yield position, f"{target.module} {mutant.name}"


def outcomes(target: Target, positions: Sequence[int]) -> Iterator[tuple[int, bool]]:
    """`(position, whether all tests passed)` of each of these, as they come.

    Raises RuntimeError when they fail with the module as it is, or cannot be run.
    """
    command = [sys.executable, "-m", "mutation.child", target.file, *map(str, positions)]
    environment = {
        **os.environ,
        "PYTHONPATH": "crds:operator:agent:cli:tests",
        "PYTHONHASHSEED": "0",
    }
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as worker:
        for line in worker.stdout or ():
            position, _, outcome = line.strip().partition(" ")
            if outcome != "passed" and (position == "-1" or outcome != "failed"):
                raise RuntimeError(f"{target.file}, mutant {position}: the tests {outcome}")
            if position != "-1":
                yield int(position), outcome == "passed"


def tried(target: Target, names: Mapping[int, str], jobs: int) -> dict[str, bool]:
    """`{mutant: whether all tests missed it}`."""

    def share(first: int) -> dict[str, bool]:
        found = {}
        for position, is_missed in outcomes(target, list(names)[first::jobs]):
            found[names[position]] = is_missed
            print("missed" if is_missed else "killed", names[position], flush=True)
        return found

    with ThreadPoolExecutor(jobs) as pool:
        return {
            name: found for part in pool.map(share, range(jobs)) for name, found in part.items()
        }


def main() -> None:
    """Try them, and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m mutation")
    parser.add_argument("--all", action="store_true", help="every mutant")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("files", nargs="*", help="parts of file names: every mutant of these")
    asked = parser.parse_args()
    why = reviewed(REVIEWED.read_text())
    missed: dict[str, bool] = {}
    for target in TARGETS:
        if not asked.files or any(part in target.file for part in asked.files):
            names = dict(chosen(target, is_all=asked.all or bool(asked.files)))
            missed |= tried(target, names, asked.jobs)
    survivors = [name for name, is_missed in missed.items() if is_missed and name not in why]
    wrong = [name for name in why if not missed.get(name, True)]
    killed = sum(not is_missed for is_missed in missed.values())
    equivalent = len(missed) - killed - len(survivors)
    print(
        f"{len(missed)} mutants: {killed} killed, {equivalent} equivalent, "
        f"{len(survivors)} survivors"
    )
    for name in survivors:
        print("survivor:", name)
    for name in wrong:
        print("reviewed, but killed:", name)
    sys.exit(bool(survivors or wrong))


if __name__ == "__main__":
    main()
