"""What outsiders do: ask who has an address, ping it, connect to it."""

import errno
import socket
import struct
import time
from contextlib import suppress

from duravip_agent.codec.frames import BROADCAST, mac_bytes
from duravip_api.addresses import parse_address
from netns.fenced import CLIENT_MAC, Namespace

PATIENCE = 0.08
"""Whoever has not answered by then does not."""

AGREED_AFTER = 10.0
"""A bond takes no frame while its ends agree on what they use: for some seconds at most."""

PORT = 7000
ARP, IPV6 = 0x0806, 0x86DD
_ARP_REQUEST = struct.pack("!HHHBBH", ARP, 1, 0x0800, 6, 4, 1)
_ADVERTISEMENT = 136
_ECHO = {4: (8, 0), 6: (128, 129)}


class Ear:
    """A raw socket: asks, and hears who says that he has an address."""

    def __init__(self, where: Namespace, kind: int) -> None:
        with where.entered():
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(kind))
            self.sock.bind(("eth1", kind))

    def hears(self, address: str, patience: float = PATIENCE) -> bool:
        """Whether somebody says so in time."""
        packed, end = parse_address(address).packed, time.monotonic() + patience
        with suppress(TimeoutError):
            while (left := end - time.monotonic()) > 0:
                self.sock.settimeout(left)
                if address_said(self.sock.recv(2048)) == packed:
                    return True
        return False

    def asks(self, address: str, source: str) -> bool:
        """Whether somebody answers a question for it; the source may be 0.0.0.0 or `::`."""
        self._send(question(address, source))
        return self.hears(address)

    def _send(self, frame: bytes) -> None:
        end = time.monotonic() + AGREED_AFTER
        while True:
            try:
                self.sock.send(frame)
            except OSError as error:
                if error.errno != errno.ENOBUFS or time.monotonic() > end:
                    raise
                time.sleep(PATIENCE)
            else:
                return

    def close(self) -> None:
        """Let go of the socket."""
        self.sock.close()


def connects(where: Namespace, host: str, port: int = PORT) -> bool:
    """Whether a TCP connection comes about."""
    with where.entered():
        sock = socket.socket(family_of(host), socket.SOCK_STREAM)
    with sock:
        sock.settimeout(PATIENCE)
        with suppress(TimeoutError):
            sock.connect((host, port))
            return True
    return False


def echoes(where: Namespace, host: str) -> bool:
    """Whether it answers a ping."""
    version = parse_address(host).version
    request, reply = _ECHO[version]
    protocol = socket.IPPROTO_ICMP if version == 4 else socket.IPPROTO_ICMPV6
    with where.entered():
        sock = socket.socket(family_of(host), socket.SOCK_RAW, protocol)
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
    wanted, asker, mac = (
        parse_address(address).packed,
        parse_address(source).packed,
        mac_bytes(CLIENT_MAC),
    )
    if ":" not in address:
        return BROADCAST + mac + _ARP_REQUEST + mac + asker + bytes(6) + wanted
    group = parse_address("ff02::1:ff00:0").packed[:13] + wanted[13:]
    body = struct.pack("!BBHI", 135, 0, 0, 0) + wanted
    if any(asker):
        body += b"\x01\x01" + mac
    pseudo = asker + group + struct.pack("!II", len(body), 58)
    checksum = 0xFFFF - int.from_bytes(pseudo + body, "big") % 0xFFFF
    body = body[:2] + struct.pack("!H", checksum) + body[4:]
    head = (
        b"\x33\x33" + group[12:] + mac + struct.pack("!HIHBB", IPV6, 6 << 28, len(body), 58, 255)
    )
    return head + asker + group + body


def address_said(frame: bytes) -> bytes:
    """The address that the sender of a frame says is his; empty when it says no such thing."""
    if frame[12:14] == struct.pack("!H", ARP):
        return frame[28:32]
    is_advertisement = frame[20] == 58 and frame[54] == _ADVERTISEMENT
    return frame[62:78] if is_advertisement else b""


def family_of(host: str) -> socket.AddressFamily:
    """The family of its sockets."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET
