"""Both programs warn, as they start, of variables that look like settings and are none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("program", ["operator", "agent"])
def test_a_program_warns_of_them_as_it_starts(program: str, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("0123456789abcdef\n")
    settings = {"PULSE_KEY_FILE": str(key), "KUBECONFIG": str(tmp_path / "none"), "MATUR": "7"}
    settings |= {"PULSE_ADVERTISE": "127.0.0.1:7"} if program == "operator" else {"NODE_NAME": "n"}
    done = subprocess.run(
        [sys.executable, "-m", f"duravip_{program}"],
        env={**os.environ, **{f"DURAVIP_{name}": value for name, value in settings.items()}},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0  # there is no such kubeconfig
    (line,) = [line for line in done.stderr.splitlines() if "DURAVIP_" in line]
    assert " warning ignored, for there is no such setting: " in line
    assert "DURAVIP_MATUR" in line
    assert "DURAVIP_KUBECONFIG" not in line
