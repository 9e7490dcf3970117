"""nf_tables messages (linux/netfilter/nf_tables.h): set elements by the thousand, names of rules.

A transaction is a begin, requests and an end in one datagram: the kernel applies all of them or
none.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from duravip_agent.codec.netlink_messages import (
    ACK,
    CREATE,
    DUMP,
    NESTED,
    attribute,
    attribute_list,
    attributes,
    request,
)
from duravip_agent.codec.nft_ruleset import TABLE
from duravip_api.addresses import from_int, to_bytes

NETDEV, INET = 5, 1
"""The families that our tables are of."""

FENCE = ((NETDEV, TABLE), (INET, TABLE))
"""The two tables of the fence."""

VIPS, HELD, ALIVE = "vips", "held", "alive"
"""The sets; `vips` and `held` are one for IPv4 and one for IPv6, in both tables."""

ALWAYS_THERE = bytes(4)
"""What is in `alive` while the watchdog is fed."""

ELEMENTS_PER_MESSAGE = 900
"""Elements in one message: the length of a nested attribute has 16 bits."""

GET_TABLES, GET_CHAINS, GET_RULES, GET_ELEMENTS = 0x0A01, 0x0A04, 0x0A07, 0x0A0D
"""What can be listed."""

_NEW_TABLE, _DEL_TABLE = 0x0A00, 0x0A02
_NEW_CHAIN = 0x0A03
_NEW_ELEMENTS, _DEL_ELEMENTS = 0x0A0C, 0x0A0E
_GET_GENERATION = 0x0A10
_BEGIN, _END, _SUBSYSTEM = 0x10, 0x11, 10

_OF_TABLE, _GENERATION, _RULE_CHAIN, _RULE_HANDLE, _SET, _ELEMENTS = 1, 1, 2, 3, 2, 3
_ITEM, _KEY, _VALUE, _EXPIRATION = 1, 1, 1, 5
_TABLE_FLAGS = 2
_CHAIN_NAME, _CHAIN_HOOK, _CHAIN_POLICY, _CHAIN_TYPE, _CHAIN_FLAGS = 3, 4, 5, 7, 10
_HOOK_NUMBER, _HOOK_PRIORITY, _HOOK_DEVICE = 1, 2, 3
_EGRESS, _ACCEPT = 1, 1

_FAMILY = struct.Struct("!BBH")
_ATTRIBUTE = struct.Struct("=HH")

_VERSION = {4: 4, 16: 6}
"""By the bytes of an address."""

_PORT_BYTES = 8
"""What a protocol and a port take behind an address in a key: four bytes each."""

_ELEMENT_HEAD = {
    size: _ATTRIBUTE.pack(size + 12, _ITEM | NESTED)
    + _ATTRIBUTE.pack(size + 8, _KEY | NESTED)
    + _ATTRIBUTE.pack(size + 4, _VALUE)
    for version_size in _VERSION
    for size in (version_size, version_size + _PORT_BYTES)
}
"""What stands before a key where it is an element of a set, by the bytes of the key."""


class NftRequest(NamedTuple):
    """One message of a transaction."""

    kind: int
    flags: int
    body: bytes


class NftRule(NamedTuple):
    """A rule as the kernel names it: one that was made anew has another handle."""

    family: int
    chain: str
    handle: int


class NftChain(NamedTuple):
    """A chain, and all that decides whether the kernel comes by and what becomes of the rest."""

    family: int
    chain: str
    hook: bytes = b""
    """As the kernel lists it; it names the interface."""
    policy: bytes = b""
    flags: bytes = b""


class NftTable(NamedTuple):
    """A table; a flag can put it to sleep."""

    family: int
    flags: bytes

    @property
    def chain(self) -> str:
        """No part of any."""
        return ""


NftObject = NftTable | NftChain | NftRule
"""What our tables consist of, but for the elements of sets."""


class SetElement(NamedTuple):
    """An element of a set."""

    key: bytes
    expires: bool


def add_addresses(name: str, addresses: Iterable[str]) -> Iterator[NftRequest]:
    """Put addresses into `vips` or `held`; those that are in it stay."""
    return element_changes(name, addresses, is_new=True)


def remove_addresses(name: str, addresses: Iterable[str]) -> Iterator[NftRequest]:
    """Take addresses out of `vips` or `held`; refused as a whole when one is not in it."""
    return element_changes(name, addresses, is_new=False)


def add_keys(name: str, keys: Iterable[bytes], where: tuple[int, str]) -> Iterator[NftRequest]:
    """Put a few keys of any type into a set of this name; those that are in it stay."""
    items = b"".join(
        attribute(_ITEM | NESTED, attribute(_KEY | NESTED, attribute(_VALUE, key))) for key in keys
    )
    if items:
        tail = _text(_SET, name) + attribute(_ELEMENTS | NESTED, items)
        yield NftRequest(_NEW_ELEMENTS, CREATE, _of(*where) + tail)


def delete_tables(tables: Sequence[tuple[int, str]] = FENCE) -> Iterator[NftRequest]:
    """Delete tables, whether they are there or not."""
    for family, table in tables:
        yield NftRequest(_NEW_TABLE, CREATE, _of(family, table))
        yield NftRequest(_DEL_TABLE, 0, _of(family, table))


def interface_chain(chain: str, device: bytes) -> NftRequest:
    """Make an interface's chain, for names that nft's language cannot write down."""
    hook = b"".join(
        (
            attribute(_HOOK_NUMBER, struct.pack("!I", _EGRESS)),
            attribute(_HOOK_PRIORITY, struct.pack("!i", 0)),
            attribute(_HOOK_DEVICE, device + b"\0"),
        )
    )
    body = _of(NETDEV, TABLE) + _text(_CHAIN_NAME, chain) + attribute(_CHAIN_HOOK | NESTED, hook)
    body += attribute(_CHAIN_POLICY, struct.pack("!I", _ACCEPT)) + _text(_CHAIN_TYPE, "filter")
    return NftRequest(_NEW_CHAIN, CREATE, body)


def transaction(requests: Sequence[NftRequest], seq: int) -> bytes:
    """Bind requests together; `seq` is that of the begin, the last request is acknowledged."""
    frame = _FAMILY.pack(0, 0, _SUBSYSTEM)
    last = seq + len(requests)
    parts = [_message(NftRequest(_BEGIN, 0, frame), seq)]
    parts += [_message(request, n) for n, request in enumerate(requests[:-1], seq + 1)]
    parts.append(_message(requests[-1]._replace(flags=requests[-1].flags | ACK), last))
    parts.append(_message(NftRequest(_END, 0, frame), last + 1))
    return b"".join(parts)


def dump_request(kind: int, where: tuple[int, str], seq: int, name: str = "") -> bytes:
    """Ask for the rules of one of our tables, or for the elements of its set of this name.

    Of tables and chains the kernel lists those of the whole family.
    """
    body = _of(*where) + (_text(_SET, name) if name else b"")
    return _message(NftRequest(kind, DUMP, body), seq)


def lookup_request(family: int, name: str, keys: Iterable[bytes], seq: int) -> bytes:
    """Ask whether all these are in a set: each is shown, or the kernel says ENOENT.

    A listing would walk through the whole table of hashes, which takes a millisecond.
    """
    items = b"".join(map(_element, keys))
    body = _of(family, TABLE) + _text(_SET, name) + attribute(_ELEMENTS | NESTED, items)
    return _message(NftRequest(GET_ELEMENTS, ACK, body), seq)


def generation_request(seq: int) -> bytes:
    """Ask how many transactions there have been."""
    return _message(NftRequest(_GET_GENERATION, ACK, _FAMILY.pack(0, 0, 0)), seq)


def generation_in(body: bytes) -> int:
    """What the answer says; 0, which no transaction has, where it says nothing."""
    return int.from_bytes(attributes(body, _FAMILY.size).get(_GENERATION, b""), "big")


def object_in(kind: int, where: tuple[int, str], body: bytes) -> NftObject | None:
    """What an answer to such a listing speaks of; None: not of this table.

    What it does not say is empty, or 0: no piece of ours is like that.
    """
    family, table = where
    values = attributes(body, _FAMILY.size)
    if values.get(_OF_TABLE, b"").rstrip(b"\0") != table.encode():
        return None
    if kind == GET_TABLES:
        return NftTable(family, values.get(_TABLE_FLAGS, b""))
    if kind == GET_CHAINS:
        name = _name(values.get(_CHAIN_NAME, b""))
        rest = (values.get(which, b"") for which in (_CHAIN_HOOK, _CHAIN_POLICY, _CHAIN_FLAGS))
        return NftChain(family, name, *rest)
    handle = int.from_bytes(values.get(_RULE_HANDLE, b""), "big")
    return NftRule(family, _name(values.get(_RULE_CHAIN, b"")), handle)


def _name(data: bytes) -> str:
    return data.rstrip(b"\0").decode(errors="replace")


def elements_in(body: bytes) -> Iterator[SetElement]:
    """The elements that an answer lists."""
    listed = attributes(body, _FAMILY.size).get(_ELEMENTS, b"")
    for _, item in attribute_list(listed):
        values = attributes(item)
        key = attributes(values.get(_KEY, b"")).get(_VALUE)
        if key is not None:
            yield SetElement(key, _EXPIRATION in values)


def keys_in(body: bytes) -> Iterator[bytes]:
    """Their keys."""
    return (element.key for element in elements_in(body))


def address_of(key: bytes) -> str:
    """The address that an element of `vips` or `held` stands for."""
    return from_int(_VERSION[len(key)], int.from_bytes(key, "big"))


def keys_of(addresses: Iterable[str]) -> Iterator[tuple[int, list[bytes]]]:
    """Addresses as the keys of elements, by IP version; what there are none of is left out."""
    keys: dict[int, list[bytes]] = {4: [], 16: []}
    for address in addresses:
        key = to_bytes(address)
        keys[len(key)].append(key)
    return ((_VERSION[size], of_version) for size, of_version in keys.items() if of_version)


def element_changes(
    name: str,
    addresses: Iterable[str],
    *,
    is_new: bool,
    tables: Sequence[tuple[int, str]] = FENCE,
) -> Iterator[NftRequest]:
    """Put addresses into the sets of this name in each of these tables, or take them out."""
    for version, keys in keys_of(addresses):
        yield from change_keys(f"{name}{version}", keys, tables, is_new=is_new)


def change_keys(
    name: str, keys: Iterable[bytes], tables: Sequence[tuple[int, str]], *, is_new: bool
) -> Iterator[NftRequest]:
    """Put keys, addresses with or without a port, into the sets of this name, or take them out."""
    kind, flags = (_NEW_ELEMENTS, CREATE) if is_new else (_DEL_ELEMENTS, 0)
    rest = map(_element, keys)
    while chunk := b"".join(islice(rest, ELEMENTS_PER_MESSAGE)):
        tail = _text(_SET, name) + attribute(_ELEMENTS | NESTED, chunk)
        for family, table in tables:
            yield NftRequest(kind, flags, _of(family, table) + tail)


def _element(key: bytes) -> bytes:
    return _ELEMENT_HEAD[len(key)] + key


def _of(family: int, table: str) -> bytes:
    return _FAMILY.pack(family, 0, 0) + _text(_OF_TABLE, table)


def _message(change: NftRequest, seq: int) -> bytes:
    return request(change.kind, change.flags, seq, change.body)


def _text(kind: int, value: str) -> bytes:
    return attribute(kind, value.encode() + b"\0")
