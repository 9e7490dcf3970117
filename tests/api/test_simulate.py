"""`kubectl duravip simulate --fail n1` says what then happens when n1 loses power."""

import json
import os
import random
import subprocess
from typing import Any

import pytest

from api.plugin import told
from api.real_world import RealWorld
from lab.cluster import Lab
from lab.fleet import PROGRAMS

LAB = "world"
SETUPS = 20
LAN = {"kind": "Topology", "name": "lan", "spec": {"cidr": "10.1.0.0/16", "interface": "eth1"}}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(SETUPS))
def test_a_simulated_failure_comes_true(lab: Lab, world: RealWorld, seed: int) -> None:
    world.begin(_random_given(random.Random(seed)))  # noqa: S311 (the same each time)
    moves = {move["address"]: move["to"] for move in _forecast(lab)["moves"]}
    wanted = {}
    for body in world.vips():
        address, owner = body["spec"]["address"], body["status"].get("owner", "")
        who = f"{body['kind']} {body['metadata']['name']}"
        wanted[who] = {"owner": moves.get(address, owner) or None}
        assert (address in moves) == (owner == "n1"), f"{address}, of {owner}: {moves}"
    world.crash(["n1"])
    world.expect(wanted)
    world.expect(wanted)  # and so it stays


@pytest.mark.timeout(900)
def test_why_and_the_doctor_name_the_node_that_was_lost(lab: Lab, world: RealWorld) -> None:
    spec = {"address": "10.1.1.1", "preference": "n1"}
    objects = [LAN, {"kind": "Binding", "name": "b", "spec": spec}]
    world.begin({"nodes": ["n1", "n2"], "objects": objects})
    world.crash(["n1"])
    world.expect({"Binding b": {"owner": "n2", "moved": "NodeLost"}})
    (lost,) = (node for node in told(lab, "why", "b")["nodes"] if node["node"] == "n1")
    assert lost["reason"] == "NodeSilent"
    found = [finding["message"] for finding in told(lab, "doctor", code=1)]
    assert any(message.startswith(("n1: NodeGone: ", "n1: NodeSilent: ")) for message in found), (
        found
    )


def _forecast(lab: Lab) -> Any:
    done = subprocess.run(
        [PROGRAMS / "kubectl-duravip", "simulate", "--fail", "n1", "-o", "json"],
        env={**os.environ, "KUBECONFIG": str(lab.kubeconfig)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode in {0, 1}, done.stderr  # 1: an address would be lost
    return json.loads(done.stdout)


def _random_given(chance: random.Random) -> dict[str, Any]:
    """Three nodes in two zones, and about a dozen addresses."""
    nodes = {f"n{n}": {"labels": {"zone": chance.choice("ab")}} for n in (1, 2, 3)}
    objects: list[dict[str, Any]] = [LAN]
    for n in range(1, chance.randint(7, 12)):
        spec: dict[str, Any] = {"address": f"10.1.1.{n}"}
        if chance.random() < 0.4:
            spec["preference"] = chance.choice([*nodes, "n9"])
        if chance.random() < 0.3:
            spec["nodeSelector"] = {"zone": chance.choice("ab")}
        objects.append({"kind": "Binding", "name": f"b{n}", "spec": spec})
        if chance.random() < 0.4:
            follower = {"address": f"10.1.2.{n}", "follow": f"b{n}"}
            objects.append({"kind": "DuraVIP", "name": f"d{n}", "spec": follower})
    return {"nodes": nodes, "objects": objects}
