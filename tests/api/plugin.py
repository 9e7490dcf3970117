"""The command line, called as kubectl's plugin."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from lab.cluster import Lab
from lab.fleet import PROGRAMS


def called(lab: Lab, *words: str, kubeconfig: Path | None = None) -> tuple[int, str]:
    """The exit code, and all that was printed."""
    environment = {
        **os.environ,
        "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
        "KUBECONFIG": str(kubeconfig or lab.kubeconfig),
    }
    argv = [str(lab.programs / "kubectl"), "duravip", *words]
    done = subprocess.run(
        argv, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    return done.returncode, done.stdout + done.stderr


def told(lab: Lab, *words: str, code: int = 0) -> Any:
    """What it printed for programs, having ended with this code."""
    ended, said = called(lab, *words, "-o", "json")
    assert ended == code, said
    return json.loads(said)
