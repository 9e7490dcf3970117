"""rtnetlink messages (rtnetlink(7)) about addresses, neighbours, links and routes.

Thousands of addresses go through here in a fail-over: packing and unpacking them this way takes
a tenth of the time of a general library. Each message is parsed by itself, so that one strange
interface costs that interface only.

A route (`net/ipv4/fib_semantics.c`, fib_dump_info; `net/ipv6/route.c`, rt6_fill_node) has a
gateway, or several next hops of which each has one (RTA_MULTIPATH). That of an IPv4 route may be
an IPv6 address (RTA_VIA). Or the route names an object (RTA_NH_ID), a next hop or a group of them:
the kernel says beside it what that stands for, unless `nexthop_compat_mode` is 0. Then the objects
have to be read (`net/ipv4/nexthop.c`, nh_fill_node).
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from duravip_agent.codec.netlink_messages import ACK, DUMP, REQUEST, attribute, attributes, request
from duravip_agent.core.kernel_state import IfAddress, Link, NeighbourEntry
from duravip_api import MARK
from duravip_api.addresses import from_int, parse_address, to_bytes

NEW_LINK, DEL_LINK, GET_LINK = 16, 17, 18
NEW_ADDRESS, DEL_ADDRESS, GET_ADDRESS = 20, 21, 22
NEW_ROUTE, DEL_ROUTE, GET_ROUTE = 24, 25, 26
NEW_NEIGHBOUR, GET_NEIGHBOUR = 28, 30
GET_NEXT_HOP = 106
INET, INET6 = 2, 10
ALL_TABLES, MAIN_TABLE = 0, 254
LOCAL_TABLE, ROUTE_METRIC = 255, 1024
"""Of a route that stands in for an alias; the kernel's own routes have the metric 0."""

MAX_NEXT_HOPS = 64
"""Next hops that are named: those first whose routes lead to most of the world."""

_CREATE_NEW, _REPLACE = 0x600, 0x500
_ADDRESS = struct.Struct("=BBBBI")
_NEIGHBOUR = struct.Struct("=BxxxiHBB")
_ROUTES = {size: struct.Struct(f"=IHHIIBBBBBBBBIHH{size}sHHIHHI") for size in (4, 16)}
"""By the bytes of an address: the whole message."""
_ROUTE = struct.Struct("=BBBBBBBBI")
_VERSION = {INET: 4, INET6: 6}
_SIZE = {INET: 4, INET6: 16}
_FAMILY_OF = {size: family for family, size in _SIZE.items()}

_LOCAL, _LABELLED_ADDRESS, _FLAGS, _CACHE_INFO, _PROTOCOL = 2, 1, 8, 6, 11
_NO_DAD, _NO_PREFIX_ROUTE = 0x02, 0x200
_SCOPE_GLOBAL, _SCOPE_HOST, _SCOPE_ANY = 0, 254, 255
_DEPRECATED_FOR_EVER = struct.pack("=IIII", 0, 0xFFFFFFFF, 0, 0)
"""preferred_lft 0: never chosen as the source of the node's own connections."""

_TO, _OUT_BY, _METRIC, _SOURCE = 1, 4, 6, 7
_ROUTE_LOCAL, _ROUTE_BROADCAST = 2, 3

_NEIGHBOUR_ADDRESS, _NEIGHBOUR_MAC = 1, 2
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
    body = _ROUTE.pack(INET, 8 * len(data), 0, 0, LOCAL_TABLE, 0, _SCOPE_ANY, _ROUTE_BROADCAST, 0)
    body += attribute(_TO, last) + attribute(_OUT_BY, struct.pack("=I", route.alias.link))
    body += attribute(_SOURCE, data)
    return request(DEL_ROUTE, ACK if wants_ack else 0, seq, body)


def change_request(change: AddressChange, seq: int, *, wants_ack: bool) -> bytes:
    """Add or delete an address. Without `wants_ack` only a refusal is answered."""
    alias, is_new, is_hidden, is_again = change
    data = to_bytes(alias.address)
    family = _FAMILY_OF[len(data)]
    is_v4 = family == INET
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


AnyChange = AddressChange | RouteChange | BroadcastRoute
"""What can be changed; all of one call are of one kind."""


def any_request(change: AnyChange, seq: int, wants_ack: bool) -> bytes:  # noqa: FBT001
    """The request for a change of any kind."""
    if isinstance(change, RouteChange):
        return route_request(change, seq, wants_ack=wants_ack)
    if isinstance(change, BroadcastRoute):
        return broadcast_removal(change, seq, wants_ack=wants_ack)
    return change_request(change, seq, wants_ack=wants_ack)


def address_in(body: bytes) -> IfAddress | None:
    """The address that a NEW_ADDRESS message speaks of."""
    if len(body) < _ADDRESS.size:
        return None
    family, mask, _, _, index = _ADDRESS.unpack_from(body)
    values = attributes(body, _ADDRESS.size)
    data = values.get(_LOCAL) or values.get(_LABELLED_ADDRESS, b"")
    address = _address(family, data)
    if address is None:
        return None
    return IfAddress(index, address, mask, values.get(_PROTOCOL) == bytes((MARK,)))


def neighbour_in(body: bytes) -> NeighbourEntry | None:
    """The neighbour that a NEW_NEIGHBOUR message speaks of."""
    if len(body) < _NEIGHBOUR.size:
        return None
    family, link, state, _, _ = _NEIGHBOUR.unpack_from(body)
    values = attributes(body, _NEIGHBOUR.size)
    address, mac = (
        _address(family, values.get(_NEIGHBOUR_ADDRESS, b"")),
        values.get(_NEIGHBOUR_MAC, b""),
    )
    if address is None or state not in _STATES:
        return None
    return NeighbourEntry(
        link, address, mac.hex(":") if len(mac) == _MAC_BYTES else "", _STATES[state]
    )


_INFO = struct.Struct("=BxHiII")
_MAC, _NAME, _MTU, _LOWER, _MASTER, _STATE, _DETAILS, _EXT_MASK, _CARRIER = (
    1, 3, 4, 5, 10, 16, 18, 29, 33,
)  # fmt: skip
_KIND, _DATA, _PORT_KIND = 1, 2, 4
_WITHOUT_STATISTICS = 0x8
_UP, _LOOPBACK, _NOARP = 0x1, 0x8, 0x80
_VRF = "vrf"
"""Its ports keep their addresses; those of bridges, bonds and teams give them up."""
_MACVLANS, _MODE, _PASSTHRU = {"macvlan", "macvtap"}, 1, 8


def links_request(seq: int) -> bytes:
    """Ask for all links."""
    mask = attribute(_EXT_MASK, struct.pack("=I", _WITHOUT_STATISTICS))
    return request(GET_LINK, DUMP, seq, bytes(_INFO.size) + mask)


def link_in(body: bytes) -> Link | None:
    """The link that a message speaks of; None: it is not understood."""
    if len(body) < _INFO.size:
        return None
    _, hardware, index, flags, _ = _INFO.unpack_from(body)
    values = attributes(body, _INFO.size)
    if not values.get(_NAME):
        return None
    details = attributes(values.get(_DETAILS, b""), 0)
    port_of = _text(details.get(_PORT_KIND, b""))
    return Link(
        index=index,
        name=_text(values[_NAME]),
        mac=values.get(_MAC, b"").hex(":"),
        mtu=_number(values.get(_MTU, b"")),
        is_up=bool(flags & _UP),
        has_carrier=bool(_number(values.get(_CARRIER, b""))),
        kind=_text(details.get(_KIND, b"")),
        is_loopback=bool(flags & _LOOPBACK),
        is_port=port_of not in {"", _VRF},
        has_no_arp=bool(flags & _NOARP),
        hardware=hardware,
        state=_number(values.get(_STATE, b"")),
    )


def relations_in(body: bytes) -> tuple[int, int]:
    """The numbers of a link's master, and of the link that it takes everything from; 0: none."""
    values = attributes(body, _INFO.size)
    details = attributes(values.get(_DETAILS, b""), 0)
    is_macvlan = _text(details.get(_KIND, b"")) in _MACVLANS
    data = attributes(details.get(_DATA, b""), 0) if is_macvlan else {}
    takes_all = _number(data.get(_MODE, b"")) == _PASSTHRU
    return _number(values.get(_MASTER, b"")), _number(values.get(_LOWER, b"")) * takes_all


def related(links: Iterable[tuple[Link, tuple[int, int]]]) -> tuple[Link, ...]:
    """The links, each with the one that takes what it hears."""
    listed = list(links)
    names = {link.index: link.name for link, _ in listed}
    takers = {taken: link.name for link, (_, taken) in listed if taken}
    return tuple(
        replace(
            link,
            is_port=link.is_port or link.index in takers,
            master=takers.get(link.index) or names.get(master, ""),
        )
        if master or link.index in takers
        else link
        for link, (master, _) in listed
    )


def _text(data: bytes) -> str:
    """A name may be any bytes: what is no UTF-8 is kept as Python keeps it in names of files."""
    return data.rstrip(b"\0").decode(errors="surrogateescape")


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little")


_UNICAST = 1
_GATEWAY, _MULTIPATH, _VIA, _OBJECT_ID = 5, 9, 18, 30
_RTNEXTHOP = struct.Struct("=HBBi")
"""struct rtnexthop; its attributes follow."""

_OBJECT = struct.Struct("=BBBBI")
_ID, _GROUP, _OBJECT_GATEWAY = 1, 2, 6
_MEMBER = struct.Struct("=IBBH")
"""struct nexthop_grp"""


def routes_request(family: int, table: int, seq: int) -> bytes:
    """Ask for the unicast routes of a family, by a socket with NETLINK_GET_STRICT_CHK."""
    body = _ROUTE.pack(family, 0, 0, 0, table, 0, 0, _UNICAST, 0)
    return request(GET_ROUTE, DUMP, seq, body)


def objects_request(seq: int) -> bytes:
    """Ask for all next hops that are objects of their own, and their groups."""
    return request(GET_NEXT_HOP, DUMP, seq, bytes(_OBJECT.size))


def has_unresolved(routes: Iterable[bytes]) -> bool:
    """Whether any of these NEW_ROUTE messages names an object and nothing else."""
    return any(_object_of(route) for route in routes)


def next_hops(routes: Iterable[bytes], objects: Iterable[bytes] = ()) -> tuple[str, ...]:
    """The next hops that a virtual address could be confused with, in order, at most so many.

    Given are the bodies of NEW_ROUTE messages, and of NEW_NEXTHOP for those that need them.
    """
    by_number = _by_number(objects)
    prefixes: dict[str, int] = {}
    for route in routes:
        number = _object_of(route)
        for hop in by_number.get(number, ()) if number else _hops(route):
            prefixes[hop] = min(route[1], prefixes.get(hop, route[1]))
    in_order = sorted(
        prefixes,
        key=lambda hop: (prefixes[hop], parse_address(hop).version, int(parse_address(hop))),
    )
    return tuple(hop for hop in in_order if not parse_address(hop).is_link_local)[:MAX_NEXT_HOPS]


def _hops(route: bytes) -> Iterator[str]:
    """Those that a route itself names."""
    if len(route) < _ROUTE.size:
        return
    values = attributes(route, _ROUTE.size)
    for way in (values, *_multipath(values.get(_MULTIPATH, b""))):
        via = way.get(_VIA, b"")
        yield from _gateway(route[0], way.get(_GATEWAY, b""))
        yield from _gateway(int.from_bytes(via[:2], "little"), via[2:])


def _multipath(data: bytes) -> Iterator[dict[int, bytes]]:
    offset = 0
    while offset + _RTNEXTHOP.size <= len(data):
        length = _RTNEXTHOP.unpack_from(data, offset)[0]
        yield attributes(data[offset : offset + length], _RTNEXTHOP.size)
        offset += max(_RTNEXTHOP.size, (length + 3) & ~3)


def _object_of(route: bytes) -> int:
    """The number of the object that alone tells where a route leads; 0: there is none."""
    if len(route) < _ROUTE.size:
        return 0
    values = attributes(route, _ROUTE.size)
    is_resolved = not values.keys().isdisjoint({_GATEWAY, _MULTIPATH, _VIA})
    return 0 if is_resolved else int.from_bytes(values.get(_OBJECT_ID, b"")[:4], "little")


def _by_number(objects: Iterable[bytes]) -> dict[int, list[str]]:
    """The next hops that objects stand for. A group is of objects that are no groups."""
    hops: dict[int, list[str]] = {}
    groups: dict[int, list[int]] = {}
    for body in objects:
        values = attributes(body, _OBJECT.size)
        number = int.from_bytes(values.get(_ID, b"")[:4], "little")
        group = values.get(_GROUP, b"")
        whole = group[: len(group) - len(group) % _MEMBER.size]
        groups[number] = [member for member, *_ in _MEMBER.iter_unpack(whole)]
        hops[number] = list(_gateway(body[0] if body else 0, values.get(_OBJECT_GATEWAY, b"")))
    for number, members in groups.items():
        hops[number] += [hop for member in members for hop in hops.get(member, ())]
    return hops


def _gateway(family: int, data: bytes) -> Iterator[str]:
    address = _address(family, data)
    if address and any(data):
        yield address


def _address(family: int, data: bytes) -> str | None:
    """The address in these bytes; None: they are none of this family."""
    is_one = len(data) == _SIZE.get(family)
    return from_int(_VERSION[family], int.from_bytes(data)) if is_one else None
