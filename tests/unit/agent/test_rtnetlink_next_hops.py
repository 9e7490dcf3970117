"""The next hops of a node's routes, from the kernel's messages."""

import struct
from ipaddress import ip_address

import pytest

from duravip_agent.codec import rtnetlink
from duravip_agent.codec.rtnetlink import MAX_NEXT_HOPS, has_unresolved, next_hops
from duravip_agent.kernel.netlink import NextHops

GATEWAY, MULTIPATH, VIA, OBJECT_ID = 5, 9, 18, 30
ID, GROUP, OBJECT_GATEWAY = 1, 2, 6


def attribute(kind: int, data: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def gateway(hop: str) -> bytes:
    return attribute(GATEWAY, ip_address(hop).packed)


def route(length: int, *attributes: bytes, family: int = rtnetlink.INET) -> bytes:
    head = struct.pack("=BBBBBBBBI", family, length, 0, 0, 254, 0, 0, 1, 0)
    return head + b"".join(attributes)


def route6(hop: str, length: int) -> bytes:
    return route(length, gateway(hop), family=rtnetlink.INET6)


def several(*ways: bytes) -> bytes:
    each = (struct.pack("=HBBi", 8 + len(way), 0, 0, 2) + way for way in ways)
    return attribute(MULTIPATH, b"".join(each))


def object_id(number: int) -> bytes:
    return attribute(OBJECT_ID, struct.pack("=I", number))


def nexthop(number: int, *attributes: bytes, family: int = rtnetlink.INET) -> bytes:
    head = struct.pack("=BBBBI", family, 0, 0, 0, 0)
    return head + attribute(ID, struct.pack("=I", number)) + b"".join(attributes)


def group(*numbers: int) -> bytes:
    return attribute(GROUP, b"".join(struct.pack("=IBBH", number, 0, 0, 0) for number in numbers))


def test_next_hops_come_in_the_order_of_how_much_lies_behind_them() -> None:
    found = [
        route(24, gateway("10.1.0.9")),
        route(0, gateway("10.1.0.1")),
        route(16, gateway("10.1.0.9")),
        route6("fd00:1::1", 0),
    ]
    assert next_hops(found) == ("10.1.0.1", "fd00:1::1", "10.1.0.9")


def test_of_a_route_with_several_next_hops_all_are_named() -> None:
    both = several(gateway("10.1.0.2"), gateway("10.1.0.1"), b"")
    assert next_hops([route(0, both)]) == ("10.1.0.1", "10.1.0.2")
    both = several(gateway("fd00:1::1"), gateway("fd00:1::2"))
    assert next_hops([route(0, both, family=rtnetlink.INET6)]) == ("fd00:1::1", "fd00:1::2")


def test_an_ipv4_route_may_lead_to_an_ipv6_address() -> None:
    via = attribute(VIA, struct.pack("=H", rtnetlink.INET6) + ip_address("fd00:1::9").packed)
    assert next_hops([route(8, via)]) == ("fd00:1::9",)
    assert next_hops([route(8, several(via, gateway("10.1.0.1")))]) == ("10.1.0.1", "fd00:1::9")


def test_next_hops_that_are_objects_are_looked_up_where_the_kernel_names_their_number_only() -> (
    None
):
    told = route(0, gateway("10.1.0.1"), object_id(7))
    assert not has_unresolved([told])
    assert next_hops([told], [nexthop(7, attribute(OBJECT_GATEWAY, b"\x0a\x01\x00\x05"))]) == (
        "10.1.0.1",
    )
    objects = [
        nexthop(20, group(8, 9, 99), family=0),
        nexthop(8, attribute(OBJECT_GATEWAY, ip_address("10.1.0.8").packed)),
        nexthop(
            9,
            attribute(OBJECT_GATEWAY, ip_address("fd00::9").packed),
            family=rtnetlink.INET6,
        ),
    ]
    untold = [route(16, object_id(20)), route(8, object_id(9)), route(8, object_id(98))]
    assert has_unresolved(untold)
    assert next_hops(untold, objects) == ("fd00::9", "10.1.0.8")


def test_what_is_on_the_link_is_no_next_hop() -> None:
    assert next_hops([route(16), route(0, gateway("0.0.0.0"))]) == ()  # noqa: S104
    assert next_hops([route6("fe80::1", 0), route6("::", 64)]) == ()


@pytest.mark.parametrize("whole", [route(0, several(gateway("10.1.0.1"))), route6("fd00::1", 0)])
def test_what_cannot_be_read_is_left_out(whole: bytes) -> None:
    for length in range(len(whole)):
        assert next_hops([whole[:length]]) == ()
        assert not has_unresolved([whole[:length]])
    assert next_hops([route(0, object_id(7))], [b"", b"\x02", nexthop(7)[:-1]]) == ()


def test_no_more_are_named_than_the_status_takes() -> None:
    many = [route(24, gateway(f"10.2.{n // 256}.{n % 256}")) for n in range(1, 500)]
    found = next_hops([*many, route(0, gateway("10.1.0.1"))])
    assert len(found) == MAX_NEXT_HOPS
    assert found[0] == "10.1.0.1"


def test_the_routes_of_this_machine_can_be_read() -> None:
    hops = NextHops()
    found = hops.current(0.0)
    assert len(found) <= MAX_NEXT_HOPS
    assert hops.current(1.0) is found


def test_while_the_kernel_says_nothing_the_last_look_counts() -> None:
    answers = [("10.1.0.1",), OSError("busy"), OSError("busy"), ("10.1.0.2",)]

    def read() -> tuple[str, ...]:
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    hops = NextHops(read)
    found = [hops.current(100.0 * turn) for turn in range(4)]
    assert found == [("10.1.0.1",), ("10.1.0.1",), ("10.1.0.1",), ("10.1.0.2",)]
