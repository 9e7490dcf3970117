"""The first process of a virtual machine: makes it fit for the tests, runs them, ends it.

Only the standard library is used, and nothing of ours: what is wrong with that shall be a result.
"""

import ctypes
import json
import os
import subprocess
import sys
import traceback
from pathlib import Path

CHECKS = Path("/checks")
RESULTS = "/dev/ttyS1"
MOUNTS = {"proc": "proc", "sys": "sysfs", "dev": "devtmpfs", "run": "tmpfs", "tmp": "tmpfs"}
"""Folders of the root, and the file system of each."""
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
POWER_OFF = 0x4321FEDC
FINIT_MODULE = 313
"""The system call of x86-64."""

LIBC = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """All of it. A kernel panics when its first process ends, so that never happens."""
    try:
        for place, kind in MOUNTS.items():
            checked(LIBC.mount(kind.encode(), f"/{place}".encode(), kind.encode(), 0, None))
        Path("/run/netns").mkdir()
        for module in sorted(Path("/modules").iterdir()):
            with module.open("rb") as file:
                checked(LIBC.syscall(FINIT_MODULE, file.fileno(), b"", 0), module.name)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        tell(exit_code=run_tests())
    except Exception:  # noqa: BLE001 - whatever it is, the machine has to end
        traceback.print_exc()
    LIBC.reboot(POWER_OFF)


def run_tests() -> int:
    """Run pytest on the files of the command line; the plugin `report` tells of each test."""
    options = ["-q", "--noconftest", "-c", "/dev/null", "--rootdir", str(CHECKS)]
    options += ["-p", "no:cacheprovider", "-p", "kernels.guest.report", "--color=no"]
    options += ["--import-mode=importlib"]
    there = {"PYTHONPATH": f"/app:{CHECKS}", "PATH": PATH, "HOME": "/root"}
    argv = [sys.executable, "-m", "pytest", *options, *sys.argv[1:]]
    return subprocess.run(argv, cwd=CHECKS, env=there, check=False).returncode


def tell(**document: object) -> None:
    """Write a line for the host."""
    with Path(RESULTS).open("w") as line:
        line.write(json.dumps(document) + "\n")


def checked(result: int, what: str = "") -> None:
    """Raise what a system call has failed with."""
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), what)


if __name__ == "__main__":
    main()
