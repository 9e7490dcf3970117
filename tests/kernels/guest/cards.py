"""What the agent does with every sort of card, on the kernel at hand and with real frames.

Only virtual machines have all these cards for certain, so no other tier runs this file.
"""

import platform
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from pyroute2 import IPRoute

from duravip_agent.core.interfaces import interface_faults, relevant_interfaces
from duravip_agent.core.kernel_state import IfAddress
from duravip_agent.core.node_spec import Placement
from duravip_agent.core.probing import ProbeResult, ProbeSpec
from duravip_agent.kernel.fence import Fence
from duravip_agent.kernel.netlink import Netlink
from duravip_agent.kernel.watchdog import WatchdogSocket
from duravip_agent.metrics import Metrics
from duravip_agent.segment.announcer import Announcer
from duravip_agent.segment.prober import Prober
from duravip_agent.segment.raw_socket import FrameSender
from duravip_api import MARK
from lab.processes import wait_for
from netns.fenced import CLIENT, CLIENT6, CLIENT_MAC, NODE, NODE6, NODE_MAC, VIP, VIP6, Namespace
from netns.fenced_asking import ARP, IPV6, Ear

NIC = "eth1"
"""Every card's name, on the node and on the client."""
WATCHDOG_S = 0.5
ABSENT, ABSENT6 = "10.1.0.200", "fd00:1::200"


@dataclass(frozen=True)
class Kind:
    """A sort of card: how it is made of one or two cables, at both ends."""

    name: str
    node: tuple[str, ...]
    client: tuple[str, ...]
    ports: tuple[str, ...] = ()
    """What the card is made of, as far as nothing can be served there any more."""


PLAIN = (f"link set c0 name {NIC}",)
VLAN = (f"link add link c0 name {NIC} type vlan id 42",)
BRIDGED = (f"link add {NIC} type bridge", f"link set c0 master {NIC}", f"link set c1 master {NIC}")


def bond(mode: str, options: str = "") -> tuple[str, ...]:
    """A bond of both cables."""
    return (
        f"link add {NIC} type bond miimon 100 mode {mode}{options}",
        f"link set c0 master {NIC}",
        f"link set c1 master {NIC}",
    )


LACP = bond("802.3ad", " lacp_rate fast")

KINDS = [
    Kind("veth", PLAIN, PLAIN),
    Kind("vlan", VLAN, VLAN),
    Kind("bond-active-backup", bond("active-backup"), BRIDGED, ("c0", "c1")),
    Kind("bond-802.3ad", LACP, LACP, ("c0", "c1")),
    Kind(
        "vlan-on-bond",
        (
            "link add b0 type bond miimon 100 mode active-backup",
            "link set c0 master b0",
            "link set c1 master b0",
            f"link add link b0 name {NIC} type vlan id 42",
            "link set b0 up",
        ),
        (
            "link add b0 type bridge",
            "link set c0 master b0",
            "link set c1 master b0",
            f"link add link b0 name {NIC} type vlan id 42",
            "link set b0 up",
        ),
        ("c0", "c1"),
    ),
    Kind("bridge", BRIDGED[:2], PLAIN, ("c0",)),
    Kind(
        "bridge-on-vlan",
        (
            "link set c0 up",
            "link add link c0 name v0 type vlan id 42",
            f"link add {NIC} type bridge",
            f"link set v0 master {NIC}",
            "link set v0 up",
        ),
        VLAN,
        ("v0",),
    ),
    Kind("macvlan", (f"link add link c0 name {NIC} type macvlan mode bridge",), PLAIN),
    Kind(
        "macvlan-on-vlan",
        (
            "link set c0 up",
            "link add link c0 name v0 type vlan id 42",
            f"link add link v0 name {NIC} type macvlan mode private",
            "link set v0 up",
        ),
        VLAN,
    ),
]


class Cabled:
    """A node and a client whose cards are of a kind; the test's thread is on the node."""

    def __init__(self, kind: Kind, stack: ExitStack) -> None:
        self.kind = kind
        self.node, self.client = Namespace(), Namespace()
        stack.callback(self.client.close)
        stack.callback(self.node.close)
        self._lay_cables()
        self.plug(self.node, kind.node, NODE_MAC, (f"{NODE}/16", f"{NODE6}/64"))
        self.plug(self.client, kind.client, CLIENT_MAC, (f"{CLIENT}/16", f"{CLIENT6}/64"))
        stack.enter_context(self.node.entered())
        Path("/proc/sys/net/ipv4/conf/all/arp_ignore").write_text("1")  # docs/limits.md
        self.kernel = Netlink()
        wait_for(self.has_carrier, "the card has a carrier")
        self.arp, self.nd = Ear(self.client, ARP), Ear(self.client, IPV6)
        stack.callback(self.arp.close)
        stack.callback(self.nd.close)
        if kind.node == LACP:
            for end in (self.node, self.client):
                wait_for(partial(has_two_ports, end), "the bond's ends agree")
        wait_for(lambda: self.arp.asks(NODE, CLIENT), "the node answers for itself")
        wait_for(lambda: self.nd.asks(NODE6, CLIENT6), "the node answers for itself by IPv6")

    def _lay_cables(self) -> None:
        for cable in ("c0", "c1"):
            self.node.ip(f"link add {cable} type veth peer name {cable} netns {self.client.path}")

    @staticmethod
    def plug(end: Namespace, card: tuple[str, ...], mac: str, addresses: tuple[str, ...]) -> None:
        """Make an end's card, and give it the addresses of its machine."""
        end.ip(
            *card,
            f"link set {NIC} address {mac}",
            *(f"link set {c} up" for c in ("c0", "c1") if f"link set {c} name {NIC}" not in card),
            f"link set {NIC} up",
            *(f"addr add {a} dev {NIC}{' nodad' if ':' in a else ''}" for a in addresses),
        )

    def has_carrier(self) -> bool:
        """Whether the node's card is of use."""
        state = self.kernel.read_state(with_links=True)
        (link,) = (link for link in state.links if link.name == NIC)
        return link.is_up and link.has_carrier

    def guarded(self) -> list[str]:
        """The interfaces that an agent guards, to which both addresses are granted there."""
        observed = self.kernel.read_state(with_links=True)
        return [link.name for link in relevant_interfaces(observed, {NIC})]

    def aliases(self) -> list[IfAddress]:
        """Both addresses, for the node's card."""
        index = socket.if_nametoindex(NIC)
        return [IfAddress(index, VIP, 32, True), IfAddress(index, VIP6, 128, True)]  # noqa: FBT003

    def answers(self) -> tuple[bool, bool]:
        """Whether the client is answered for both addresses."""
        return self.arp.asks(VIP, CLIENT), self.nd.asks(VIP6, CLIENT6)


def has_two_ports(end: Namespace) -> bool:
    """Whether a bond uses both of its cables, as its partner at the other end lets it."""
    with end.entered():
        return "Number of ports: 2\n" in Path(f"/proc/net/bonding/{NIC}").read_text()


BOTH, NEITHER = (True, True), (False, False)


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.name)
def cabled(request: pytest.FixtureRequest) -> Iterator[Cabled]:
    with ExitStack() as stack:
        yield Cabled(request.param, stack)


@contextmanager
def plumbing(cabled: Cabled) -> Iterator[None]:
    """Let the node have both addresses. The kernel begins to answer for IPv6 a little later."""
    assert cabled.kernel.add(cabled.aliases()) == {}
    try:
        wait_for(lambda: cabled.answers() == BOTH, "the node answers for both addresses")
        yield
    finally:
        assert cabled.kernel.delete(cabled.aliases()) == {}


@pytest.fixture
def plumbed(cabled: Cabled) -> Iterator[Cabled]:
    """One whose node has both addresses."""
    with plumbing(cabled):
        yield cabled


def test_an_address_is_added_with_our_mark_and_deleted(cabled: Cabled) -> None:
    assert cabled.answers() == NEITHER
    with plumbing(cabled):
        assert set(cabled.kernel.read_state(with_links=True).marked) == set(cabled.aliases())
        with IPRoute() as other_eyes:
            marks = {a.get("IFA_ADDRESS"): a.get("IFA_PROTO") for a in other_eyes.get_addr()}
        assert marks[VIP] == marks[VIP6] == MARK
        assert marks[NODE] != MARK
    assert cabled.answers() == NEITHER
    assert cabled.arp.asks(NODE, CLIENT)


def test_the_agent_serves_on_the_card_and_refuses_what_it_is_made_of(cabled: Cabled) -> None:
    faults = interface_faults(cabled.kernel.read_state(with_links=True))
    assert NIC not in faults
    for port in cabled.kind.ports:
        assert "a port of" in faults[port].everywhere


def test_the_fence_and_its_watchdog_mute_the_card(plumbed: Cabled) -> None:
    fence, watchdog = Fence(), WatchdogSocket()
    fence.build(plumbed.guarded(), WATCHDOG_S, [VIP, VIP6])
    try:
        assert fence.is_intact()
        assert not fence.unguarded
        assert plumbed.answers() == NEITHER
        watchdog.feed()
        assert plumbed.answers() == NEITHER
        fence.activate([VIP, VIP6])
        assert heard_while_fed(plumbed, watchdog) == BOTH
        time.sleep(2 * WATCHDOG_S)
        assert plumbed.answers() == NEITHER
        assert plumbed.arp.asks(NODE, CLIENT)
        watchdog.feed()
        assert heard_while_fed(plumbed, watchdog) == BOTH
        watchdog.feed()
        watchdog.mute()
        assert plumbed.answers() == NEITHER
        watchdog.feed()
        fence.deactivate([VIP6])
        assert heard_while_fed(plumbed, watchdog) == (True, False)
        assert fence.is_intact()
    finally:
        fence.remove()
        fence.close()
        watchdog.close()
    assert plumbed.answers() == BOTH
    assert "duravip" not in plumbed.node.run("nft", "list", "tables")


def test_announcements_reach_the_segment_and_the_fence_holds_them_back(plumbed: Cabled) -> None:
    sender = FrameSender()
    announcer = Announcer(plumbed.kernel, sender, 60.0, Metrics(""))
    announcer.links_changed(plumbed.kernel.read_state(with_links=True).links, 0.0)
    served = {Placement(NIC, 32): frozenset([VIP]), Placement(NIC, 128): frozenset([VIP6])}
    fence, watchdog = Fence(), WatchdogSocket()
    fence.build(plumbed.guarded(), WATCHDOG_S)
    try:
        fence.activate([VIP, VIP6])
        announcer.announce_new(served, 0.0)
        assert (plumbed.arp.hears(VIP), plumbed.nd.hears(VIP6)) == NEITHER
        watchdog.feed()
        announcer.announce_again(frozenset([VIP, VIP6]), 10.0)
        assert (plumbed.arp.hears(VIP), plumbed.nd.hears(VIP6)) == BOTH
    finally:
        sender.keep_only(())
        fence.remove()
        fence.close()
        watchdog.close()


@pytest.mark.usefixtures("cabled")
def test_a_probe_is_answered_by_who_has_the_address_and_by_nobody_else() -> None:
    prober = Prober(NIC)
    try:
        found = prober.probe(ProbeSpec((CLIENT, CLIENT6, ABSENT, ABSENT6)))
    finally:
        prober.close()
    here = {CLIENT: (CLIENT_MAC,), CLIENT6: (CLIENT_MAC,)}
    assert found == ProbeResult(here, silent=frozenset({ABSENT, ABSENT6}))


def test_a_dummy_is_refused_since_no_host_can_hear_it() -> None:
    node = Namespace()
    node.ip(f"link add {NIC} type dummy", f"link set {NIC} up")
    with node.entered():
        faults = interface_faults(Netlink().read_state(with_links=True))
    node.close()
    assert faults[NIC].everywhere == "it does without ARP (NOARP)"


@pytest.mark.parametrize("option", ["", "--node-local"])
def test_the_doctor_says_what_a_bare_machine_has(option: str) -> None:
    doctor = [sys.executable, "-m", "duravip_cli", "doctor", *option.split()]
    done = subprocess.run(doctor, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stdout + done.stderr
    assert done.returncode == (0 if option else 2)
    if option:
        assert f"kernel: {platform.release()}" in done.stdout
        assert "the kernel takes a fence" in done.stdout
        assert "FAIL" not in done.stdout


def heard_while_fed(cabled: Cabled, watchdog: WatchdogSocket) -> tuple[bool, bool]:
    """Whether the client is answered while the agent does its duty."""
    watchdog.feed()
    arp = cabled.arp.asks(VIP, CLIENT)
    watchdog.feed()
    return arp, cabled.nd.asks(VIP6, CLIENT6)
