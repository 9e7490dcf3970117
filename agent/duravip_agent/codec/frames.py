"""ARP and neighbour discovery frames: those the agent sends, and what it reads of those it hears.

An announcement is a gratuitous ARP (RFC 826; RFC 5227, section 2.3: both request and reply) or an
unsolicited neighbour advertisement (RFC 4861, section 7.2.6). A probe is an ARP probe (RFC 5227,
section 2.1.1) or a neighbour solicitation from the unspecified address (RFC 4862, section 5.4.2):
neither has a sender address, so a probe changes nobody's neighbour table.
"""

import struct
from functools import lru_cache
from typing import Final

from duravip_agent.core.send_queue import Announcement
from duravip_api.addresses import from_int, to_bytes

ARP, IPV6 = 0x0806, 0x86DD
"""Ethernet types."""
ARP_REQUEST, ARP_REPLY = 1, 2
ICMPV6 = 58
SOLICITATION, ADVERTISEMENT = 135, 136
"""ICMPv6 types."""
HOP_LIMIT = 255
"""Neighbour discovery sends no other; anything less has passed a router and is forged."""
LINK_LAYER_TARGET = b"\x02\x01"
"""An option of an advertisement: its type, and its length in units of eight bytes."""

SOURCE_MAC_AT, ETHER_TYPE_AT = 6, 12
ARP_OPERATION_AT, ARP_SENDER_MAC_AT, ARP_SENDER_AT, ARP_TARGET_AT = 20, 22, 28, 38
IPV6_NEXT_HEADER_AT, IPV6_HOP_LIMIT_AT, ICMPV6_TYPE_AT, ND_TARGET_AT, ND_OPTION_AT = (
    20, 21, 54, 62, 78,
)  # fmt: skip
"""Where a field begins, in bytes from the start of the Ethernet header."""

BROADCAST: Final = b"\xff" * 6
ALL_NODES: Final = to_bytes("ff02::1")
ALL_NODES_MAC: Final = b"\x33\x33\x00\x00\x00\x01"

_ARP_HEADS = {
    operation: struct.pack("!HHHBBH", ARP, 1, 0x0800, 6, 4, operation)
    for operation in (ARP_REQUEST, ARP_REPLY)
}
"""From the Ethernet type to the operation."""
_OVERRIDE = 0x20000000
_NO_IPV4, _NO_IPV6 = bytes(4), bytes(16)
_SOLICITED_NODE = bytes.fromhex("ff02 0000 0000 0000 0000 0001 ff")
"""RFC 4291, section 2.7.1: the group of an address begins like this and ends with its last three
bytes."""


@lru_cache(maxsize=256)
def mac_bytes(mac: str) -> bytes:
    """`aa:bb:…` as bytes."""
    return bytes.fromhex(mac.replace(":", ""))


def mac_text(mac: bytes) -> str:
    """A MAC as `aa:bb:…`."""
    return mac.hex(":")


def announcement_frame(call: Announcement, source: bytes) -> bytes:
    """The frame of one announcement, sent from the interface with this MAC."""
    if ":" in call.address:
        return _advertisement(call, source)
    return _gratuitous_arp(call, source)


def probe_frame(address: str, mac: bytes) -> bytes:
    """The frame that asks who has an address, sent from the interface with this MAC."""
    wanted = to_bytes(address)
    if len(wanted) == len(_NO_IPV4):
        head = _ARP_HEADS[ARP_REQUEST]
        return BROADCAST + mac + head + mac + _NO_IPV4 + bytes(6) + wanted
    group = _SOLICITED_NODE + wanted[-3:]
    packet = _icmpv6(SOLICITATION, bytes(4) + wanted, _NO_IPV6, group)
    return b"\x33\x33" + group[-4:] + mac + packet


def claim_in(frame: bytes) -> tuple[str, str]:
    """`(address, MAC)`: who says that it has which address, in a frame that a filter let in."""
    if frame[ETHER_TYPE_AT : ETHER_TYPE_AT + 2] == ARP.to_bytes(2):
        address = from_int(4, int.from_bytes(frame[ARP_SENDER_AT : ARP_SENDER_AT + 4]))
        return address, mac_text(frame[ARP_SENDER_MAC_AT : ARP_SENDER_MAC_AT + 6])
    address = from_int(6, int.from_bytes(frame[ND_TARGET_AT : ND_TARGET_AT + 16]))
    option = frame[ND_OPTION_AT : ND_OPTION_AT + 8]
    is_named = option.startswith(LINK_LAYER_TARGET)
    return address, mac_text(option[2:] if is_named else frame[SOURCE_MAC_AT : SOURCE_MAC_AT + 6])


def _gratuitous_arp(call: Announcement, source: bytes) -> bytes:
    """Linux believes an unasked reply only when it names the sender's MAC as its target, too."""
    address = to_bytes(call.address)
    target_mac, target = source if call.is_reply else bytes(6), address
    destination = BROADCAST
    if call.to is not None:
        destination = target_mac = mac_bytes(call.to.mac)
        target = to_bytes(call.to.address)
    head = _ARP_HEADS[ARP_REPLY if call.is_reply else ARP_REQUEST]
    return destination + source + head + source + address + target_mac + target


def _advertisement(call: Announcement, source: bytes) -> bytes:
    address = to_bytes(call.address)
    target, destination = ALL_NODES, ALL_NODES_MAC
    if call.to is not None:
        target, destination = to_bytes(call.to.address), mac_bytes(call.to.mac)
    body = struct.pack("!I", _OVERRIDE) + address + LINK_LAYER_TARGET + source
    return destination + source + _icmpv6(ADVERTISEMENT, body, address, target)


def _icmpv6(kind: int, body: bytes, source: bytes, target: bytes) -> bytes:
    """An ICMPv6 message in an IPv6 packet, with the Ethernet type before it."""
    size = len(body) + 4
    head = struct.pack("!BB", kind, 0)
    pseudo = source + target + struct.pack("!II", size, ICMPV6)
    message = head + struct.pack("!H", _checksum(pseudo + head + bytes(2) + body)) + body
    packet = struct.pack("!HIHBB", IPV6, 6 << 28, size, ICMPV6, HOP_LIMIT)
    return packet + source + target + message


def _checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:  # noqa: PLR2004 - sixteen bits
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
