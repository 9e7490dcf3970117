"""What ends a lab when the process that started it dies, however it dies.

The keeper is a shell that reads from a pipe which nobody writes to. The pipe closes with the last
process that holds its other end; then the keeper becomes `python -m lab down`.
"""

import subprocess
import sys
from pathlib import Path

from lab.processes import environment

TESTS = Path(__file__).parents[1]
SCRIPT = 'read -r _; exec "$@"'


class Keeper:
    """Guards one lab from its start to its end."""

    def __init__(self, name: str) -> None:
        down = [sys.executable, "-m", "lab", "down", "--name", name]
        self._process = subprocess.Popen(
            ["sh", "-c", SCRIPT, "sh", *down],
            cwd=TESTS,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=environment({"PYTHONPATH": str(TESTS)}),
        )

    def dismiss(self) -> None:
        """The lab is gone, or is to stay: nothing is left to guard."""
        self._process.kill()
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait()
