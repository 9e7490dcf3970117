"""The Dockerfiles: one wheel for both, no more rights than the chart counts on."""

import tomllib

import pytest

from lab.charts import CHART
from lab.images import USERS

ROOT = CHART.parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def stages(program: str) -> list[str]:
    """The stages of a program's Dockerfile."""
    return (ROOT / program / "Dockerfile").read_text().split("\nFROM ")[1:]


def test_both_build_the_same_wheel_first() -> None:
    assert stages("operator")[0] == stages("agent")[0]


def test_every_package_of_the_wheel_is_copied_into_the_build() -> None:
    for package in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        assert f"COPY {package} {package}\n" in stages("operator")[0]


@pytest.mark.parametrize("program", ["operator", "agent"])
def test_an_image_starts_its_own_program_with_its_own_dependencies(program: str) -> None:
    _, installed, last = stages(program)
    assert f"[{program}]" in installed
    assert f'ENTRYPOINT ["duravip-{program}"]' in last
    assert f"duravip-{program}" in PROJECT["project"]["scripts"]


@pytest.mark.parametrize("program", ["operator", "agent"])
def test_an_image_runs_as_the_user_that_the_labs_own_image_has(program: str) -> None:
    assert f"\nUSER {USERS[program]}\n" in stages(program)[-1]
