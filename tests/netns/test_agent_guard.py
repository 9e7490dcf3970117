"""Addresses with declared ports alone, as an agent takes them from its NodePlumbing."""

import re

from netns.plumbed import PlumbedNode

VIP, OTHER = "10.1.1.1", "10.1.1.2"


def elements(node: PlumbedNode, name: str) -> set[str]:
    """What the kernel has in a set of the guard."""
    listed = node.machine.run(["nft", "-n", "list", "set", "inet", "duravip", name])
    return set(re.findall(r"10\.1\.1\.\d+(?: \. \d+ \. \d+)?", listed))


def test_a_guard_comes_with_its_address_and_goes_with_it(node: PlumbedNode) -> None:
    node.grant(VIP, OTHER, guarded=[f"{VIP} TCP/25,UDP/53"])
    node.start()
    node.wait_served(VIP, OTHER)
    assert elements(node, "guarded4") == {VIP}
    assert elements(node, "open4") == {f"{VIP} . 6 . 25", f"{VIP} . 17 . 53"}
    node.grant(OTHER, guarded=[])
    node.wait_served(OTHER)
    node.wait_acted()
    assert elements(node, "guarded4") == elements(node, "open4") == set()


def test_a_change_of_ports_is_in_force_without_a_lapse(node: PlumbedNode) -> None:
    node.grant(VIP, guarded=[VIP])
    node.start()
    node.wait_served(VIP)
    before = node.metric("lapses_total"), node.metric("fence_rebuilds_total")
    for port in range(9000, 9010):
        node.grant(VIP, guarded=[f"{VIP} TCP/{port}"])
        node.wait_acted()
        assert elements(node, "open4") == {f"{VIP} . 6 . {port}"}
    assert (node.metric("lapses_total"), node.metric("fence_rebuilds_total")) == before
    node.wait_served(VIP)


def test_a_spec_whose_guards_cannot_be_read_is_refused(node: PlumbedNode) -> None:
    node.grant(VIP, guarded=[f"{VIP} TCP/25"])
    node.start()
    node.wait_served(VIP)
    node.grant(VIP, OTHER, guarded=["nonsense"])
    node.wait(lambda: node.reason == "SpecRefused")
    assert elements(node, "open4") == {f"{VIP} . 6 . 25"}
    node.wait_served(VIP)
