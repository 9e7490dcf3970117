"""Operator and agent in containers of the Dockerfiles, with the rights that the chart gives them.

The lab starts them as it starts plain programs: what it finds under their names are scripts that
run `docker`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from api.gate import Gate
from api.objects import apply, duravip, topology
from lab.cluster import Lab
from lab.docker_engine import Engine
from lab.fleet import wait_until

SCRIPT = """#!/bin/sh
chmod a+r {home}/*.kubeconfig {home}/webhook/*
exec {docker} run --rm --network=host --read-only --tmpfs=/tmp --cap-drop=ALL \\
  --security-opt=no-new-privileges --volume={home}:{home}:ro {options} {image} "$@"
"""
AGENT = "--cap-add=NET_ADMIN --cap-add=NET_RAW --cap-add=SYS_NICE"
ADDRESS = "10.1.1.1"
ANY_USER = "--user=1234567:1234567"


class Programs:
    """The folder with the scripts."""

    def __init__(self, folder: Path, lab: Lab, engine: Engine, built: Mapping[str, str]) -> None:
        self.folder = folder
        self._home, self._docker, self._built = lab.layout.home, " ".join(engine.command), built
        self.write("operator", "")
        self.write("agent", AGENT)

    def write(self, program: str, options: str) -> None:
        """What is started from now on has these options of `docker run`."""
        file = self.folder / f"duravip-{program}"
        image = self._built[program]
        text = SCRIPT.format(home=self._home, docker=self._docker, options=options, image=image)
        file.write_text(text)
        file.chmod(0o755)


@pytest.fixture(scope="module")
def programs(
    lab: Lab, engine: Engine, built: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Programs:
    return Programs(tmp_path_factory.mktemp("programs"), lab, engine, built)


@pytest.fixture(scope="module")
def gate(lab: Lab, programs: Programs) -> Iterator[Gate]:
    """An operator and an agent on the daemon's node, and a Topology."""
    gate = Gate(lab, programs=programs.folder)
    apply(lab, [topology()])
    yield gate
    for process in (*gate.fleet.operators.values(), *gate.fleet.agents.values()):
        process.terminate()
        process.wait(60)


def answers_over_tls(gate: Gate) -> bool:
    """Whether the API server, which knows the certificate's authority, is told to refuse."""
    gate.until_refused(duravip("own", "10.77.0.12"), "is an address of node n2")
    return gate.readiness() == "ok"


def test_an_address_is_served_by_containers(lab: Lab, gate: Gate) -> None:
    apply(lab, [duravip("first", ADDRESS)])
    wait_until(lambda: gate.fleet.owners() == {ADDRESS: "n1"}, "it is owned")
    assert lab.who_answers([ADDRESS]) == {ADDRESS: "n1"}


def test_the_webhook_answers_and_the_operator_is_ready(gate: Gate) -> None:
    assert answers_over_tls(gate)


def test_so_it_does_under_a_uid_that_nobody_knows(gate: Gate, programs: Programs) -> None:
    gate.close()
    programs.write("operator", ANY_USER)
    gate.open()
    wait_until(lambda: gate.readiness() == "ok", "it is ready")
    assert answers_over_tls(gate)
    assert gate.restarts() == 0
