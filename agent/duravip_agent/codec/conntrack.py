"""ctnetlink messages (linux/netfilter/nfnetlink_conntrack.h): list and delete tracked connections.

A node may track hundreds of thousands. The addresses of an entry are read at the places where the
kernel puts them; the rest is parsed for those entries only that involve one of the addresses.
"""

import struct
from collections.abc import Collection

from duravip_agent.codec import netlink_messages
from duravip_agent.codec.netlink_messages import ACK, NESTED, attribute, attributes, request

GET, DELETE = 0x0101, 0x0102
FAMILIES = {4: 2, 6: 10}
"""By the version of an address."""

_HEAD = struct.Struct("=BBH")
_ORIGINAL, _REPLY, _ID, _ZONE = 1, 2, 12, 18
_ADDRESSES = {
    2: struct.Struct("=HHHHHH4sHH4s"),
    10: struct.Struct("=HHHHHH16sHH16s"),
}
"""A tuple as far as both addresses: three headers, the source, a header, the destination."""
_KIND_BITS = 0x3FFF


def dump_request(family: int, seq: int) -> bytes:
    """Ask for all entries of a family."""
    return request(GET, netlink_messages.DUMP, seq, _HEAD.pack(family, 0, 0))


def involves(body: bytes, addresses: Collection[bytes]) -> bool:
    """Whether an entry has one of these packed addresses at either end, in either direction."""
    layout = _ADDRESSES.get(body[0]) if body else None
    if layout is None:
        return False
    offset = _HEAD.size
    for kind in (_ORIGINAL, _REPLY):
        if len(body) < offset + layout.size:
            return False
        length, kind_found, *_, source, _, _, target = layout.unpack_from(body, offset)
        if kind_found & _KIND_BITS != kind:
            return False
        if source in addresses or target in addresses:
            return True
        offset += (length + 3) & ~3
    return False


def delete_request(body: bytes, seq: int) -> bytes:
    """Let the entry of this answer be forgotten: that very one, not one that took its place."""
    values = attributes(body, _HEAD.size)
    named = b"".join(
        attribute(kind | flag, values[kind])
        for kind, flag in ((_ORIGINAL, NESTED), (_ZONE, 0), (_ID, 0))
        if kind in values
    )
    return request(DELETE, ACK, seq, body[: _HEAD.size] + named)
