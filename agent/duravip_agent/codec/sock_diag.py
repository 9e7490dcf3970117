"""sock_diag messages (sock_diag(7)): list sockets, and destroy some.

Only the network namespace of the process is listed: sockets of pods with a network of their own,
and ports that are forwarded by rules, are not seen.
"""

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from duravip_agent.codec import netlink_messages
from duravip_agent.codec.netlink_messages import ACK, DUMP, attributes
from duravip_api.addresses import from_int, parse_address
from duravip_api.listeners import WILDCARD, Listener, port_named

BY_FAMILY = 20
"""The kind of a request, and of the answers to it."""

DESTROY = 21
"""The kind of a request to end a socket as if its network had failed."""

_REQUEST = struct.Struct("=BBBBI48x")
_ANSWER = struct.Struct("=BBxx2s2s16s16x4x8x20x")
_V6_ONLY = 11
"""An attribute of IPv6 sockets: whether they take no IPv4."""

_FAMILIES = {2: 4, 10: 6}
_SIZE = {4: 4, 6: 16}
_LISTENING, _UNCONNECTED = 1 << 10, 1 << 7
_PROTOCOLS = {"TCP": (6, _LISTENING), "UDP": (17, _UNCONNECTED)}
_CONNECTED = {6: 0x1FFF & ~(_LISTENING | _UNCONNECTED | 1), 17: 1 << 1}
"""By protocol, the states of sockets that have a peer."""
_FIXED = struct.Struct("=BBBBI")
_ID = slice(4, 52)
"""Where an answer names the socket: ports, addresses, interface, cookie."""
_SOURCE = {2: slice(8, 12), 10: slice(8, 24)}
_MAPPED = bytes(10) + b"\xff\xff"
"""What stands before an IPv4 address on an IPv6 socket."""

_UNIX, _UNIX_ANSWER_BYTES = 1, 16
_UNIX_REQUEST = struct.Struct("=BBHIIIII")
_SHOW_NAME, _SHOW_USER = 0x1, 0x40
_UNIX_NAME, _UNIX_USER = 0, 7

CONNECTED = tuple((family, protocol) for family in _FAMILIES for protocol in _CONNECTED)
"""All lists of sockets that have a peer."""


class SocketQuery(NamedTuple):
    """One list of sockets."""

    protocol: str
    family: int
    """As the kernel numbers it."""


def queries(ports: Iterable[str]) -> list[SocketQuery]:
    """What has to be asked to know who listens on these ports."""
    wanted = {port.partition("/")[0] for port in ports} & _PROTOCOLS.keys()
    return [SocketQuery(protocol, family) for protocol in sorted(wanted) for family in _FAMILIES]


def request(question: SocketQuery, seq: int) -> bytes:
    """Ask for all sockets that take what comes."""
    number, states = _PROTOCOLS[question.protocol]
    body = _REQUEST.pack(question.family, number, 0, 0, states)
    return netlink_messages.request(BY_FAMILY, DUMP, seq, body)


def listeners_in(question: SocketQuery, body: bytes) -> Iterator[Listener]:
    """What the socket of an answer takes: two, where it takes both families."""
    if len(body) < _ANSWER.size or body[0] not in _FAMILIES:
        return
    family, _, port, _, source = _ANSWER.unpack_from(body)
    version = _FAMILIES[family]
    name = port_named(question.protocol, int.from_bytes(port, "big"))
    address = from_int(version, int.from_bytes(source[: _SIZE[version]], "big"))
    host = parse_address(address)
    if host.is_loopback:
        return
    mapped = host.ipv4_mapped if host.version == 6 else None  # noqa: PLR2004
    yield Listener(name, str(mapped or address))
    is_v6_only = any(attributes(body, _ANSWER.size).get(_V6_ONLY, b"\0"))
    if address == WILDCARD[6] and not is_v6_only:
        yield Listener(name, WILDCARD[4])


def connected_request(family: int, protocol: int, seq: int) -> bytes:
    """Ask for the sockets that have a peer."""
    body = _REQUEST.pack(family, protocol, 0, 0, _CONNECTED[protocol])
    return netlink_messages.request(BY_FAMILY, DUMP, seq, body)


def source_forms(addresses: Iterable[bytes]) -> frozenset[bytes]:
    """Packed addresses in every form in which a socket may have them as its own."""
    named = frozenset(addresses)
    return named | {_MAPPED + a for a in named if len(a) == _SIZE[4]}


def has_source(body: bytes, addresses: frozenset[bytes]) -> bool:
    """Whether the socket of an answer has one of these as its own address."""
    return bool(body) and body[0] in _SOURCE and body[_SOURCE[body[0]]] in addresses


def destroy_request(protocol: int, body: bytes, seq: int) -> bytes:
    """End the socket of an answer."""
    named = _FIXED.pack(body[0], protocol, 0, 0, 0xFFFFFFFF) + body[_ID]
    return netlink_messages.request(DESTROY, ACK, seq, named)


def unix_request(seq: int) -> bytes:
    """Ask for all Unix sockets, with their names and users."""
    body = _UNIX_REQUEST.pack(_UNIX, 0, 0, 0xFFFFFFFF, 0, _SHOW_NAME | _SHOW_USER, 0, 0)
    return netlink_messages.request(BY_FAMILY, DUMP, seq, body)


def owner_in(body: bytes) -> tuple[str, int] | None:
    """The name of an answer's abstract Unix socket and its user; None: it is no such socket."""
    values = attributes(body, _UNIX_ANSWER_BYTES)
    name = values.get(_UNIX_NAME, b"")
    if not name.startswith(b"\0") or _UNIX_USER not in values:
        return None
    return name[1:].decode(errors="replace"), int.from_bytes(values[_UNIX_USER], "little")
