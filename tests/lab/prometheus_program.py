"""Prometheus and promtool: those of the machine, or of Debian's package."""

import shutil
from pathlib import Path

from lab.debian_packages import unpacked
from lab.programs import Say


def prometheus(say: Say = print) -> Path:
    """The server."""
    return _program("prometheus", say)


def promtool(say: Say = print) -> Path:
    """What checks rules and tries them on series that were thought up."""
    return _program("promtool", say)


def _program(name: str, say: Say) -> Path:
    if installed := shutil.which(name):
        return Path(installed)
    return unpacked("prometheus-of-debian", ["prometheus"], say) / "usr/bin" / name
