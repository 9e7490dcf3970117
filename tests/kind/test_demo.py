"""`make demo CLUSTER=kind`, as it is, to its end; and nothing is left of it."""

import subprocess
from pathlib import Path
from typing import Final

import pytest

from kind import node_image
from kind import programs as kind_programs
from kind.docker_host import docker_host
from lab import programs, python_slim, requirements, teardown
from lab.docker_engine import Engine
from lab.errors import LabError
from lab.processes import environment

ROOT: Final = Path(__file__).parents[2]
TUN: Final = Path("/dev/net/tun")
PYTHON: Final = "python:3.11-slim"
"""What the Dockerfiles are built on, and what the demo's client is."""
PATIENCE_S: Final = 1800
TIMEOUT_S: Final = 3600
"""Of a test: the first run makes the image of the nodes."""

pytestmark = pytest.mark.timeout(TIMEOUT_S)


@pytest.fixture(scope="module", autouse=True)
def needs() -> None:
    if not TUN.exists():
        pytest.skip(f"no {TUN}: nothing that is built could reach a registry")
    try:
        requirements.ensure("kind")
    except LabError as error:
        pytest.skip(str(error))
    programs.build()
    kind_programs.build()
    python_slim.archive()


def make(engine: Engine, target: str, *words: str) -> int:
    """The exit code of a target; what it prints is printed."""
    argv = ["make", "--no-print-directory", f"--directory={ROOT}", target, *words]
    found = engine.with_docker(argv, kind_programs.place(), programs.place())
    command = engine.machine.entering(found)
    return subprocess.run(command, env=environment(), timeout=PATIENCE_S, check=False).returncode


def traces(engine: Engine) -> set[str]:
    """Namespaces, control groups, folders, mounts and processes of the daemon's machine."""
    folder = str(engine.folder)
    found = {name for name in teardown.known() if f"/{name}/" in folder}
    found |= {line for line in Path("/proc/mounts").read_text().splitlines() if folder in line}
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found |= {file.read_text()} if folder in file.read_text() else set()
        except OSError:
            continue
    return found


def test_the_demo_comes_to_its_end_and_takes_all_of_it_down() -> None:
    with docker_host() as engine:
        image = node_image.load(engine)
        engine.load_python(PYTHON)
        assert make(engine, "demo", "CLUSTER=kind", f"NODE_IMAGE={image}") == 0
        assert len(engine.docker("ps", "--quiet").split()) == 5, "four nodes and a client"
        assert make(engine, "demo-down", "CLUSTER=kind") == 0
        assert engine.docker("ps", "--all", "--quiet") == ""
        assert engine.docker("volume", "ls", "--quiet") == ""
    assert not traces(engine)
    assert not [*programs.cache().glob("*.kubeconfig")], "it has the administrator's key"


def test_nothing_is_left_of_a_daemon_whose_test_fails_with_a_container_running() -> None:
    def fail() -> None:
        with docker_host() as engine:
            engines.append(engine)
            engine.load_python(PYTHON)
            run = ["run", "--detach", "--privileged", "--volume=/kept", PYTHON]
            engine.docker(*run, "sleep", "infinity")
            assert traces(engine)
            raise LabError("as a test fails")

    engines: list[Engine] = []
    with pytest.raises(LabError, match="as a test fails"):
        fail()
    assert not traces(engines[0])
