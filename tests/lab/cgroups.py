"""The control groups of a machine: what freezes it whole, and what a kubelet divides up.

On a cgroup v1 machine there is one folder per controller, on v2 one folder in all. Where there is
neither, machines have no groups, and are frozen by SIGSTOP.
"""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from lab.errors import LabError
from lab.layout import Layout
from lab.processes import wait_for

ROOT = Path("/sys/fs/cgroup")
LEAF = "init"
"""node-init.sh makes it, on v2."""

USUAL_SHARES = {"cpu.shares": 1024, "cpu.weight": 100}
"""On v1, and on v2."""


class Groups:
    """The control groups of one machine."""

    def __init__(self, layout: Layout, machine: str, root: Path = ROOT) -> None:
        self._hierarchies = hierarchies(root)
        self.folders = [folder / layout.mark / machine for folder in self._hierarchies]

    def create(self, share: int = 1) -> None:
        """Make them, with so many times the usual share of the processors.

        A cpuset takes no task before it was given its cpus.
        """
        for root, folder in zip(self._hierarchies, self.folders, strict=True):
            folder.mkdir(parents=True, exist_ok=True)
            for name in ("cpuset.cpus", "cpuset.mems"):
                if (root / "tasks").exists() and (root / name).exists():
                    for below in (folder.parent, folder):
                        (below / name).write_text((root / name).read_text())
            for name, usual in USUAL_SHARES.items():
                if (folder / name).exists():
                    (folder / name).write_text(str(share * usual))

    @property
    def doors(self) -> list[str]:
        """The files that a process writes its number to, to enter.

        On v2 a group that is divided holds no process: such a machine makes a leaf for them.
        """
        leaves = [folder / LEAF for folder in self.folders]
        homes = [
            leaf if leaf.exists() else folder
            for leaf, folder in zip(leaves, self.folders, strict=True)
        ]
        return [str(home / "cgroup.procs") for home in homes]

    @property
    def mounts(self) -> list[str]:
        """The controllers by the names under which a machine mounts them; `2` stands for v2."""
        return ["2" if (r / "cgroup.controllers").exists() else r.name for r in self._hierarchies]

    def freeze(self) -> bool:
        """Freeze every process; False where that cannot be done."""
        return self._switch("FROZEN", "1")

    def thaw(self) -> bool:
        """Let them go on; False where they cannot have been frozen."""
        return self._switch("THAWED", "0")

    def _switch(self, v1: str, v2: str) -> bool:
        for folder in self.folders:
            if (folder / "freezer.state").exists():
                _set(folder / "freezer.state", v1, folder / "freezer.state", v1)
                return True
            if (folder / "cgroup.freeze").exists():
                _set(folder / "cgroup.freeze", v2, folder / "cgroup.events", f"frozen {v2}")
                return True
        return False

    def remove(self) -> None:
        """Remove them, and all that was made below them."""
        remove(self.folders)


def _set(file: Path, value: str, shows: Path, wanted: str) -> None:
    file.write_text(value)
    wait_for(lambda: wanted in shows.read_text(), f"{shows} says {wanted}")


def hierarchies(root: Path = ROOT) -> list[Path]:
    """The roots to make groups under: every v1 controller, or the one of v2."""
    if (root / "cgroup.controllers").exists():
        return [root]
    found = (folder for folder in root.glob("*") if (folder / "tasks").exists())
    return sorted(folder for folder in found if not folder.is_symlink())


def remove(folders: Sequence[Path], patience: float = 5) -> None:
    """Remove groups from the leaves up; the kernel may need a moment after the last process."""
    end = time.monotonic() + patience
    while True:
        left = [str(folder) for folder in folders if folder.exists() and not _is_removed(folder)]
        if not left:
            return
        if time.monotonic() > end:
            raise LabError(f"cannot remove the control groups {', '.join(left)}")
        time.sleep(0.02)


def _is_removed(top: Path) -> bool:
    try:
        for folder, _, _ in os.walk(top, topdown=False):
            Path(folder).rmdir()
    except OSError:
        return False
    return True
