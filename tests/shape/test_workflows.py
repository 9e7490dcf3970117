"""The workflows, which run elsewhere, name what there is here."""

import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

ROOT: Final = Path(__file__).parents[2]
WORKFLOWS: Final = sorted((ROOT / ".github/workflows").glob("*.yml"))


def jobs(file: Path) -> dict[str, Any]:
    """By name."""
    return dict(yaml.safe_load(file.read_text())["jobs"])


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_every_job_ends_by_itself_and_may_do_no_more_than_it_says(file: Path) -> None:
    assert yaml.safe_load(file.read_text())["permissions"] == {"contents": "read"}
    for name, job in jobs(file).items():
        assert job["timeout-minutes"] <= 90, name
        for step in job["steps"]:
            if str(step.get("uses", "")).startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False, name


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_what_they_run_is_there(file: Path) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    commands = "\n".join(
        str(step.get("run", "")) for job in jobs(file).values() for step in job["steps"]
    )
    assert set(re.findall(r"^\s*make ([a-z-]+)", commands, re.MULTILINE)) <= targets
    named = re.findall(r"(?:\S*/)?[\w.-]+\.(?:txt|toml|md|yaml)\b", commands)
    assert all((ROOT / name).exists() for name in named), named
    assert (ROOT / ".ci/run").exists()


def test_a_release_builds_every_image() -> None:
    matrix = jobs(ROOT / ".github/workflows/release.yml")["images"]["strategy"]["matrix"]
    folders = [file.parent.name for file in ROOT.glob("*/Dockerfile")]
    assert sorted(matrix["program"]) == sorted(folders)
