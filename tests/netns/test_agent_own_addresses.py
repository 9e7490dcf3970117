"""What the agent of a real node reports as its own addresses."""

from duravip_api.addresses import expand_ranges
from netns.plumbed import PlumbedNode

CARDS = ("kube-ipvs0", "dummy7", "loud")
"""Where a proxy keeps addresses; one without ARP; one with it. Real dummies need a module."""


def told(node: PlumbedNode) -> set[str]:
    status = node.status
    listed = {a.partition("/")[0] for nic in status["nics"] for a in nic["addresses"]}
    return listed | set(expand_ranges(status["own"]))


def test_all_own_addresses_are_told_and_those_of_proxies_are_not(node: PlumbedNode) -> None:
    many = {f"10.1.7.{number}" for number in range(1, 101)}
    batch = "\n".join(f"address add {address}/32 dev eth1" for address in sorted(many))
    try:
        node.machine.run(["ip", "-batch", "-"], batch)
        for number, name in enumerate(CARDS, 1):
            node.ip("link", "add", name, "type", "bridge")
            node.ip("address", "add", f"10.1.9.{number}/32", "dev", name)
        node.ip("link", "set", "dummy7", "up", "arp", "off")
        node.ip("link", "set", "loud", "up")
        node.grant("10.1.1.1")
        node.start()
        node.wait_served("10.1.1.1")
        assert told(node) >= {*many, "10.1.0.11", "10.1.9.3"}
        assert told(node).isdisjoint({"10.1.9.1", "10.1.9.2", "10.1.1.1"})
        eth1 = next(nic for nic in node.status["nics"] if nic["name"] == "eth1")
        assert "10.1.0.0/16" in eth1["networks"]
        assert node.status["ownOmitted"] == 0
    finally:
        node.machine.run(["ip", "-batch", "-"], batch.replace("add ", "del "))
        for name in CARDS:
            node.machine.attempt(["ip", "link", "del", name])
