"""Which connections concern an address, as the kernel lists them."""

import struct

import pytest

from duravip_agent.codec import conntrack, released_ruleset, sock_diag
from duravip_agent.codec.netlink_messages import split
from duravip_api.addresses import to_bytes

VIP, VIP6 = to_bytes("10.1.1.1"), to_bytes("fd00::1")
A, B, A6, B6 = map(to_bytes, ("10.0.0.1", "10.0.0.2", "fd00::a", "fd00::b"))


def attribute(kind: int, data: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def pair(kind: int, source: bytes, target: bytes) -> bytes:
    first = 1 if len(source) == 4 else 3
    ends = attribute(first, source) + attribute(first + 1, target)
    ports = attribute(1, b"\x06") + attribute(2, b"\x00\x50")
    return attribute(0x8000 | kind, attribute(0x8001, ends) + attribute(0x8002, ports))


def entry(*ends: bytes) -> bytes:
    family = 2 if len(ends[0]) == 4 else 10
    tuples = pair(1, *ends[:2]) + pair(2, *ends[2:])
    return struct.pack("=BBH", family, 0, 0) + tuples + attribute(12, b"\0\0\0\x07")


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize(("vip", "others"), [(VIP, (A, B)), (VIP6, (A6, B6))])
def test_an_entry_concerns_an_address_at_any_of_its_four_ends(
    place: int, vip: bytes, others: tuple[bytes, bytes]
) -> None:
    ends = [others[0], others[1], others[1], others[0]]
    assert not conntrack.involves(entry(*ends), {VIP, VIP6})
    ends[place] = vip
    assert conntrack.involves(entry(*ends), {VIP, VIP6})


@pytest.mark.parametrize("length", range(0, 120, 3))
def test_an_entry_that_is_cut_short_concerns_nobody_or_somebody_and_raises_nothing(
    length: int,
) -> None:
    body = entry(A, VIP, B, A)[: 4 + length]
    assert conntrack.involves(body, {VIP}) in {True, False}
    assert not conntrack.involves(body, {to_bytes("10.9.9.9")})


def test_an_entry_is_named_by_its_first_tuple_and_its_number() -> None:
    body = entry(A, VIP, B, A)
    (request,) = split(conntrack.delete_request(body, 3))
    assert (request.kind, request.seq) == (conntrack.DELETE, 3)
    assert pair(1, A, VIP) in request.body
    assert attribute(12, b"\0\0\0\x07") in request.body
    assert B not in request.body


def test_a_socket_may_have_an_ipv4_address_in_either_family() -> None:
    named = sock_diag.source_forms([VIP, VIP6])
    for family, source in ((2, VIP), (10, VIP6), (10, bytes(10) + b"\xff\xff" + VIP)):
        answer = struct.pack("=BBBB", family, 1, 0, 0) + bytes(4) + source.ljust(64, b"\0")
        assert sock_diag.has_source(answer, named)
    assert not sock_diag.has_source(struct.pack("=BBBB", 2, 1, 0, 0) + bytes(68), named)


def test_the_rules_name_what_is_released_and_the_cards() -> None:
    text = released_ruleset.table(["10.1.1.1", "fd00::1"])
    assert "elements = { 10.1.1.1 };" in text
    assert "elements = { fd00::1 };" in text
    assert "elements" not in released_ruleset.table([])
    (request,) = released_ruleset.add_interfaces(["eth1", 'a"*b'])
    assert b"eth1" + bytes(12) in request.body
    assert b'a"*b' + bytes(12) in request.body
    assert not list(released_ruleset.add_interfaces([]))


def test_an_element_is_made_anew_whether_it_is_there_or_not() -> None:
    kinds = [request.kind for request in released_ruleset.add_addresses(["10.1.1.1"])]
    assert kinds == [0x0A0C, 0x0A0E, 0x0A0C]
    assert [r.kind for r in released_ruleset.remove_addresses(["10.1.1.1"])] == [0x0A0C, 0x0A0E]
