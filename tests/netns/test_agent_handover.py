"""The hand-over rule on a real kernel, where others have, or want, what the node is granted."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from duravip_agent.codec.released_ruleset import TABLE
from lab.layout import mac
from lab.machines import Machine
from netns.plumbed import PlumbedNode

VIP, OTHER = "10.1.1.1", "10.1.1.2"
TESTS = Path(__file__).parents[1]


@pytest.fixture
def other(node: PlumbedNode) -> Iterator[Machine]:
    """Another node's kernel, with no agent on it."""
    machine = node.lab.machines["n2"]
    yield machine
    machine.run(["ip", "address", "flush", "dev", "eth1", "to", "10.1.1.0/24"])


def claim(machine: Machine, address: str) -> None:
    """Say on the segment that the address is there."""
    argv = ["env", f"PYTHONPATH={TESTS}", sys.executable, "-m", "lab.observer.announce", "eth1"]
    machine.run([*argv, address])


def conditions(node: PlumbedNode) -> dict[str, str]:
    return {c["type"]: c["message"] for c in node.status.get("conditions", ())}


def answers(node: PlumbedNode, address: str = VIP) -> bool:
    return node.lab.who_answers([address]).get(address) == "n1"


def test_a_contested_address_is_taken_only_when_nobody_has_it(
    node: PlumbedNode, other: Machine
) -> None:
    other.run(["ip", "address", "add", f"{VIP}/32", "dev", "eth1"])
    node.grant()
    node.start()
    node.wait_acted()
    contested = {"name": "eth1", "mask": 32, "granted": [OTHER], "contested": [VIP]}
    with node.lab.observe([VIP, OTHER]) as seen:
        node.write({"epoch": 1, "interfaces": [contested]})
        node.wait_served(OTHER)
        node.wait(lambda: node.status["contested"])
        time.sleep(0.5)
        assert node.status["served"] == [OTHER]
        assert mac("n2", "eth1") in node.status["contested"][0]["message"]
        gone = time.monotonic()
        other.run(["ip", "address", "del", f"{VIP}/32", "dev", "eth1"])
        node.wait_served(VIP, OTHER)
        time.sleep(0.1)
    assert node.status["contested"] == []
    assert seen.sight.double_owners == 0
    assert [held.machine for held in seen.sight.holdings[VIP]] == ["n2", "n1"]
    assert seen.sight.holdings[VIP][1].first - gone < 2


def test_in_contact_an_address_is_defended(node: PlumbedNode, other: Machine) -> None:
    node.grant(VIP)
    agent = node.start()
    node.wait_served(VIP)
    claim(other, VIP)
    node.wait(lambda: "AddressInUse" in conditions(node), timeout=5)
    assert f"{VIP} is claimed by {mac('n2', 'eth1')} on eth1" in conditions(node)["AddressInUse"]
    assert "defended against another host: 10.1.1.1" in agent.output()
    claim(other, VIP)
    assert node.status["served"] == [VIP]
    assert answers(node)
    assert agent.output().count("defended") == 1


def test_without_contact_an_address_is_left_to_whoever_claims_it(
    node: PlumbedNode, other: Machine
) -> None:
    node.grant(VIP, OTHER)
    node.start()
    node.wait_served(VIP, OTHER)
    node.peer.is_quiet = True
    time.sleep(0.3)
    other.run(["ip", "address", "add", f"{VIP}/32", "dev", "eth1"])
    claim(other, VIP)
    node.wait_served(OTHER, timeout=5)
    assert node.lab.who_answers([VIP, OTHER]) == {VIP: "n2", OTHER: "n1"}
    other.run(["ip", "address", "del", f"{VIP}/32", "dev", "eth1"])
    node.peer.is_quiet = False
    node.wait_served(VIP, OTHER, timeout=5)
    assert node.metric("yielded_total") == 1


def test_without_contact_thousands_are_left_at_once_to_whoever_answers_for_them(
    node: PlumbedNode, other: Machine
) -> None:
    node.grant("10.1.64.0-10.1.71.255")
    node.start()
    node.wait(lambda: node.status.get("servedCount") == 2048, timeout=30)
    node.peer.is_quiet = True
    time.sleep(1)
    taken = [f"10.1.{64 + i // 256}.{i % 256}" for i in range(0, 2048, 2)]
    lines = "".join(f"address add {address}/32 dev eth1\n" for address in taken)
    try:
        other.run(["ip", "-batch", "-"], lines)
        added = time.monotonic()
        node.wait(lambda: node.status.get("servedCount") == 1024, timeout=10)  # few by few: 12 s
        assert time.monotonic() - added < 10
        assert not set(taken) & set(node.status["served"])
    finally:
        other.run(["ip", "address", "flush", "dev", "eth1", "to", "10.1.64.0/21"])


def test_a_scout_says_what_it_sees(node: PlumbedNode, other: Machine) -> None:
    node.grant(OTHER)
    node.start()
    node.wait_served(OTHER)
    other.run(["ip", "address", "add", f"{VIP}/32", "dev", "eth1"])
    theirs = (mac("n2", "eth1"),)
    assert node.peer.look("n2", (VIP,), theirs).verdict == "answering"
    began = time.monotonic()
    assert node.peer.look("n2", (VIP, "10.1.1.9"), theirs).verdict == "answering"
    assert time.monotonic() - began < 0.5
    began = time.monotonic()
    assert node.peer.look("n2", ("10.1.1.9",), theirs).verdict == "silent"
    assert time.monotonic() - began < 0.5
    assert node.metric("looks_total") == 3


def test_asked_to_stop_it_is_silent_before_it_deletes_anything(node: PlumbedNode) -> None:
    node.grant("10.1.64.0-10.1.67.255")
    agent = node.start()
    node.wait(lambda: node.status.get("servedCount") == 1024)
    agent.terminate()
    node.wait(lambda: node.reason == "AgentStopped")
    assert node.status["servedCount"] == 0
    assert agent.wait() == 0
    left = node.machine.run(["nft", "list", "tables"]).split()
    assert left == ["table", "inet", TABLE], "of the fence nothing is left"


def test_a_node_without_a_fence_must_be_allowed(node: PlumbedNode) -> None:
    node.grant(VIP)
    path = ["env", "PATH=/nonexistent"]
    refused = node.start(prefix=path)
    assert refused.wait(10) == 2
    assert refused.output().count("\n") == 1
    assert "cannot build the fence: there is no program nft" in refused.output()
    agent = node.start("--allow-unfenced", prefix=path)
    node.wait_served(VIP)
    assert "two nodes may answer" in conditions(node)["Fenced"]
    node.grant(OTHER)
    node.wait_served(OTHER)
    assert VIP not in node.addresses()
    agent.terminate()
    assert agent.wait() == 0
    assert OTHER not in node.addresses()
