"""Every sort of traffic that an address takes part in; each method tells if it got through."""

import socket
from contextlib import ExitStack, suppress
from typing import TypeVar

from duravip_agent.codec.frames import announcement_frame, mac_bytes
from duravip_agent.core.node_spec import Placement
from duravip_agent.core.send_queue import Announcement
from netns.fenced import CLIENT, CLIENT6, MOVED, NODE, NODE6, NODE_MAC, POD, VIP, VIP6, World
from netns.fenced_asking import ARP, IPV6, PATIENCE, PORT, Ear, connects, echoes, family_of

WEB = 80
_KUBE_PROXY = f"""
table ip elsewhere {{
  chain services {{
    type nat hook prerouting priority dstnat; policy accept;
    ip daddr {VIP} tcp dport {WEB} dnat to {POD}:{PORT}
  }}
}}
"""


Closes = TypeVar("Closes", Ear, socket.socket)


class Traffic:
    """The traffic of one world, with what it needs at the other end."""

    def __init__(self, world: World) -> None:
        self._world, self._stack = world, ExitStack()
        world.node.run("nft", "-f", "-", text=_KUBE_PROXY)
        self._arp = self._kept(Ear(world.client, ARP))
        self._nd = self._kept(Ear(world.client, IPV6))
        self._raw = self._kept(Ear(world.node, 0))
        for where, hosts in (
            (world.node, (VIP, VIP6, NODE, NODE6)),
            (world.client, (CLIENT, MOVED)),
            (world.pod, (POD,)),
        ):
            for host in hosts:
                with where.entered():
                    self._kept(socket.create_server((host, PORT), family=family_of(host)))

    def close(self) -> None:
        """Let go of all sockets."""
        self._stack.close()

    def arp(self, address: str = VIP) -> bool:
        """A request."""
        return self._arp.asks(address, CLIENT)

    def arp_probe(self) -> bool:
        """A request as RFC 5227 has it."""
        return self._arp.asks(VIP, "0.0.0.0")  # noqa: S104 - the sender has no address

    def solicitation(self, address: str = VIP6) -> bool:
        """The same for IPv6."""
        return self._nd.asks(address, CLIENT6)

    def solicitation_for_detection(self) -> bool:
        """As RFC 4862 has it."""
        return self._nd.asks(VIP6, "::")

    def gratuitous_arp(self) -> bool:
        """Our own announcement."""
        return self._announces(self._arp, Announcement(Placement("eth1", 32), VIP))

    def gratuitous_arp_reply(self) -> bool:
        """Its other form."""
        return self._announces(self._arp, Announcement(Placement("eth1", 32), VIP, is_reply=True))

    def advertisement(self) -> bool:
        """Our own for IPv6."""
        return self._announces(self._nd, Announcement(Placement("eth1", 128), VIP6))

    def ping(self, address: str = VIP) -> bool:
        """An echo request from the client."""
        return echoes(self._world.client, address)

    def ping6(self) -> bool:
        """The same for IPv6."""
        return echoes(self._world.client, VIP6)

    def tcp(self, address: str = VIP, port: int = PORT) -> bool:
        """A new connection from the client."""
        return connects(self._world.client, address, port)

    def tcp6(self) -> bool:
        """The same for IPv6."""
        return connects(self._world.client, VIP6)

    def tcp_to_a_pod(self) -> bool:
        """A connection that kube-proxy sends on to a pod."""
        return connects(self._world.client, VIP, WEB)

    def tcp_from_a_pod(self) -> bool:
        """From a pod of the node."""
        return connects(self._world.pod, VIP)

    def tcp_from_the_node(self) -> bool:
        """From the node itself, over lo."""
        return connects(self._world.node, VIP)

    def udp_from_a_program(self) -> bool:
        """Sent by a program of the node that is bound to the address."""
        with self._world.client.entered():
            to = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with self._world.node.entered():
            out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with to, out:
            to.bind((CLIENT, PORT))
            to.settimeout(PATIENCE)
            out.bind((VIP, 0))
            with suppress(PermissionError, TimeoutError):
                out.sendto(b"x", (CLIENT, PORT))
                sender: tuple[str, int] = to.recvfrom(9)[1]
                return sender[0] == VIP
        return False

    def nodes_own_addresses(self) -> bool:
        """All of it for addresses of the node's own, of which one is in the same block."""
        return all(
            (
                self.arp(NODE),
                self.ping(NODE),
                self.tcp(NODE),
                self.solicitation(NODE6),
                self.tcp(NODE6),
            )
        )

    def forwarded(self) -> bool:
        """Through the node: from the client to a pod, and back the same way."""
        return self.ping(POD) and self.tcp(POD) and connects(self._world.pod, CLIENT)

    def to_another_node(self) -> bool:
        """From the node and from its pod to an address that another node has now."""
        sources = (self._world.node, self._world.pod)
        return all(echoes(s, MOVED) and connects(s, MOVED) for s in sources)

    def rules_of_others(self) -> str:
        """The node's rules that are not ours."""
        return self._world.node.run("nft", "list", "table", "ip", "elsewhere")

    def _announces(self, ear: Ear, call: Announcement) -> bool:
        with suppress(OSError):  # ENOBUFS: the fence has dropped it
            self._raw.sock.send(announcement_frame(call, mac_bytes(NODE_MAC)))
        return ear.hears(call.address)

    def _kept(self, end: Closes) -> Closes:
        self._stack.callback(end.close)
        return end
