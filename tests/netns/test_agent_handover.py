"""The hand-over rule on a real kernel, as a client on the segment sees it."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from duravip_api.timing import DEAD_MAN, STRICT_HOLD
from lab.layout import mac
from lab.machines import Machine
from netns.plumbed import PlumbedNode
from netns.threads import held_up

VIP, OTHER, V6 = "10.1.1.1", "10.1.1.2", "fd00:1::64:1"
SLACK = 0.12
"""What a busy machine, and the observer's pace, may add."""

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


def silent_after(node: PlumbedNode, *addresses: str, seconds: float) -> tuple[float, ...]:
    """When each address was answered for last."""
    with node.lab.observe(addresses) as seen:
        time.sleep(seconds)
    assert seen.sight.double_owners == 0
    return tuple(seen.sight.holdings[address][-1].last for address in addresses)


def test_the_node_of_a_killed_agent_falls_silent_in_time(node: PlumbedNode) -> None:
    node.grant(VIP, V6)
    agent = node.start()
    node.wait_served(VIP, V6)
    with node.lab.observe([VIP, V6]) as seen:
        time.sleep(0.2)
        killed = time.monotonic()
        agent.kill()
        time.sleep(1)
    for address in (VIP, V6):
        assert seen.sight.holdings[address][-1].last - killed < DEAD_MAN + SLACK
    assert {VIP, V6} <= node.addresses()  # there, and mute
    node.peer.is_quiet = True
    node.start()
    node.wait(lambda: node.status["served"] == [])
    assert not answers(node)
    node.peer.is_quiet = False
    node.wait_served(VIP, V6)
    assert answers(node)


def test_a_frozen_agent_falls_silent_and_does_not_speak_before_it_has_contact(
    node: PlumbedNode,
) -> None:
    node.grant(VIP)
    agent = node.start()
    node.wait_served(VIP)
    with node.lab.observe([VIP]) as seen:
        time.sleep(0.2)
        stopped = time.monotonic()
        agent.stop()
        time.sleep(1)
        node.peer.is_quiet = True
        agent.resume()
        time.sleep(1)
        quiet_until = time.monotonic()
        node.peer.is_quiet = False
        time.sleep(0.5)
    outage = seen.sight.outage(VIP)
    assert outage
    assert outage.last_before - stopped < DEAD_MAN + SLACK
    assert outage.first_after
    assert quiet_until < outage.first_after < quiet_until + 0.3
    assert node.metric("lapses_total") >= 1


def test_a_loop_that_hangs_is_not_kept_alive_by_its_heart(node: PlumbedNode) -> None:
    node.grant(VIP)
    agent = node.start()
    node.wait_served(VIP)
    with node.lab.observe([VIP]) as seen:
        time.sleep(0.2)
        hung = time.monotonic()
        with held_up(agent.pid):
            time.sleep(1.5)
            beats = [at for at, _ in node.peer.beats if at > hung + 0.5]
            freed = time.monotonic()
        time.sleep(0.5)
    outage = seen.sight.outage(VIP)
    assert len(beats) > 5
    assert outage
    assert outage.last_before - hung < 0.4 + DEAD_MAN + SLACK
    assert outage.first_after
    assert outage.first_after > freed


def test_without_contact_it_keeps_what_it_has(node: PlumbedNode) -> None:
    node.grant(VIP, V6)
    node.start()
    node.wait_served(VIP, V6)
    with node.lab.observe([VIP, V6]) as seen:
        node.peer.is_quiet = True
        time.sleep(STRICT_HOLD + 1)
    assert seen.sight.worst_gap() < 0.05
    assert seen.sight.owners() == {VIP: "n1", V6: "n1"}


def test_without_contact_nothing_new_is_taken(node: PlumbedNode) -> None:
    node.grant(VIP)
    node.start()
    node.wait_served(VIP)
    node.peer.is_quiet = True
    time.sleep(0.3)
    node.grant(VIP, OTHER)
    node.wait_acted()
    time.sleep(0.3)
    assert node.status["served"] == [VIP]
    assert not answers(node, OTHER)
    node.peer.is_quiet = False
    node.wait_served(VIP, OTHER, timeout=1)


def test_what_is_strictly_fenced_is_muted_when_contact_is_lost(node: PlumbedNode) -> None:
    strict = {"name": "eth1", "mask": 32, "granted": [VIP], "fencing": "Strict"}
    node.write({"epoch": 1, "interfaces": [strict]})
    node.start()
    node.wait_served(VIP)
    assert node.status["strict"] == ["eth1"]
    with node.lab.observe([VIP]) as seen:
        time.sleep(0.2)
        lost = time.monotonic()
        node.peer.is_quiet = True
        node.wait_served(timeout=STRICT_HOLD + 1)
        time.sleep(0.1)
        back = time.monotonic()
        node.peer.is_quiet = False
        time.sleep(0.5)
    outage = seen.sight.outage(VIP)
    assert outage
    assert 2 < outage.last_before - lost < STRICT_HOLD
    assert outage.first_after
    assert outage.first_after < back + 0.3


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
    assert seen.sight.holdings[VIP][1].first - gone < 0.3


def test_in_contact_an_address_is_defended(node: PlumbedNode, other: Machine) -> None:
    node.grant(VIP)
    agent = node.start()
    node.wait_served(VIP)
    claim(other, VIP)
    node.wait(lambda: "AddressInUse" in conditions(node), timeout=2)
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
    node.wait_served(OTHER, timeout=1)
    assert node.lab.who_answers([VIP, OTHER]) == {VIP: "n2", OTHER: "n1"}
    other.run(["ip", "address", "del", f"{VIP}/32", "dev", "eth1"])
    node.peer.is_quiet = False
    node.wait_served(VIP, OTHER, timeout=1)
    assert node.metric("yielded_total") == 1


def test_a_fence_that_somebody_flushes_is_built_again(node: PlumbedNode) -> None:
    node.grant(VIP)
    agent = node.start()
    node.wait_served(VIP)
    with node.lab.observe([VIP]) as seen:
        for _ in range(3):
            time.sleep(0.3)
            node.machine.run(["nft", "flush", "ruleset"])
        time.sleep(0.7)
    assert seen.sight.worst_gap() < 0.35
    assert seen.sight.owners() == {VIP: "n1"}
    assert node.metric("fence_rebuilds_total") == 3
    killed = time.monotonic()
    agent.kill()
    (last,) = silent_after(node, VIP, seconds=1) if time.monotonic() < killed + 0.3 else (0.0,)
    assert last - killed < DEAD_MAN + SLACK


def test_a_scout_says_what_it_sees(node: PlumbedNode, other: Machine) -> None:
    node.grant(OTHER)
    node.start()
    node.wait_served(OTHER)
    other.run(["ip", "address", "add", f"{VIP}/32", "dev", "eth1"])
    theirs = (mac("n2", "eth1"),)
    assert node.peer.look("n2", (VIP,), theirs).verdict == "answering"
    began = time.monotonic()
    assert node.peer.look("n2", (VIP, "10.1.1.9"), theirs).verdict == "answering"
    assert time.monotonic() - began < 0.03
    began = time.monotonic()
    assert node.peer.look("n2", ("10.1.1.9",), theirs).verdict == "silent"
    assert time.monotonic() - began < 0.08
    assert node.metric("looks_total") == 3


def test_asked_to_stop_it_is_silent_before_it_deletes_anything(node: PlumbedNode) -> None:
    node.grant("10.1.64.0-10.1.67.255")
    agent = node.start()
    node.wait(lambda: node.status.get("servedCount") == 1024)
    agent.terminate()
    node.wait(lambda: node.reason == "AgentStopped")
    assert node.status["servedCount"] == 0
    assert agent.wait() == 0
    assert node.machine.run(["nft", "list", "tables"]) == ""


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
