"""The agent on a real kernel: what it plumbs, repairs, leaves alone and withdraws."""

import time

from duravip_agent.core.plan import UNDONE
from netns.plumbed import PlumbedNode

VIP, OTHER, V6 = "10.1.1.1", "10.1.1.2", "fd00:1::64:1"


def reaches(node: PlumbedNode, address: str) -> bool:
    return node.lab.client.attempt(["ping", "-c1", "-W1", address]).returncode == 0


def test_it_plumbs_both_families_with_its_mark_and_clients_reach_them(node: PlumbedNode) -> None:
    node.grant(VIP, V6)
    node.start()
    node.wait_served(VIP, V6)
    node.wait_acted()
    marks = node.marks()
    assert (marks[VIP], marks[V6]) == (86, 86)
    assert {address for address, mark in marks.items() if mark == 86} == {VIP, V6}
    assert reaches(node, VIP)
    assert reaches(node, V6)
    assert node.reason == "AgentReady"


def test_the_nodes_own_address_stays_the_source_of_its_connections(node: PlumbedNode) -> None:
    node.grant("10.1.0.1-10.1.0.3", VIP, V6)
    node.start()
    node.wait_served("10.1.0.1", "10.1.0.2", "10.1.0.3", VIP, V6)
    assert "src 10.1.0.11 " in node.ip("route", "get", "10.1.0.100")
    assert "src fd00:1::11 " in node.ip("-6", "route", "get", "fd00:1::100")


def test_it_waits_for_its_object(node: PlumbedNode) -> None:
    agent = node.start()
    node.wait(lambda: "no NodePlumbing yet" in agent.output())
    node.grant(VIP)
    node.wait_served(VIP)


def test_it_reports_the_nics(node: PlumbedNode) -> None:
    node.grant(VIP)
    node.start()
    node.wait_served(VIP)
    nic = next(nic for nic in node.status["nics"] if nic["name"] == "eth1")
    assert nic["up"]
    assert nic["carrier"]
    assert (nic["mtu"], nic["addresses"]) == (1400, ["10.1.0.11/16", "fd00:1::11/64"])
    assert nic["mac"] in node.ip("link", "show", "dev", "eth1")
    assert {nic["name"] for nic in node.status["nics"]} == {"eth0", "eth1"}


def test_an_alias_that_somebody_deletes_is_back_at_once(node: PlumbedNode) -> None:
    node.grant(VIP, V6)
    agent = node.start()
    node.wait_served(VIP, V6)
    node.ip("address", "del", f"{VIP}/32", "dev", "eth1")
    node.wait(lambda: VIP in node.addresses(), timeout=5)
    node.ip("address", "del", f"{V6}/128", "dev", "eth1")
    node.wait(lambda: V6 in node.addresses(), timeout=5)
    node.wait(lambda: agent.output().count("plumbed again") == 2)
    assert node.metric("repaired_total") == 2


def test_against_something_that_keeps_deleting_it_slows_down_and_says_so(
    node: PlumbedNode,
) -> None:
    node.grant(VIP)
    node.start()
    node.wait_served(VIP)
    for _ in range(8):
        node.wait(lambda: VIP in node.addresses())
        node.ip("address", "del", f"{VIP}/32", "dev", "eth1")
    node.wait(lambda: [failure["message"] for failure in node.status["failures"]] == [UNDONE])
    node.wait(lambda: VIP in node.addresses())
    node.wait(lambda: not node.status["failures"])


def test_an_address_that_is_not_ours_is_never_touched(node: PlumbedNode) -> None:
    node.ip("address", "add", f"{VIP}/32", "dev", "eth1")
    node.ip("address", "add", "10.1.9.9/32", "dev", "eth1")
    try:
        node.grant(VIP, OTHER)
        agent = node.start("--clean-slate=all")
        node.wait_served(OTHER)
        (failure,) = node.status["failures"]
        assert failure["address"] == VIP
        assert "not put there by DuraVIP" in failure["message"]
        node.ip("address", "del", f"{VIP}/32", "dev", "eth1")
        node.wait_served(VIP, OTHER)
        node.wait(lambda: not node.status["failures"])
        agent.terminate()
        assert agent.wait() == 0
        assert "10.1.9.9" in node.addresses()
        assert {"10.1.0.11", "fd00:1::11"} <= node.addresses()
    finally:
        node.ip("address", "del", "10.1.9.9/32", "dev", "eth1")


def test_what_is_revoked_is_silent_before_it_is_acknowledged_and_then_removed(
    node: PlumbedNode,
) -> None:
    node.grant(VIP, OTHER)
    node.start()
    node.wait_served(VIP, OTHER)
    node.grant(OTHER)
    node.wait_acted()
    assert not reaches(node, VIP)
    assert node.status["served"] == [OTHER]
    node.wait(lambda: VIP not in node.addresses(), timeout=5)


def test_another_mask_is_honoured(node: PlumbedNode) -> None:
    node.write({"epoch": 1, "interfaces": [{"name": "eth1", "mask": 24, "granted": [VIP]}]})
    agent = node.start()
    node.wait_served(VIP)
    assert f"{VIP}/24" in node.ip("address", "show", "dev", "eth1")
    node.grant(VIP)
    node.wait_acted()
    node.wait(lambda: f"{VIP}/32" in node.ip("address", "show", "dev", "eth1"))
    agent.terminate()
    assert agent.wait() == 0


def test_an_interface_that_comes_later_is_used_when_it_comes(node: PlumbedNode) -> None:
    node.grant(VIP, nic="later0")
    node.start()
    node.wait_acted()
    told = [(failure["address"], failure["message"]) for failure in node.status["failures"]]
    assert told == [(VIP, "the node has no interface later0")]
    node.ip("link", "add", "later0", "type", "veth", "peer", "name", "later1")
    try:
        node.wait(lambda: node.status["failures"][0]["message"] == "the interface later0 is down")
        node.ip("link", "set", "later0", "up")
        node.ip("link", "set", "later1", "up")
        node.wait_served(VIP)
        assert node.status["failures"] == []
    finally:
        node.ip("link", "del", "later0")
    node.wait_served()


def test_a_link_that_goes_down_is_reported_and_what_it_lost_is_restored(node: PlumbedNode) -> None:
    def nic() -> dict[str, object]:
        return next(nic for nic in node.status["nics"] if nic["name"] == "eth1")

    node.grant(VIP, V6)
    node.start()
    node.wait_served(VIP, V6)
    node.machine.cable("eth1", up=False)
    node.wait(lambda: not nic()["carrier"], timeout=5)
    node.wait_served(timeout=5)
    node.machine.cable("eth1", up=True)
    node.wait(lambda: nic()["carrier"], timeout=5)
    node.ip("link", "set", "eth1", "down")  # the kernel then drops IPv6 addresses
    node.wait(lambda: not nic()["up"], timeout=5)
    node.ip("link", "set", "eth1", "up")
    node.ip("address", "replace", "fd00:1::11/64", "dev", "eth1", "nodad")
    node.wait(lambda: {VIP, V6} <= node.addresses(), timeout=5)
    node.wait_served(VIP, V6)


def test_thousands_are_plumbed_and_withdrawn_in_time(node: PlumbedNode) -> None:
    node.grant()
    agent = node.start()
    node.wait_acted()
    began = time.monotonic()
    node.grant("10.1.64.0-10.1.77.84")
    node.wait(lambda: node.status.get("servedCount") == 3413)
    assert time.monotonic() - began < 5
    assert reaches(node, "10.1.77.84")
    began = time.monotonic()
    agent.terminate()
    assert agent.wait() == 0
    assert time.monotonic() - began < 2
    assert node.addresses() == {"10.1.0.11", "fd00:1::11"} | {
        address for address in node.addresses() if address.startswith("fe80")
    }
