"""Prometheus and promtool: taken out of Debian's package, which is not installed.

An installation would start a server of its own, with every start of the machine.
"""

import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from lab.errors import LabError
from lab.processes import run
from lab.programs import cache

PACKAGE: Final = "prometheus"
FINISHED: Final = "prometheus-of-debian"

Say = Callable[[str], None]


def prometheus(say: Say = print) -> Path:
    """The server."""
    return _program("prometheus", say)


def promtool(say: Say = print) -> Path:
    """What checks rules and tries them on series that were thought up."""
    return _program("promtool", say)


def _program(name: str, say: Say) -> Path:
    """That of the machine, or the one of the package, which is fetched first if need be."""
    if installed := shutil.which(name):
        return Path(installed)
    finished = cache() / FINISHED
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / f"{FINISHED}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not finished.exists():
            _place(finished, say)
    return finished / "usr/bin" / name


def _place(finished: Path, say: Say) -> None:
    say(f"fetching Debian's package {PACKAGE}")
    with TemporaryDirectory(dir=cache()) as name:
        folder = Path(name)
        fetch = ["env", f"--chdir={folder}", "apt-get", "--quiet", "download", PACKAGE]
        try:
            run(fetch, timeout=300)
        except LabError:  # the lists of packages are missing or old
            run(["apt-get", "--quiet", "update"], timeout=300)
            run(fetch, timeout=300)
        (package,) = folder.glob("*.deb")
        run(["dpkg-deb", "--extract", str(package), str(folder / "files")])
        (folder / "files").rename(finished)
