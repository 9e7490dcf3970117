"""Runs the tiers of the test suite one after the other and prints one summary line for each.

    python tests/tiers.py TIER...

A tier is a folder under tests/, or `lint`. A tier that fails does not keep the next ones from
running; a tier without a single test has failed. Exit code 0 only when all have passed.
"""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WIDTH = 12
SHARED = {
    "unit": "load",
    "processes": "load",
    "properties": "load",
    "scenarios": "load",
    "fuzz": "load",
    "api": "loadfile",
    "netns": "loadfile",
    "faults": "loadfile",
}
"""Tiers that all processors share, and what stays together: those that compute, and those whose
labs do little but wait, so that two of them have room side by side."""


def run(tier: str) -> bool:
    """Run one tier; whether it passed."""
    command = [sys.executable, "-m", "pytest", "-q", "--durations=3", f"tests/{tier}"]
    if tier in SHARED:
        command += ["--numprocesses=auto", f"--dist={SHARED[tier]}"]
    if tier == "lint":
        command = ["make", "--no-print-directory", "lint"]
    print(f"--- {tier}", flush=True)
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def main() -> None:
    """Run the tiers that the command line names."""
    lines, good = [], True
    for tier in sys.argv[1:]:
        started = time.monotonic()
        passed = run(tier)
        good = good and passed
        word = "passed" if passed else "FAILED"
        lines.append(f"{tier:{WIDTH}} {word} in {time.monotonic() - started:.0f} s")
    print("--- summary", *lines, sep="\n")
    sys.exit(not good)


if __name__ == "__main__":
    main()
