"""Every sort of traffic that an address takes part in; each method tells if it got through."""

import socket
import struct
import time
from contextlib import ExitStack, suppress
from typing import TypeVar

from duravip_agent.core.frames import BROADCAST, frame_of, mac_bytes
from duravip_agent.core.grant import Placement
from duravip_agent.core.pacing import Call
from duravip_api.addresses import parsed
from netns.fenced import (
    CLIENT,
    CLIENT6,
    CLIENT_MAC,
    MOVED,
    NODE,
    NODE6,
    NODE_MAC,
    POD,
    VIP,
    VIP6,
    Namespace,
    World,
)

PATIENCE = 0.08
"""Whoever has not answered by then does not."""

PORT, WEB = 7000, 80
_ARP, _IPV6 = 0x0806, 0x86DD
_ARP_REQUEST = struct.pack("!HHHBBH", _ARP, 1, 0x0800, 6, 4, 1)
_ADVERTISEMENT = 136
_ECHO = {4: (8, 0), 6: (128, 129)}
_KUBE_PROXY = f"""
table ip elsewhere {{
  chain services {{
    type nat hook prerouting priority dstnat; policy accept;
    ip daddr {VIP} tcp dport {WEB} dnat to {POD}:{PORT}
  }}
}}
"""


class Ear:
    """A raw socket: asks, and hears who says that he has an address."""

    def __init__(self, where: Namespace, kind: int) -> None:
        with where.entered():
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(kind))
            self.sock.bind(("eth1", kind))

    def hears(self, address: str, patience: float = PATIENCE) -> bool:
        """Whether somebody says so in time."""
        packed, end = parsed(address).packed, time.monotonic() + patience
        with suppress(TimeoutError):
            while (left := end - time.monotonic()) > 0:
                self.sock.settimeout(left)
                if address_said(self.sock.recv(2048)) == packed:
                    return True
        return False

    def asks(self, address: str, source: str) -> bool:
        """Whether somebody answers a question for it; the source may be 0.0.0.0 or `::`."""
        self.sock.send(question(address, source))
        return self.hears(address)

    def close(self) -> None:
        """Let go of the socket."""
        self.sock.close()


Closes = TypeVar("Closes", Ear, socket.socket)


class Traffic:
    """The traffic of one world, with what it needs at the other end."""

    def __init__(self, world: World) -> None:
        self._world, self._stack = world, ExitStack()
        world.node.run("nft", "-f", "-", text=_KUBE_PROXY)
        self._arp = self._kept(Ear(world.client, _ARP))
        self._nd = self._kept(Ear(world.client, _IPV6))
        self._raw = self._kept(Ear(world.node, 0))
        for where, hosts in (
            (world.node, (VIP, VIP6, NODE, NODE6)),
            (world.client, (CLIENT, MOVED)),
            (world.pod, (POD,)),
        ):
            for host in hosts:
                with where.entered():
                    self._kept(socket.create_server((host, PORT), family=_family(host)))

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
        return self._announces(self._arp, Call(Placement("eth1", 32), VIP))

    def gratuitous_arp_reply(self) -> bool:
        """Its other form."""
        return self._announces(self._arp, Call(Placement("eth1", 32), VIP, is_reply=True))

    def advertisement(self) -> bool:
        """Our own for IPv6."""
        return self._announces(self._nd, Call(Placement("eth1", 128), VIP6))

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

    def _announces(self, ear: Ear, call: Call) -> bool:
        with suppress(OSError):  # ENOBUFS: the fence has dropped it
            self._raw.sock.send(frame_of(call, mac_bytes(NODE_MAC)))
        return ear.hears(call.address)

    def _kept(self, end: Closes) -> Closes:
        self._stack.callback(end.close)
        return end


def connects(where: Namespace, host: str, port: int = PORT) -> bool:
    """Whether a TCP connection comes about."""
    with where.entered():
        sock = socket.socket(_family(host), socket.SOCK_STREAM)
    with sock:
        sock.settimeout(PATIENCE)
        with suppress(TimeoutError):
            sock.connect((host, port))
            return True
    return False


def echoes(where: Namespace, host: str) -> bool:
    """Whether it answers a ping."""
    version = parsed(host).version
    request, reply = _ECHO[version]
    protocol = socket.IPPROTO_ICMP if version == 4 else socket.IPPROTO_ICMPV6
    with where.entered():
        sock = socket.socket(_family(host), socket.SOCK_RAW, protocol)
    with sock, suppress(TimeoutError):
        message = struct.pack("!BBHHH", request, 0, 0xFFFF - (request << 8), 0, 0)
        end = time.monotonic() + PATIENCE
        with suppress(PermissionError):  # the node's own, muted on their way out
            sock.sendto(message, (host, 0))
        while (left := end - time.monotonic()) > 0:
            sock.settimeout(left)
            data, sender = sock.recvfrom(2048)
            kind = data[20] if version == 4 else data[0]
            if (sender[0], kind) == (host, reply):
                return True
    return False


def question(address: str, source: str) -> bytes:
    """The frame in which a client asks who has an address."""
    wanted, asker, mac = parsed(address).packed, parsed(source).packed, mac_bytes(CLIENT_MAC)
    if ":" not in address:
        return BROADCAST + mac + _ARP_REQUEST + mac + asker + bytes(6) + wanted
    group = parsed("ff02::1:ff00:0").packed[:13] + wanted[13:]
    body = struct.pack("!BBHI", 135, 0, 0, 0) + wanted
    if any(asker):
        body += b"\x01\x01" + mac
    pseudo = asker + group + struct.pack("!II", len(body), 58)
    checksum = 0xFFFF - int.from_bytes(pseudo + body, "big") % 0xFFFF
    body = body[:2] + struct.pack("!H", checksum) + body[4:]
    head = (
        b"\x33\x33" + group[12:] + mac + struct.pack("!HIHBB", _IPV6, 6 << 28, len(body), 58, 255)
    )
    return head + asker + group + body


def address_said(frame: bytes) -> bytes:
    """The address that the sender of a frame says is his; empty when it says no such thing."""
    if frame[12:14] == struct.pack("!H", _ARP):
        return frame[28:32]
    is_advertisement = frame[20] == 58 and frame[54] == _ADVERTISEMENT
    return frame[62:78] if is_advertisement else b""


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
