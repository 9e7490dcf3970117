"""The scenario files, and what they can ask of an object: the same for both runners.

A file runs against the operator's core in memory, and against the real programs. What cannot be
had of real programs says why, by the key `real` with a sentence: of a whole file, which then runs
in memory only, or of one step, whose `then` is not looked at.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

FILES = sorted(Path(__file__).parent.glob("*/*.yaml"))

CLUSTER_SCOPED = ("Topology", "AddressPool")

Body = Mapping[str, Any]


def read(file: Path) -> dict[str, Any]:
    """What a scenario says."""
    scenario: dict[str, Any] = yaml.safe_load(file.read_text())
    return scenario


def parameters(files: Iterable[Path]) -> list[Any]:
    """One parameter a file, with a mark for each of its rows: `pytest -m "row(n=18)"`."""
    return [
        pytest.param(
            file,
            id=f"{file.parent.name}/{file.stem}",
            marks=[pytest.mark.row(n=row) for row in read(file)["rows"]],
        )
        for file in files
    ]


def forms(nodes: Mapping[str, Any] | list[str]) -> dict[str, dict[str, Any]]:
    """`{node: its form}` of the nodes of a scenario."""
    if isinstance(nodes, list):
        return {name: {} for name in nodes}
    return {name: form or {} for name, form in nodes.items()}


def identity(who: str) -> tuple[str, str, str]:
    """`(kind, namespace, name)` of `Kind name` or `Kind namespace/name`."""
    kind, _, path = who.partition(" ")
    namespace, _, name = path.rpartition("/")
    return kind, "" if kind in CLUSTER_SCOPED else namespace or "default", name


def seen(status: Body) -> dict[str, Any]:
    """What `then` can ask of an object: fields of its status, and shortened conditions."""
    conditions = status.get("conditions", [])
    ready: Body = next((c for c in conditions if c["type"] == "Ready"), {})
    move = status.get("lastMove") or {}
    return {
        "owner": None,
        "moved": move.get("reason"),
        "from": move.get("from"),
        **status,
        "reason": ready.get("reason"),
        "message": ready.get("message"),
        "says": [c["type"] for c in conditions if c["status"] == "True" and c is not ready],
    }
