"""Manifests in files, and what `validate` says of them."""

import json
from pathlib import Path
from typing import Any

import pytest

from duravip_cli.__main__ import run
from unit.cli.memory import Memory

Body = dict[str, Any]
LAN = {"cidr": "10.1.0.0/16", "interface": "eth1"}


def body(kind: str, name: str, spec: Body, namespace: str = "") -> Body:
    """An object as people write it."""
    meta = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": "duravip.io/v1alpha1", "kind": kind, "metadata": meta, "spec": spec}


def said(
    folder: Path, capsys: pytest.CaptureFixture[str], *bodies: Body, live: Memory | None = None
) -> list[str]:
    """The problems, one line each, without the file's name."""
    file = folder / "f.yaml"
    # JSON: PyYAML leaves a `y` without quotes, which kubectl takes for true.
    file.write_text("\n---\n".join(map(json.dumps, bodies)))
    options = ["--live"] if live else []
    code = run(["validate", str(file), *options], lambda _: live or Memory())
    *lines, last = capsys.readouterr().out.splitlines()
    wrong = sum(": warning: " not in line for line in lines)
    assert last.startswith(f"{wrong} problems, {len(lines) - wrong} warnings")
    assert ("judged by these files alone" in last) == (live is None)
    assert code == int(wrong > 0)
    return [line.removeprefix(f"{file}: ") for line in lines]
