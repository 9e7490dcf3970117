"""Cards that are up and answer nobody."""

import sys

import pytest

from netns.plumbed import PlumbedNode

VIP, V6 = "10.1.1.1", "fd00:1::64:1"
SOON = 4.0
"""What must be said within 2 s, on a machine that has other things to do."""

PORT = (
    ["ip link add br0 type bridge", "ip link set eth1 master br0", "ip link set br0 up"],
    ["ip link del br0"],
)
IN_A_BOND = (
    ["ip link add bond7 type bond", "ip link set eth1 down", "ip link set eth1 master bond7"],
    ["ip link set eth1 nomaster", "ip link del bond7", "ip link set eth1 up"],
)
NOARP = (["ip link set eth1 arp off"], ["ip link set eth1 arp on"])
DORMANT = (
    ["ip link set eth1 mode dormant", "ip link set eth1 state dormant"],
    ["ip link set eth1 mode default", "ip link set eth1 state up"],
)

TUNNEL = """
import fcntl, os, signal, struct
fd = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(fd, 0x400454CA, struct.pack("16sH22x", b"tun7", 0x1001))
print("made", flush=True)
signal.pause()
"""
"""It is there, and has a carrier, for as long as this runs."""


def nic(node: PlumbedNode) -> dict[str, object]:
    found = [nic for nic in node.status["nics"] if nic["name"] == "eth1"]
    return dict(found[0]) if found else {}


@pytest.mark.parametrize(
    ("done", "word"),
    [(PORT, "port of br0"), (NOARP, "NOARP"), (DORMANT, "dormant")],
    ids=["port", "noarp", "dormant"],
)
def test_a_card_that_answers_nobody_serves_nothing_until_that_is_undone(
    node: PlumbedNode, done: tuple[list[str], list[str]], word: str
) -> None:
    node.grant(VIP, V6)
    node.start()
    node.wait_served(VIP, V6)
    do, undo = done
    for line in do:
        node.machine.run(line.split())
    try:
        node.wait_served(timeout=SOON)
        node.wait(lambda: word in str(nic(node).get("unusable")), timeout=SOON)
    finally:
        for line in undo:
            node.machine.run(line.split())
    node.wait_served(VIP, V6)
    assert "unusable" not in nic(node)


@pytest.mark.parametrize("arp", ["off", "on"])
@pytest.mark.parametrize("how", ["granted", "contested"])
def test_on_a_link_with_nobody_to_ask_nothing_is_taken_and_it_is_said(
    node: PlumbedNode, arp: str, how: str
) -> None:
    """A tunnel that claims to do ARP has no frames in which anybody could be asked."""
    tunnel = node.machine.spawn([sys.executable, "-c", TUNNEL])
    try:
        node.wait(lambda: "made" in tunnel.output())
        node.ip("link", "set", "tun7", "arp", arp, "up")
        node.ip("address", "add", "10.3.0.1/24", "dev", "tun7")
        grants = [{"name": "eth1", "mask": 32, "granted": [VIP]}]
        grants += [{"name": "tun7", "mask": 32, how: ["10.3.0.9"]}]
        node.write({"epoch": 1, "interfaces": grants})
        agent = node.start()
        node.wait_served(VIP)
        node.wait(lambda: node.status["failures"], timeout=SOON)
        (failure,) = node.status["failures"]
        assert failure["address"] == "10.3.0.9"
        assert ("no Ethernet" if arp == "on" else "NOARP") in failure["message"]
        assert "10.3.0.9" not in node.addresses("tun7")
        assert "probed 10.3.0.9" not in agent.output()
    finally:
        tunnel.terminate()
        tunnel.wait()


def test_arp_ignore_keeps_a_card_from_serving_ipv4(node: PlumbedNode) -> None:
    node.grant(VIP, V6)
    node.start()
    node.wait_served(VIP, V6)
    for value, served in ((8, [V6]), (1, [VIP, V6]), (2, [VIP, V6]), (0, [VIP, V6])):
        node.machine.run(["sysctl", "-qw", f"net.ipv4.conf.all.arp_ignore={value}"])
        node.wait_served(*served, timeout=SOON)
        said = "arp_ignore is 8" in str(nic(node).get("unusableIpv4"))
        assert said == (value == 8)
    node.grant("10.9.1.1", VIP)
    node.wait_served(VIP, "10.9.1.1")
    node.machine.run(["sysctl", "-qw", "net.ipv4.conf.eth1.arp_ignore=2"])
    try:
        node.wait_served(VIP, timeout=SOON)
        node.wait(lambda: node.status["failures"], timeout=SOON)
        (failure,) = node.status["failures"]
        assert failure["address"] == "10.9.1.1"
        assert "arp_ignore is 2" in failure["message"]
    finally:
        node.machine.run(["sysctl", "-qw", "net.ipv4.conf.eth1.arp_ignore=0"])
    node.wait_served(VIP, "10.9.1.1", timeout=SOON)


def test_a_card_without_ipv6_goes_on_with_ipv4(node: PlumbedNode) -> None:
    node.grant(VIP, V6)
    node.start()
    node.wait_served(VIP, V6)
    node.machine.run(["sysctl", "-qw", "net.ipv6.conf.eth1.disable_ipv6=1"])
    try:
        node.wait_served(VIP, timeout=SOON)
        node.wait(lambda: "disable_ipv6" in str(nic(node).get("unusableIpv6")), timeout=SOON)
    finally:
        node.machine.run(["sysctl", "-qw", "net.ipv6.conf.eth1.disable_ipv6=0"])
        node.ip("address", "replace", "fd00:1::11/64", "dev", "eth1", "nodad")
    node.wait_served(VIP, V6)


@pytest.mark.parametrize("replaced", [f"{VIP}/32", f"{V6}/128"])
def test_what_somebody_replaces_is_marked_again_and_goes_when_it_is_revoked(
    node: PlumbedNode, replaced: str
) -> None:
    address = replaced.partition("/")[0]
    node.grant(VIP, V6)
    agent = node.start()
    node.wait_served(VIP, V6)
    node.ip("address", "replace", replaced, "dev", "eth1")
    node.wait(lambda: node.marks().get(address) == 86, timeout=SOON)
    node.wait(lambda: "marked again" in agent.output(), timeout=SOON)
    assert node.status["served"] == [VIP, V6]
    assert not any(address in str(nic["addresses"]) for nic in node.status["nics"])
    node.ip("address", "replace", replaced, "dev", "eth1")
    node.grant()
    node.wait(lambda: not node.addresses() & {VIP, V6})


def test_no_mask_makes_a_route(node: PlumbedNode) -> None:
    tables = (["route", "show", "table", "all"], ["-6", "route", "show", "table", "all"])
    before = [routes(node, *table) for table in tables]
    entries = [
        {"name": "eth1", "mask": 24, "granted": ["10.9.1.1"]},
        {"name": "eth1", "mask": 64, "granted": ["fd00:9::1"]},
    ]
    node.write({"epoch": 1, "interfaces": entries})
    node.start()
    node.wait_served("10.9.1.1", "fd00:9::1")
    added = [routes(node, *table) - was for table, was in zip(tables, before, strict=True)]
    assert all(line.startswith(("local 10.9.1.1 ", "local fd00:9::1 ")) for line in added[0])
    assert all(line.startswith("local fd00:9::1 ") for line in added[1])
    node.machine.run(["ip", "link", "set", "eth1", "down"])
    node.machine.run(["ip", "link", "set", "eth1", "up"])
    node.ip("address", "replace", "fd00:1::11/64", "dev", "eth1", "nodad")
    node.wait_served("10.9.1.1", "fd00:9::1")
    node.wait(lambda: "10.9.1.255" not in str(routes(node, *tables[0])), timeout=SOON)


def routes(node: PlumbedNode, *arguments: str) -> set[str]:
    return {line.strip() for line in node.ip(*arguments).splitlines()}
