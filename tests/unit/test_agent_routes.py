"""The next hops of a node's routes, from the kernel's own tables."""

import sys
from pathlib import Path

import pytest

from duravip_agent.core.routes import MOST, next_hops
from duravip_agent.next_hops import NextHops

HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT"


def route4(gateway: str, length: int, flags: int = 3) -> str:
    packed = bytes(map(int, gateway.split(".")))
    number = int.from_bytes(packed, sys.byteorder)
    mask = int.from_bytes((((1 << length) - 1) << (32 - length)).to_bytes(4), sys.byteorder)
    return f"eth0\t00000000\t{number:08X}\t{flags:04X}\t0\t0\t0\t{mask:08X}\t0\t0\t0"


def route6(hop: str, length: int) -> str:
    return (
        f"{'0' * 32} {length:02x} {'0' * 32} 00 {hop} 00000400 00000001 00000000 00000003     eth0"
    )


ROUTER6 = "fd000001" + "0" * 23 + "1"


def test_next_hops_come_in_the_order_of_how_much_lies_behind_them() -> None:
    routes = [HEAD, route4("10.1.0.9", 24), route4("10.1.0.1", 0), route4("10.1.0.9", 16)]
    assert next_hops(routes, [route6(ROUTER6, 0)]) == ("10.1.0.1", "fd00:1::1", "10.1.0.9")


def test_what_is_on_the_link_is_no_next_hop() -> None:
    assert next_hops([HEAD, route4("0.0.0.0", 16, 1)], [route6("0" * 32, 64)]) == ()  # noqa: S104
    assert next_hops([], [route6("fe80" + "0" * 27 + "1", 0)]) == ()


def test_what_cannot_be_read_is_left_out() -> None:
    cut = route4("10.1.0.1", 0)[:20]
    odd = route4("10.1.0.1", 0).replace("0003", "+", 1)
    assert next_hops([HEAD, cut, odd, ""], ["", "x y", route6("zz", 0)]) == ()


def test_no_more_are_named_than_the_status_takes() -> None:
    many = [route4(f"10.2.{n // 256}.{n % 256}", 24) for n in range(1, 500)]
    found = next_hops([HEAD, *many, route4("10.1.0.1", 0)], [])
    assert len(found) == MOST
    assert found[0] == "10.1.0.1"


def test_the_tables_of_this_machine_can_be_read() -> None:
    hops = NextHops()
    found = hops.found(0.0)
    assert len(found) <= MOST
    assert hops.found(1.0) is found


def test_tables_that_cannot_be_read_say_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("duravip_agent.next_hops._TABLES", (tmp_path, tmp_path / "none"))
    assert NextHops().found(0.0) == ()
