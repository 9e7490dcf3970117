"""Control groups of either version freeze what is in them; most kernels have both to try."""

import secrets
import subprocess
import time
from pathlib import Path

import pytest

from lab.cgroups import ROOT, Groups, remove
from lab.layout import Layout
from lab.machines import ENTER

VERSION_TWO = next(
    root for root in (ROOT, ROOT / "unified") if (root / "cgroup.controllers").exists()
)


def ticks(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


@pytest.mark.parametrize("root", sorted({ROOT, VERSION_TWO}), ids=str)
def test_what_is_in_a_group_freezes_and_thaws(root: Path, tmp_path: Path) -> None:
    layout = Layout(f"groups-{secrets.token_hex(3)}")
    groups = Groups(layout, "n1", root)
    groups.create()
    file = tmp_path / "ticks"
    ticking = f"while :; do echo >> {file}; sleep 0.01; done"
    argv = ["sh", "-c", ENTER, "sh", *groups.doors, "--", "sh", "-c", ticking]
    with subprocess.Popen(argv) as process:
        try:
            while ticks(file) == 0:
                time.sleep(0.01)
            assert groups.freeze()
            frozen_at = ticks(file)
            time.sleep(0.1)
            assert ticks(file) == frozen_at
            assert groups.thaw()
            while ticks(file) == frozen_at:
                time.sleep(0.01)
        finally:
            process.kill()
            groups.thaw()
            process.wait()
    remove([folder.parent for folder in groups.folders])
    assert not any(folder.parent.exists() for folder in groups.folders)
