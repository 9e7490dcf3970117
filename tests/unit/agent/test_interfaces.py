"""Which cards are of use to which addresses, and what the kernel's messages say of them."""

import struct
from dataclasses import replace

import pytest

from duravip_agent.codec import rtnetlink
from duravip_agent.core.interfaces import interface_faults, relevant_interfaces, usable_interfaces
from duravip_agent.core.kernel_state import IfAddress, KernelState, Link
from duravip_agent.core.node_spec import Placement
from duravip_agent.core.node_status import nics, unreadable_message
from duravip_agent.core.plan import make_plan

CARD = Link(2, "eth1", is_up=True, has_carrier=True, state=6)
OWN = IfAddress(2, "10.1.0.11", 16, is_marked=False)
VIP, FOREIGN, V6 = "10.1.1.1", "10.9.1.1", "fd00:1::64:1"


def seen(link: Link = CARD, *aliases: IfAddress) -> KernelState:
    return KernelState((link,), aliases)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"is_port": True, "master": "br0"}, "port of br0"),
        ({"is_port": True}, "port of another one"),
        ({"has_no_arp": True}, "NOARP"),
        ({"hardware": 0xFFFE}, "no Ethernet"),
        ({"state": 5}, "dormant"),
        ({"state": 4}, "under test"),
    ],
)
def test_a_card_that_is_up_and_answers_nobody_is_no_card(
    change: dict[str, object], word: str
) -> None:
    observed = seen(replace(CARD, **change), OWN)  # type: ignore[arg-type]
    assert word in interface_faults(observed)["eth1"].of(VIP)
    assert word in interface_faults(observed)["eth1"].of(V6)
    assert not usable_interfaces(observed, {}).audible
    (nic,) = nics(observed, ["eth1"])
    assert word in (nic.unusable or "")


@pytest.mark.parametrize(
    ("value", "has_own", "silent"),
    [
        (0, False, set()),
        (1, False, set()),
        (2, True, {FOREIGN}),
        (2, False, {VIP, FOREIGN}),
        (3, True, set()),
        (3, False, {VIP, FOREIGN}),
        (4, False, set()),
        (8, True, {VIP, FOREIGN}),
    ],
)
def test_arp_ignore_is_about_ipv4_and_about_the_nodes_own_networks(
    value: int, *, has_own: bool, silent: set[str]
) -> None:
    observed = seen(replace(CARD, arp_ignore=value), *([OWN] if has_own else []))
    found = usable_interfaces(observed, {})
    assert found.audible == {"eth1"}
    fault = found.faulty.get("eth1")
    assert {a for a in (VIP, FOREIGN, V6) if fault and fault.of(a)} == silent
    wanted = {VIP: Placement("eth1", 32), V6: Placement("eth1", 128)}
    plan = make_plan(wanted, observed, {})
    assert {alias.address for alias in plan.add} == {VIP, V6} - silent
    assert plan.failures.keys() == {VIP} & silent


@pytest.mark.parametrize("change", [{"has_no_ipv6": True}, {"mtu": 1200}])
def test_a_card_without_ipv6_answers_for_ipv4_only(change: dict[str, object]) -> None:
    observed = seen(replace(CARD, **change), OWN)  # type: ignore[arg-type]
    found = usable_interfaces(observed, {})
    assert found.audible == {"eth1"}
    assert found.faulty["eth1"].of(V6)
    assert not found.faulty["eth1"].of(VIP)
    (nic,) = nics(observed)
    assert nic.unusable_ipv6
    assert not nic.unusable_ipv4


def test_a_card_without_any_fault_is_fine() -> None:
    assert usable_interfaces(seen(CARD, OWN), {}).audible == {"eth1"}
    assert not usable_interfaces(seen(replace(CARD, is_up=False)), {}).audible
    assert usable_interfaces(seen(CARD), {"eth1": "no"}).audible == set()


def test_a_name_that_is_no_text_leaves_out_that_card_only_and_is_said() -> None:
    strange = Link(3, "b\udcff", is_up=True, has_carrier=True)
    observed = KernelState((CARD, strange), (OWN,))
    assert {link.name for link in relevant_interfaces(observed)} == {"eth1", "b\udcff"}
    assert [nic.name for nic in nics(observed)] == ["eth1"]
    assert "'b\\udcff'" in unreadable_message(observed)
    assert not unreadable_message(KernelState((replace(CARD, name="\x01z"),))), "odd, but a text"
    assert not unreadable_message(seen())


def attribute(kind: int, data: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def message(index: int, name: bytes, *more: bytes, flags: int = 0x1) -> bytes:
    head = struct.pack("=BxHiII", 0, 1, index, flags, 0)
    return head + attribute(3, name + b"\0") + b"".join(more)


def details(kind: bytes, *more: bytes) -> bytes:
    return attribute(18, attribute(1, kind + b"\0") + b"".join(more))


def test_a_message_about_a_link_is_read() -> None:
    body = message(
        7, b"eth1", attribute(1, bytes.fromhex("020000000011")), attribute(4, b"\xdc\x05\0\0"),
        attribute(16, b"\x05"), attribute(33, b"\x01"), details(b"veth"), flags=0x81,
    )  # fmt: skip
    assert rtnetlink.link_in(body) == Link(
        7, "eth1", "02:00:00:00:00:11", 1500, is_up=True, has_carrier=True, kind="veth",
        has_no_arp=True, state=5,
    )  # fmt: skip
    tunnel = struct.pack("=BxHiII", 0, 0xFFFE, 3, 0, 0) + attribute(3, b"tun0\0")
    assert rtnetlink.link_in(tunnel) == Link(3, "tun0", hardware=0xFFFE)


def test_a_message_that_is_too_short_or_names_nothing_is_no_link() -> None:
    assert rtnetlink.link_in(b"") is None
    assert rtnetlink.link_in(message(7, b"")[:16]) is None


def test_a_port_is_known_by_its_master_and_one_below_a_greedy_macvlan_by_that() -> None:
    port = message(
        2, b"eth0", attribute(10, b"\x05\0\0\0"), details(b"", attribute(4, b"bridge\0"))
    )
    in_vrf = message(
        3, b"eth1", attribute(10, b"\x06\0\0\0"), details(b"", attribute(4, b"vrf\0"))
    )
    below = message(4, b"eth2")
    greedy = message(
        8, b"mv0", attribute(5, b"\x04\0\0\0"),
        details(b"macvlan", attribute(2, attribute(1, b"\x08\0\0\0"))),
    )  # fmt: skip
    bodies = [port, in_vrf, below, message(5, b"br0"), message(6, b"vrf0"), greedy]
    read = [(link, rtnetlink.relations_in(b)) for b in bodies if (link := rtnetlink.link_in(b))]
    found = rtnetlink.related(read)
    by_name = {link.name: link for link in found}
    assert (by_name["eth0"].is_port, by_name["eth0"].master) == (True, "br0")
    assert not by_name["eth1"].is_port
    assert (by_name["eth2"].is_port, by_name["eth2"].master) == (True, "mv0")
    assert not by_name["mv0"].is_port
