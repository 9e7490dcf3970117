"""A crowd at every port of both programs, and large objects: nothing is mute, nothing moves."""

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path

import pytest

from api.gate import DRY, LISTEN, Gate
from api.objects import Body, apply, binding, duravip, topology
from api.real_api import RealApi
from lab.cluster import Lab
from lab.fleet import wait_until

LAB = "ports"
CROWD = Path(__file__).with_name("crowd.py")
OPERATOR_MIB, AGENT_MIB = 768, 256
"""The chart's limits."""
ADDRESSES = [f"10.1.1.{n}" for n in range(1, 5)]
LONGEST_GAP_S = 3.0


@pytest.fixture(scope="module")
def gate(lab: Lab) -> Gate:
    """An operator with a webhook that has as little time as in the chart, and three agents."""
    gate = Gate(lab, timeout_s=2)
    for node in ("n2", "n3"):
        gate.fleet.start_agent(node)
    lab.kubectl("create", "namespace", "mallory")
    vips = [duravip(f"v{n}", address) for n, address in enumerate(ADDRESSES)]
    apply(lab, [topology(), binding("mail-1", "10.1.1.9"), *vips])
    wait_until(lambda: all(gate.fleet.owners().values()), "all are owned")
    gate.until_refused(namesake(), "stands for several addresses")
    return gate


def namesake() -> Body:
    """Another tenant's claim of a name that is taken."""
    body = deepcopy(binding("mail-1", "10.1.1.10"))
    body["metadata"]["namespace"] = "mallory"
    return body


def resident_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def test_slow_peers_and_large_bodies_change_nothing(lab: Lab, gate: Gate) -> None:
    owners = gate.fleet.owners()
    ports = [f"{LISTEN}+tls", "127.0.0.1:9480", "127.0.0.1:9481"]
    argv = [sys.executable, str(CROWD), "12", *ports]
    log = lab.machines["n1"].folder / "crowd.log"
    with lab.observe(ADDRESSES) as seen:
        crowd = lab.machines["n1"].spawn(argv, log=log)
        wait_until(lambda: "there" in crowd.output(), "the crowd is there")
        for _ in range(5):
            assert "stands for several addresses" in gate.refusal(namesake(), DRY)
            assert gate.readiness() == "ok"
            assert gate.counted("NameMismatch") > 0
        assert crowd.wait(60) == 0
    assert gate.fleet.owners() == owners
    assert seen.sight.double_owners == 0, seen.sight.doubles[:5]
    assert seen.sight.worst_gap() < LONGEST_GAP_S
    assert resident_mib(gate.fleet.operators["n1"].pid) < OPERATOR_MIB / 2
    assert resident_mib(gate.fleet.agents["n1"].pid) < AGENT_MIB / 2


@pytest.fixture
def large(lab: Lab) -> Iterator[Body]:
    """An object of 1 MB."""
    body = duravip("large", "10.1.1.20")
    body["metadata"]["labels"] = {f"l{n}": "x" * 63 for n in range(14_000)}
    assert len(json.dumps(body)) > 1_000_000
    yield body
    lab.kubectl("delete", "duravip", "large", "--ignore-not-found")


def test_large_objects_are_in_nobodys_way(lab: Lab, gate: Gate, large: Body) -> None:
    api = RealApi(lab)
    with ThreadPoolExecutor(40) as many:
        asked = [many.submit(api.try_out, large) for _ in range(40)]
        refused = 0
        while not all(future.done() for future in asked):
            assert "stands for several addresses" in gate.refusal(namesake(), DRY)
            refused += 1
    assert refused
    print(f"refused {refused} times meanwhile:", {future.result() for future in asked})
