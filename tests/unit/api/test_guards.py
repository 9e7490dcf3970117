"""Guarded addresses and their ports, as a NodePlumbing lists them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duravip_api.addresses import from_int
from duravip_api.guards import (
    LONGEST_GUARD,
    MOST_TEXT,
    Ports,
    format_guards,
    group_guards,
    parse_guards,
)

MAIL, WEB, NONE = frozenset({"TCP/465", "TCP/25"}), frozenset({"TCP/80"}), frozenset[str]()


def test_each_guarded_address_stands_in_the_list_once() -> None:
    ports = {
        "10.1.1.1": MAIL, "10.1.1.3": MAIL, "10.1.1.4": MAIL, "10.1.1.2": WEB, "fd00::1": NONE
    }  # fmt: skip
    guards = group_guards(ports, [*ports, "10.1.1.9"])
    assert format_guards(guards) == ["10.1.1.1,3-4 TCP/25,TCP/465", "10.1.1.2 TCP/80", "fd00::1"]
    assert parse_guards(format_guards(guards), ports) == guards


def test_only_granted_addresses_are_guarded_however_many_are_named() -> None:
    assert parse_guards(["10.0.0.0-10.255.255.255 TCP/25"], ["10.1.1.1", "11.0.0.1"]) == {
        frozenset({"TCP/25"}): frozenset({"10.1.1.1"})
    }
    assert parse_guards([], ["10.1.1.1"]) == {}


_ADDRESSES = st.integers(0, 1 << 10).map(lambda n: from_int(4, (10 << 24) + n)) | st.integers(
    0, 1 << 10
).map(lambda n: from_int(6, (0xFD << 120) + n))
_PORTS = st.frozensets(
    st.tuples(st.sampled_from(["TCP", "UDP"]), st.integers(1, 65535)).map(
        lambda pair: f"{pair[0]}/{pair[1]}"
    ),
    max_size=4,
)


@given(st.dictionaries(_ADDRESSES, _PORTS), st.sets(_ADDRESSES))
def test_what_is_written_is_read_back(ports: dict[str, Ports], others: set[str]) -> None:
    guards = group_guards(ports, ports)
    items = format_guards(guards)
    assert parse_guards(items, ports.keys() | others) == guards
    assert all(len(item) <= LONGEST_GUARD for item in items)


@pytest.mark.parametrize(
    "item",
    [
        "",
        "x TCP/25",
        "10.1.1.1 TCP/0",
        "10.1.1.1 TCP/65536",
        "10.1.1.1 SCTP/25",
        "10.1.1.1 TCP/25,",
        "10.1.1.1 TCP/025",
        "10.1.1.1 TCP/2_5",
        "10.1.1.1  TCP/25",
        "10.1.1.1 TCP/\u0662",
        "10.1.1.9-10.1.1.1 TCP/25",
        "10.1.1.1 " + ",".join(f"TCP/{n}" for n in range(1, 300)),
    ],
)
def test_what_cannot_be_read_is_no_list(item: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_guards(["10.1.1.200 TCP/25", item], ["10.1.1.1"])


def test_as_many_ports_and_as_much_text_as_there_is_room_for_are_open() -> None:
    most = ",".join(f"TCP/{n}" for n in range(1, 257))
    assert len(*parse_guards([f"10.1.1.1 {most}"], ["10.1.1.1"])) == 256
    ports = frozenset({"TCP/1000", *(f"TCP/{n}" for n in range(10000, 10204))})
    apart = {from_int(4, (10 << 24) + 257 * n): ports for n in range(128)}
    assert 128 * len(",".join(ports)) == MOST_TEXT
    assert all("TCP" in item for item in format_guards(group_guards(apart, apart)))


def test_a_list_of_too_many_ranges_is_refused() -> None:
    every_other = ",".join(str(n) for n in range(1, 255, 2))
    items = [f"10.1.{n}.{every_other}" for n in range(200)]
    with pytest.raises(ValueError, match="too many"):
        parse_guards(items, [])


def test_the_families_are_told_apart_though_their_numbers_are_alike() -> None:
    guards = parse_guards(["10.1.1.1 TCP/25", "::5 TCP/80"], ["10.1.1.1", "::5"])
    assert guards == {frozenset({"TCP/25"}): {"10.1.1.1"}, WEB: {"::5"}}
    assert parse_guards(["10.1.1.1 TCP/25"], ["::5"]) == {}


def test_an_address_that_is_named_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        parse_guards(["10.1.1.1-10.1.1.9 TCP/25", "10.1.1.9 TCP/80"], ["10.1.1.1"])


def test_ports_that_take_too_much_room_stay_closed_at_the_addresses_with_most() -> None:
    many = {
        from_int(4, (10 << 24) + 2 * n): frozenset(f"TCP/{n + 1000 + i}" for i in range(64))
        for n in range(1000)
    }
    ports = {**many, "10.1.1.1": WEB}
    items = format_guards(group_guards(ports, ports))
    assert sum(map(len, items)) < MOST_TEXT + 1000 * 16
    guards = parse_guards(items, ports)
    assert guards[WEB] == {"10.1.1.1"}
    assert frozenset().union(*guards.values()) == ports.keys(), "what has no room is closed"
    assert 0 < len(guards[NONE]) < len(many)


def test_ports_stand_in_every_item_that_their_addresses_take() -> None:
    most = frozenset(f"TCP/{n}" for n in range(10000, 10250))
    apart = {from_int(4, (10 << 24) + 257 * n): most for n in range(200)}
    items = format_guards(group_guards(apart, apart))
    assert not any("TCP" in item for item in items)
