"""The way from the root namespace to the API server; `door_process.py` is its process."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from lab.errors import LabError
from lab.layout import CONTROL_PLANE, Layout
from lab.processes import wait_for

PROGRAM = Path(__file__).with_name("door_process.py")


class Door:
    """The door of one lab. It outlives whoever opened it, and crashes of the control plane."""

    def __init__(self, layout: Layout) -> None:
        self._inside = str(layout.namespace_file(CONTROL_PLANE))
        self._port = layout.home / "door"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where the API server is found."""
        try:
            return f"https://127.0.0.1:{int(self._port.read_text())}"
        except (OSError, ValueError):
            raise LabError("the lab's door is not open") from None

    def open(self) -> None:
        """Start the process; the URL is known on return."""
        with self._port.open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(PROGRAM), self._inside],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.DEVNULL,  # it outlives whoever reads ours
                start_new_session=True,
            )
        wait_for(lambda: self._port.read_text().endswith("\n"), "the lab's door opens")

    def close(self) -> None:
        """End the process, whoever started it."""
        for pid in self._found():
            os.kill(pid, signal.SIGKILL)
        if self._process:
            self._process.wait()
        wait_for(lambda: not self._found(), "the lab's door closes")

    def _found(self) -> list[int]:
        """By its command line, which names the lab."""
        wanted = [str(PROGRAM).encode(), self._inside.encode()]
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                argv = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if argv[2:4] == wanted:
                found.append(int(entry.name))
        return found
