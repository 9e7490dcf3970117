"""The Dockerfiles: one wheel for all, no more rights than the chart counts on."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from lab.charts import CHART
from lab.images import USERS

PROGRAMS = ("operator", "agent", "mail")

ROOT = CHART.parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def stages(program: str) -> list[str]:
    """The stages of a program's Dockerfile."""
    return (ROOT / program / "Dockerfile").read_text().split("\nFROM ")[1:]


def test_all_build_the_same_wheel_first() -> None:
    assert stages("operator")[0] == stages("agent")[0] == stages("mail")[0]


def test_every_package_of_the_wheel_is_copied_into_the_build() -> None:
    for package in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        assert f"COPY {package} {package}\n" in stages("operator")[0]


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_image_starts_its_own_program_with_its_own_dependencies(program: str) -> None:
    _, installed, last = stages(program)
    assert f"COPY requirements/{program}.txt" in installed
    assert f'ENTRYPOINT ["duravip-{program}"]' in last
    assert f"duravip-{program}" in PROJECT["project"]["scripts"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_image_runs_as_the_user_that_the_labs_own_image_has(program: str) -> None:
    assert f"\nUSER {USERS[program]}\n" in stages(program)[-1]


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_image_installs_what_is_locked_and_all_that_is_needed_is(program: str) -> None:
    build, installed, _ = stages(program)
    for stage in (build, installed):
        assert "--require-hashes" in stage
    assert "--no-deps /dist/" in installed
    text = (ROOT / f"requirements/{program}.txt").read_text()
    locked = dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", text, re.MULTILINE))
    assert text.count("--hash=sha256:") >= len(locked) > 20
    wanted = (
        PROJECT["project"]["dependencies"] + PROJECT["project"]["optional-dependencies"][program]
    )
    for line in wanted:
        name, bounds = re.fullmatch(r"([A-Za-z0-9_.-]+)(.*)", line).groups()  # type: ignore[union-attr]
        assert SpecifierSet(bounds).contains(locked[name.lower()]), f"{line}: run `make lock`"


@pytest.mark.parametrize("program", PROGRAMS)
def test_all_ports_of_the_chart_are_named_and_every_builder_can_read_the_file(
    program: str,
) -> None:
    text = (ROOT / program / "Dockerfile").read_text()
    ports = {
        "operator": "7946/udp 9480/tcp 9443/tcp",
        "agent": "9481/tcp",
        "mail": "25/tcp 2525/tcp 2526/tcp 9482/tcp",
    }
    assert f"\nEXPOSE {ports[program]}\n" in text
    assert "SHELL" not in text  # podman and buildah ignore it in OCI images
    assert "# syntax" not in text  # a front end that has to be pulled


def test_nothing_but_what_is_copied_is_sent_to_the_builder() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    for program in PROGRAMS:
        for line in stages(program)[0].splitlines():
            for source in line.split()[1:-1] if line.startswith("COPY") else ():
                sent = {f"!{source}", f"!{Path(source).parent}/*{Path(source).suffix}"}
                assert sent & set(ignored), source
