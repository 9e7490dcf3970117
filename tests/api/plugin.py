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
    done = ended(lab, *words, kubeconfig=kubeconfig)
    return done.returncode, done.stdout + done.stderr


def ended(
    lab: Lab, *words: str, kubeconfig: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """The program once it has ended, with what it printed on either stream."""
    environment = {
        **os.environ,
        "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
        "KUBECONFIG": str(kubeconfig or lab.kubeconfig),
    }
    argv = [str(lab.programs / "kubectl"), "duravip", *words]
    return subprocess.run(
        argv, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def told(lab: Lab, *words: str, code: int = 0) -> Any:
    """What it printed for programs, having ended with this code."""
    code_, said = called(lab, *words, "-o", "json")
    assert code_ == code, said
    return json.loads(said)
