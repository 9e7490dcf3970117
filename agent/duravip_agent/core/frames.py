"""The frames that tell a segment where an address is now: ARP, for IPv6 neighbour discovery.

An ARP reply that nobody asked for is believed by Linux only when it names the sender's MAC as its
target as well.
"""

import struct
from functools import lru_cache

from duravip_agent.core.pacing import Call
from duravip_api.addresses import to_bytes

BROADCAST = b"\xff" * 6
ALL_NODES = to_bytes("ff02::1")
ALL_NODES_MAC = b"\x33\x33\x00\x00\x00\x01"
ARP, IPV6 = 0x0806, 0x86DD

_REQUEST, _REPLY = (struct.pack("!HHHBBH", ARP, 1, 0x0800, 6, 4, number) for number in (1, 2))
"""From the Ethernet type to the operation."""
_ICMPV6 = 58
_ADVERTISEMENT = 136
_OVERRIDE = 0x20000000
_LINK_LAYER_TARGET = b"\x02\x01"


@lru_cache(maxsize=256)
def mac_bytes(mac: str) -> bytes:
    """`aa:bb:…` as bytes."""
    return bytes.fromhex(mac.replace(":", ""))


def frame_of(call: Call, source: bytes) -> bytes:
    """The frame of one call, sent from the interface with this MAC."""
    if ":" in call.address:
        return _advertisement(call, source)
    return _arp(call, source)


def _arp(call: Call, source: bytes) -> bytes:
    address = to_bytes(call.address)
    target_mac, target = source if call.is_reply else bytes(6), address
    destination = BROADCAST
    if call.to is not None:
        destination = target_mac = mac_bytes(call.to.mac)
        target = to_bytes(call.to.address)
    head = _REPLY if call.is_reply else _REQUEST
    return destination + source + head + source + address + target_mac + target


def _advertisement(call: Call, source: bytes) -> bytes:
    address = to_bytes(call.address)
    target, destination = ALL_NODES, ALL_NODES_MAC
    if call.to is not None:
        target, destination = to_bytes(call.to.address), mac_bytes(call.to.mac)
    body = struct.pack("!I", _OVERRIDE) + address + _LINK_LAYER_TARGET + source
    length = len(body) + 4
    pseudo = address + target + struct.pack("!II", length, _ICMPV6)
    kind = struct.pack("!BB", _ADVERTISEMENT, 0)
    message = kind + struct.pack("!H", _checksum(pseudo + kind + b"\0\0" + body)) + body
    head = destination + source + struct.pack("!H", IPV6)
    return head + struct.pack("!IHBB", 6 << 28, length, _ICMPV6, 255) + address + target + message


def _checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:  # noqa: PLR2004 - sixteen bits
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
