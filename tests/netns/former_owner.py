"""A node that has let go of its addresses, with all that may still send in their name."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from duravip_agent.kernel.fence import Fence
from duravip_agent.kernel.released_addresses import ConnectionEnder, ReleasedAddresses
from duravip_agent.kernel.watchdog import WatchdogSocket
from duravip_agent.metrics import Metrics
from duravip_api.addresses import parse_address
from netns.fenced import CLIENT, CLIENT6, NODE_MAC, POD, VIP, VIP6, Namespace, World, world
from netns.fenced_asking import family_of

POD6, BRIDGE6 = "fd00:244::2", "fd00:244::1"
SERVED, EGRESS = 7100, 7200
"""The port that is translated to the pod, and the client's port that the pod sends to."""
PODS = {4: POD, 6: POD6}
VIPS = {4: VIP, 6: VIP6}
CLIENTS = {4: CLIENT, 6: CLIENT6}
KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
PATIENCE = 1.0

_RULES = "".join(
    f"""
table {family} elsewhere {{
  chain services {{
    type nat hook prerouting priority dstnat; policy accept;
    {family} daddr {VIPS[version]} meta l4proto {{ tcp, udp }} th dport {SERVED} \
dnat to {PODS[version]}
  }}
  chain egress {{
    type nat hook postrouting priority srcnat; policy accept;
    {family} saddr {PODS[version]} th dport {EGRESS} meta l4proto {{ tcp, udp }} \
snat to {VIPS[version]}
    {family} saddr {PODS[version]} oifname "eth1" ct status != dnat masquerade
  }}
}}
"""
    for version, family in ((4, "ip"), (6, "ip6"))
)


class FormerOwner:
    """The node of a world; the test runs on it."""

    def __init__(self, made: World, stack: ExitStack) -> None:
        self.world, self._stack = made, stack
        for name in ("all", "default"):
            Path(f"/proc/sys/net/ipv6/conf/{name}/forwarding").write_text("1")
        made.node.ip(f"addr add {BRIDGE6}/64 dev cni0 nodad")
        made.pod.ip(
            f"addr add {POD6}/64 dev eth0 nodad", f"route add default via {BRIDGE6} dev eth0"
        )
        pod, bridge = _mac(made.pod, "eth0"), _mac(made.node, "cni0")
        # Known, since nobody may ask for them before link-local addresses have been proved.
        made.node.ip(f"neigh add {POD6} lladdr {pod} nud permanent dev cni0")
        made.pod.ip(f"neigh add {BRIDGE6} lladdr {bridge} nud permanent dev eth0")
        made.node.run("nft", "-f", "-", text=_RULES)
        made.plumb(VIP, VIP6)
        self.fence, self.dead_man, self.metrics = Fence(), WatchdogSocket(), Metrics("1")
        self.fence.build(["eth1"], 60.0)
        self.fence.activate([VIP, VIP6])
        self.dead_man.feed()
        self.connections = ConnectionEnder(self.metrics, lambda: self.fence.active)
        self.connections.start()
        self.released = ReleasedAddresses(self.connections)
        self.released.build()
        self._sniffer = self.kept(
            made.client, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x0300)
        )
        self._sniffer.bind(("eth1", 3))
        stack.callback(self.fence.close)
        stack.callback(self.dead_man.close)

    def kept(self, where: Namespace, make: object) -> socket.socket:
        """A socket that is made there, for as long as the node is needed."""
        with where.entered():
            made: socket.socket = make()  # type: ignore[operator]
        self._stack.callback(made.close)
        made.settimeout(PATIENCE)
        return made

    def release(self) -> None:
        """Let go, as the agent does: silence, rules, aliases, watching, connections."""
        addresses = (VIP, VIP6)
        self.fence.deactivate(addresses)
        self.released.add(addresses, {"eth1"})
        self.world.node.ip(f"addr del {VIP}/32 dev eth1", f"addr del {VIP6}/128 dev eth1")
        self.fence.unwatch(addresses)

    def take(self) -> None:
        """Hold them again."""
        self.fence.activate([VIP, VIP6])
        self.world.plumb(VIP, VIP6)
        self.released.remove(self.fence.active)

    def sent(self, seconds: float = 0.1) -> int:
        """As `heard`, a moment later: what is on its way has come by then."""
        time.sleep(seconds)
        return self.heard()

    def heard(self) -> int:
        """How many packets from one of the addresses the node has sent since the last time."""
        count = 0
        self._sniffer.settimeout(0)
        with suppress(BlockingIOError):
            while True:
                frame = self._sniffer.recv(4096)
                source = frame[26:30] if frame[12:14] == b"\x08\x00" else frame[22:38]
                is_ours = source in {parse_address(VIP).packed, parse_address(VIP6).packed}
                count += is_ours and frame[6:12] == bytes.fromhex(NODE_MAC.replace(":", ""))
        return count

    def tracked(self) -> str:
        """The node's connections, as another program sees them."""
        lists = (["-L"], ["-L", "-f", "ipv6"])
        return "".join(self.world.node.run("conntrack", *arguments) for arguments in lists)


class Flow:
    """A connection between the client and the pod, on which the pod sends."""

    def __init__(self, node: FormerOwner, kind: str, version: int, way: str) -> None:
        self._node = node
        family, world_ = family_of(VIPS[version]), node.world
        new = lambda: socket.socket(family, KINDS[kind])  # noqa: E731 - twice the same
        inside, outside = node.kept(world_.pod, new), node.kept(world_.client, new)
        opener, other = (outside, inside) if way == "dnat" else (inside, outside)
        port = SERVED if way == "dnat" else EGRESS
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(((PODS if way == "dnat" else CLIENTS)[version], port))
        if kind == "tcp":
            other.listen()
        opener.connect((VIPS[version] if way == "dnat" else CLIENTS[version], port))
        self.opener, self.other = opener, other
        if kind == "tcp":
            accepted, sender = other.accept()
            node.kept(node.world.node, lambda: accepted)
            self.other = accepted
        else:
            opener.send(b"hello")
            _, sender = other.recvfrom(99)
            other.connect(sender)
        self.sender = str(sender[0])
        self._from_pod = self.other if way == "dnat" else self.opener
        self.to_pod = self.opener if way == "dnat" else self.other

    def publish(self, times: int = 8) -> None:
        """Let the pod send."""
        for _ in range(times):
            with suppress(OSError):
                self._from_pod.send(b"from the pod")
            time.sleep(0.005)

    def address(self) -> None:
        """Let the client send to the address, as one with an old neighbour cache does."""
        with suppress(OSError):
            self.to_pod.send(b"from the client")


@contextmanager
def former_owner() -> Iterator[FormerOwner]:
    """One that still holds its addresses, until it is told to release them."""
    with world() as made, made.node.entered(), ExitStack() as stack:
        yield FormerOwner(made, stack)


def _mac(where: Namespace, card: str) -> str:
    return str(json.loads(where.run("ip", "-j", "link", "show", card))[0]["address"])
