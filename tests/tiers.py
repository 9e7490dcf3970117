"""Runs the tiers of the test suite one after the other and prints one summary line for each.

    python tests/tiers.py TIER...

A tier is a folder under tests/, or `lint`. A tier that fails does not keep the next ones from
running; a tier without a single test has failed. Exit code 0 only when all have passed.

The simulation only computes, for long. It begins with the first tier that has labs and takes what
these leave of the processors, which is about half; what it prints comes last.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Final

ROOT: Final = Path(__file__).resolve().parent.parent
WIDTH: Final = 12
SHARED: Final = {
    "unit": "load",
    "chart": "load",
    "processes": "load",
    "properties": "load",
    "scenarios": "load",
    "fuzz": "load",
    "api": "loadfile",
    "page": "loadfile",
    "netns": "loadfile",
    "faults": "loadfile",
    "mail": "loadfile",
}
"""Tiers that all processors share, and what stays together: those that compute, and those whose
labs do little but wait, so that two of them have room side by side."""
TESTS: Final = {
    "unit": ("tests/unit", "-m", "not properties"),
    "properties": ("tests/properties", "tests/unit", "-m", "properties"),
}
"""What pytest is told of a tier that is not just its folder."""
BESIDE: Final = {"simulation": "netns"}
"""Tiers that run beside others, each from the beginning of this one on, if that runs as well."""
IDLE: Final = ("chrt", "--idle", "0")
"""The kernel runs what is started like this only where nothing else wants to run."""


class Tier:
    """One tier under way; `finish` waits for it."""

    def __init__(self, name: str, *, is_beside: bool = False) -> None:
        self.name = name
        self._is_beside = is_beside
        self._started = time.monotonic()
        self._output: IO[str] | None = None
        if is_beside:
            self._output = tempfile.TemporaryFile("w+")  # noqa: SIM115 - until it has finished
        command = [*(IDLE if is_beside else ()), *_command(name)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=self._output)

    def finish(self) -> tuple[bool, str]:
        """Whether it has passed, and its line of the summary."""
        try:
            passed = self._process.wait() == 0
        except BaseException:  # what was interrupted ends with us
            self.stop()
            raise
        seconds = time.monotonic() - self._started
        if self._output:
            self._output.seek(0)
            sys.stdout.write(self._output.read())
        word = "passed" if passed else "FAILED"
        took = "beside others" if self._is_beside else f"in {seconds:.0f} s"
        return passed, f"{self.name:{WIDTH}} {word} {took}"

    def stop(self) -> None:
        """End it, if it has not ended."""
        self._process.terminate()
        self._process.wait()


def _command(tier: str) -> list[str]:
    if tier == "lint":
        return ["make", "--no-print-directory", "lint"]
    tests = TESTS.get(tier, (f"tests/{tier}",))
    shown = ("-rfER", "--rerun-show-tracebacks", "--durations=3")
    command = [sys.executable, "-m", "pytest", "-q", *shown, *tests]
    if tier in SHARED:
        command += ["--numprocesses=auto", f"--dist={SHARED[tier]}"]
    return command


def main() -> None:
    """Run the tiers that the command line names."""
    names = sys.argv[1:]
    waiting = {name: first for name, first in BESIDE.items() if {name, first} <= {*names}}
    beside: list[Tier] = []
    results = []
    try:
        for name in names:
            if name in waiting:
                continue
            beside += [
                Tier(one, is_beside=True) for one, first in waiting.items() if first == name
            ]
            print(f"--- {name}", flush=True)
            results.append(Tier(name).finish())
        for tier in beside:
            print(f"--- {tier.name}", flush=True)
            results.append(tier.finish())
    finally:
        for tier in beside:
            tier.stop()
    print("--- summary", *(line for _, line in results), sep="\n")
    sys.exit(not all(passed for passed, _ in results))


if __name__ == "__main__":
    main()
