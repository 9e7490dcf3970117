"""The next hops of a node's routes, as rtnetlink tells them.

A route (`net/ipv4/fib_semantics.c`, fib_dump_info; `net/ipv6/route.c`, rt6_fill_node) has a
gateway, or several next hops of which each has one (RTA_MULTIPATH). That of an IPv4 route may be
an IPv6 address (RTA_VIA). Or the route names an object (RTA_NH_ID), a next hop or a group of them:
the kernel says beside it what that stands for, unless `nexthop_compat_mode` is 0. Then the objects
have to be read (`net/ipv4/nexthop.c`, nh_fill_node).
"""

import struct
from collections.abc import Iterable, Iterator, Mapping

from duravip_agent.codec.netlink_messages import DUMP, attributes, request
from duravip_api.addresses import from_int, parse_address

MAX_NEXT_HOPS = 64
"""Next hops that are named: those first whose routes lead to most of the world."""

GET_ROUTE, GET_OBJECT = 26, 106
ALL_TABLES, MAIN_TABLE = 0, 254
INET, INET6 = 2, 10

_ROUTE = struct.Struct("=BBBBBBBBI")
_UNICAST = 1
_GATEWAY, _MULTIPATH, _VIA, _OBJECT_ID = 5, 9, 18, 30
_RTNEXTHOP = struct.Struct("=HBBi")
"""struct rtnexthop; its attributes follow."""

_OBJECT = struct.Struct("=BBBBI")
_ID, _GROUP, _OBJECT_GATEWAY = 1, 2, 6
_MEMBER = struct.Struct("=IBBH")
"""struct nexthop_grp"""

_VERSIONS = {(INET, 4): 4, (INET6, 16): 6}
"""By the family and the bytes of an address."""

Attributes = Mapping[int, bytes]


def routes_request(family: int, table: int, seq: int) -> bytes:
    """Ask for the unicast routes of a family, by a socket with NETLINK_GET_STRICT_CHK."""
    body = _ROUTE.pack(family, 0, 0, 0, table, 0, 0, _UNICAST, 0)
    return request(GET_ROUTE, DUMP, seq, body)


def objects_request(seq: int) -> bytes:
    """Ask for all next hops that are objects of their own, and their groups."""
    return request(GET_OBJECT, DUMP, seq, bytes(_OBJECT.size))


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
        yield from _address(route[0], way.get(_GATEWAY, b""))
        yield from _address(int.from_bytes(via[:2], "little"), via[2:])


def _multipath(data: bytes) -> Iterator[Attributes]:
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
        hops[number] = list(_address(body[0] if body else 0, values.get(_OBJECT_GATEWAY, b"")))
    for number, members in groups.items():
        hops[number] += [hop for member in members for hop in hops.get(member, ())]
    return hops


def _address(family: int, data: bytes) -> Iterator[str]:
    version = _VERSIONS.get((family, len(data)))
    if version and any(data):
        yield from_int(version, int.from_bytes(data))
