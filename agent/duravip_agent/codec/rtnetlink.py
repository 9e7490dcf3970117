"""rtnetlink messages (rtnetlink(7)) about addresses, routes and neighbours.

Thousands of addresses go through here in a fail-over: packing and unpacking them this way takes
a tenth of the time of a general library.
"""

import struct
from typing import NamedTuple

from duravip_agent.codec.netlink_messages import ACK, DUMP, REQUEST, attribute, attributes, request
from duravip_agent.core.kernel_state import IfAddress, Neighbour, NeighbourEntry
from duravip_api import MARK
from duravip_api.addresses import from_int, to_bytes

NEW_LINK, DEL_LINK = 16, 17
NEW_ADDRESS, DEL_ADDRESS, GET_ADDRESS = 20, 21, 22
NEW_ROUTE, DEL_ROUTE = 24, 25
NEW_NEIGHBOUR, GET_NEIGHBOUR = 28, 30
LOCAL_TABLE, ROUTE_METRIC = 255, 1024
"""Of a route that stands in for an alias; the kernel's own routes have the metric 0."""

_CREATE_NEW, _REPLACE = 0x600, 0x500
_ADDRESS = struct.Struct("=BBBBI")
_NEIGHBOUR = struct.Struct("=BxxxiHBB")
_ROUTES = {size: struct.Struct(f"=IHHIIBBBBBBBBIHH{size}sHHIHHI") for size in (4, 16)}
"""By the bytes of an address: the whole message."""
_ROUTE = struct.Struct("=BBBBBBBBI")
_AF = {4: 2, 6: 10}
_VERSION = {family: version for version, family in _AF.items()}
_SIZE = {2: 4, 10: 16}
_FAMILY_OF = {size: family for family, size in _SIZE.items()}

_LOCAL, _LABELLED_ADDRESS, _FLAGS, _CACHE_INFO, _PROTOCOL = 2, 1, 8, 6, 11
_NO_DAD, _NO_PREFIX_ROUTE = 0x02, 0x200
_SCOPE_GLOBAL, _SCOPE_HOST, _SCOPE_ANY = 0, 254, 255
_DEPRECATED_FOR_EVER = struct.pack("=IIII", 0, 0xFFFFFFFF, 0, 0)
"""preferred_lft 0: never chosen as the source of the node's own connections."""

_TO, _OUT_BY, _METRIC, _SOURCE = 1, 4, 6, 7
_ROUTE_LOCAL, _ROUTE_BROADCAST = 2, 3

_NEIGHBOUR_ADDRESS, _NEIGHBOUR_MAC = 1, 2
_KNOWN = 0x02 | 0x04 | 0x08 | 0x10 | 0x80
"""The states of a neighbour whose MAC can be believed: reachable to probing, permanent."""
_STATES = {
    0x01: "INCOMPLETE", 0x02: "REACHABLE", 0x04: "STALE", 0x08: "DELAY", 0x10: "PROBE",
    0x20: "FAILED", 0x80: "PERMANENT",
}  # fmt: skip
"""Without those of entries that stand for no host: multicast, and loopback."""
_MAC_BYTES = 6
"""Ethernet's."""


def dump_request(kind: int, seq: int) -> bytes:
    """Ask for all addresses or neighbours of both families."""
    size = _ADDRESS.size if kind == GET_ADDRESS else _NEIGHBOUR.size
    return request(kind, DUMP, seq, bytes(size))


class AddressChange(NamedTuple):
    """An address to add or to delete."""

    alias: IfAddress
    is_new: bool
    is_hidden: bool = False
    """Scope host: never chosen as the source of the node's own connections, and listed first.
    For IPv4 only, and where the node has no address of its own on the link: there the kernel
    would choose it. Elsewhere the node's own address stays the first and is chosen."""
    is_again: bool = False
    """It is there already, and gets back the mark and the flags that it should have."""


class RouteChange(NamedTuple):
    """A local route to add or to delete, which stands in for an alias."""

    alias: IfAddress
    is_new: bool


def route_request(change: RouteChange, seq: int, *, wants_ack: bool) -> bytes:
    """Add or delete a route. It is named in full: else the kernel would take its own one."""
    alias, is_new = change
    data = to_bytes(alias.address)
    size = len(data)
    flags = REQUEST | (ACK if wants_ack else 0) | (_CREATE_NEW if is_new else 0)
    kind = NEW_ROUTE if is_new else DEL_ROUTE
    # In one go, since the last one of thousands waits for it.
    return _ROUTES[size].pack(
        *(_ROUTES[size].size, kind, flags, seq, 0),
        *(_FAMILY_OF[size], 8 * size, 0, 0, LOCAL_TABLE, MARK, _SCOPE_HOST, _ROUTE_LOCAL, 0),
        *(size + 4, _TO, data),
        *(8, _OUT_BY, alias.link),
        *(8, _METRIC, ROUTE_METRIC),
    )


class BroadcastRoute(NamedTuple):
    """The route to the broadcast address of an alias' network: the kernel makes it by itself."""

    alias: IfAddress


def broadcast_removal(route: BroadcastRoute, seq: int, *, wants_ack: bool) -> bytes:
    """Delete that route: under the alias' mask it is the address of another host.

    It is named with the alias as its source, so that the node's own one is never meant.
    """
    data = to_bytes(route.alias.address)
    host_bits = (1 << (8 * len(data) - route.alias.mask)) - 1
    last = (int.from_bytes(data, "big") | host_bits).to_bytes(len(data), "big")
    body = _ROUTE.pack(
        _AF[4], 8 * len(data), 0, 0, LOCAL_TABLE, 0, _SCOPE_ANY, _ROUTE_BROADCAST, 0
    )
    body += attribute(_TO, last) + attribute(_OUT_BY, struct.pack("=I", route.alias.link))
    body += attribute(_SOURCE, data)
    return request(DEL_ROUTE, ACK if wants_ack else 0, seq, body)


def change_request(change: AddressChange, seq: int, *, wants_ack: bool) -> bytes:
    """Add or delete an address. Without `wants_ack` only a refusal is answered."""
    alias, is_new, is_hidden, is_again = change
    data = to_bytes(alias.address)
    family = _FAMILY_OF[len(data)]
    is_v4 = family == _AF[4]
    scope = _SCOPE_HOST if is_hidden and is_v4 else _SCOPE_GLOBAL
    body = _ADDRESS.pack(family, alias.mask, 0, scope, alias.link)
    body += attribute(_LOCAL, data) + attribute(_LABELLED_ADDRESS, data)
    if is_new:
        flags = _NO_PREFIX_ROUTE | (0 if is_v4 else _NO_DAD)
        body += attribute(_FLAGS, struct.pack("=I", flags))
        body += attribute(_PROTOCOL, bytes((MARK,)))
        if not is_v4:
            body += attribute(_CACHE_INFO, _DEPRECATED_FOR_EVER)
    flags = (ACK if wants_ack else 0) | (_REPLACE if is_again else _CREATE_NEW if is_new else 0)
    return request(NEW_ADDRESS if is_new else DEL_ADDRESS, flags, seq, body)


def address_in(body: bytes) -> IfAddress | None:
    """The address that a NEW_ADDRESS message speaks of."""
    if len(body) < _ADDRESS.size:
        return None
    family, mask, _, _, index = _ADDRESS.unpack_from(body)
    values = attributes(body, _ADDRESS.size)
    data = values.get(_LOCAL) or values.get(_LABELLED_ADDRESS, b"")
    if len(data) != _SIZE.get(family):
        return None
    address = from_int(_VERSION[family], int.from_bytes(data, "big"))
    return IfAddress(index, address, mask, values.get(_PROTOCOL) == bytes((MARK,)))


def neighbour_in(body: bytes, index: int) -> Neighbour | None:
    """The neighbour that a NEW_NEIGHBOUR message speaks of, if it is a known one on this link."""
    if len(body) < _NEIGHBOUR.size:
        return None
    _, link, state, _, _ = _NEIGHBOUR.unpack_from(body)
    if link != index or not state & _KNOWN:
        return None
    host = host_in(body)
    return Neighbour(host.address, host.mac) if host and host.mac else None


def host_in(body: bytes) -> NeighbourEntry | None:
    """The host that a NEW_NEIGHBOUR message speaks of."""
    if len(body) < _NEIGHBOUR.size:
        return None
    family, link, state, _, _ = _NEIGHBOUR.unpack_from(body)
    values = attributes(body, _NEIGHBOUR.size)
    data, mac = values.get(_NEIGHBOUR_ADDRESS, b""), values.get(_NEIGHBOUR_MAC, b"")
    if len(data) != _SIZE.get(family) or state not in _STATES:
        return None
    address = from_int(_VERSION[family], int.from_bytes(data, "big"))
    return NeighbourEntry(
        link, address, mac.hex(":") if len(mac) == _MAC_BYTES else "", _STATES[state]
    )


AnyChange = AddressChange | RouteChange | BroadcastRoute
"""What can be changed; all of one call are of one kind."""


def any_request(change: AnyChange, seq: int, wants_ack: bool) -> bytes:  # noqa: FBT001
    """The request for a change of any kind."""
    if isinstance(change, RouteChange):
        return route_request(change, seq, wants_ack=wants_ack)
    if isinstance(change, BroadcastRoute):
        return broadcast_removal(change, seq, wants_ack=wants_ack)
    return change_request(change, seq, wants_ack=wants_ack)
