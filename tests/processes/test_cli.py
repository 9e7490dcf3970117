"""The command line's programs, started by a shell: terminals, pipes, full disks, completion."""

import os
import pty
import subprocess
from pathlib import Path

import pytest

from duravip_cli.__main__ import run
from lab.fleet import PROGRAMS

PROGRAM = PROGRAMS / "kubectl-duravip"


@pytest.mark.parametrize("word", ["--help", "completion", "drain"])
def test_a_full_disk_is_one_line(word: str) -> None:
    with Path("/dev/full").open("w") as full:
        said = subprocess.run(
            [PROGRAM, word, *{"completion": ["bash"], "drain": ["--help"]}.get(word, [])],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert said.returncode == 1
    assert said.stderr == ("kubectl-duravip: cannot write the output: No space left on device\n")


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    out, into = os.pipe()
    os.close(out)
    with os.fdopen(into, "w") as pipe:
        said = subprocess.run(
            [PROGRAM, "completion", "bash"], stdout=pipe, stderr=subprocess.PIPE, check=False
        )
    assert (said.returncode, said.stderr) == (0, b"")


def test_a_real_terminal_is_recognized() -> None:
    ours, its = pty.openpty()
    with os.fdopen(its, "w") as terminal:
        subprocess.run(
            [PROGRAM, "doctor", "--node-local", "--kubeconfig", "/nonexistent"],
            stdout=terminal, env={"TERM": "xterm"}, check=False,
        )  # fmt: skip
        assert b"\x1b[33mwarn\x1b[0m" in os.read(ours, 1 << 16)
    os.close(ours)


def test_the_program_that_kubectl_runs_ends_with_what_cobra_expects(tmp_path: Path) -> None:
    for words, last in (["drai"], ":4"), (["validate", ""], ":0"), (["drain", ""], ":4"):
        said = subprocess.run(
            [PROGRAMS / "kubectl_complete-duravip", *words],
            capture_output=True, text=True, check=True, env={"HOME": str(tmp_path)},
        )  # fmt: skip
        assert said.stdout.splitlines()[-1] == last
        assert said.stderr == ""
    assert (
        "drain\tTake nodes out"
        in subprocess.run(
            [PROGRAMS / "kubectl_complete-duravip", "drai"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )


def test_bash_completes_with_the_script(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    typed = "COMP_WORDS=(kubectl-duravip undr); COMP_CWORD=1; _kubectl_duravip"
    said = subprocess.run(
        ["bash", "-c", f'{script}\n{typed}; echo "${{COMPREPLY[@]}}"'],
        capture_output=True, text=True, check=True, env={"PATH": f"{PROGRAMS}:/usr/bin:/bin"},
    )  # fmt: skip
    assert said.stdout.split() == ["undrain"]
