"""`import` with a file, and what comes out."""

from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from duravip_cli.__main__ import run
from unit.cli.memory import Memory


class Imported(NamedTuple):
    """What `import` printed."""

    specs: dict[str, dict[str, Any]]
    """By `Kind name`."""
    notes: list[str]


def imported(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    program: str,
    text: str,
    *options: str,
) -> Imported:
    """Import a manifest; what comes out has passed `validate`."""
    file = folder / "theirs.yaml"
    file.write_text(text)
    assert run(["import", program, str(file), *options]) == 0
    return checked(folder, capsys)


def imported_live(
    folder: Path, capsys: pytest.CaptureFixture[str], program: str, memory: Memory, *options: str
) -> Imported:
    """The same with what a cluster holds."""
    assert run(["import", program, "--live", *options], lambda _: memory) == 0
    return checked(folder, capsys)


def checked(folder: Path, capsys: pytest.CaptureFixture[str]) -> Imported:
    """What has just been printed."""
    said = capsys.readouterr()
    ours = folder / "ours.yaml"
    ours.write_text(said.out)
    code = run(["validate", str(ours)])
    assert (code, capsys.readouterr().out.splitlines()[-1][:10]) == (0, "0 problems")
    bodies = list(yaml.safe_load_all(said.out))
    specs = {f"{body['kind']} {body['metadata']['name']}": body["spec"] for body in bodies}
    return Imported(specs, [n.removeprefix("note: ") for n in said.err.splitlines()])
