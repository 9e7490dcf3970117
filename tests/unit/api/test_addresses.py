"""Addresses as ranges: what a NodePlumbing carries names exactly what was put in."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duravip_api.addresses import (
    compact_ranges,
    expand_ranges,
    format_ranges,
    from_int,
    parse_network,
    to_bytes,
    to_int,
)

V4 = st.integers(0x0A010100, 0x0A010140).map(lambda number: str(IPv4Address(number)))
V6 = st.integers(0, 64).map(lambda number: str(IPv6Address((0xFD << 120) + number)))


@given(st.sets(V4 | V6))
def test_ranges_expand_to_what_they_were_made_from(addresses: set[str]) -> None:
    listed = format_ranges(addresses)
    assert set(expand_ranges(listed)) == addresses
    assert len(listed) <= len(addresses)


@given(st.sets(V4 | V6))
def test_groups_expand_to_what_they_were_made_from(addresses: set[str]) -> None:
    assert sorted(expand_ranges(compact_ranges(addresses))) == sorted(addresses)


@given(st.ip_addresses().map(str))
def test_an_address_is_read_by_hand_as_the_standard_library_reads_it(address: str) -> None:
    found = ip_address(address)
    assert to_int(address) == (found.version, int(found))
    assert to_bytes(address) == found.packed
    assert from_int(found.version, int(found)) == address


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.256",
        "01.2.3.4",
        "1.2.3.-4",
        "1.2.3. 4",
        "1.2.3.٤",
        "1.2..4",
    ],
)
def test_what_is_no_address_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="does not appear"):
        to_int(wrong)


def test_what_differs_in_its_last_part_only_shares_an_item() -> None:
    assert compact_ranges(
        ["10.1.1.1", "10.1.1.3", "10.1.1.4", "10.1.2.1", "fd00::a", "fd00::c"]
    ) == [
        "10.1.1.1,3-4",
        "10.1.2.1",
        "fd00::a,c",
    ]
    assert compact_ranges(["10.1.1.9", "10.1.1.255", "10.1.2.0", "10.1.2.7"]) == [
        "10.1.1.9",
        "10.1.1.255-10.1.2.0",
        "10.1.2.7",
    ]
    assert max(map(len, compact_ranges(f"fd00::{2 * n:x}" for n in range(3000)))) <= 1024


def test_neighbours_share_a_range() -> None:
    assert format_ranges(["10.1.1.3", "10.1.1.1", "10.1.1.2", "10.1.1.9", "10.1.1.2"]) == [
        "10.1.1.1-10.1.1.3",
        "10.1.1.9",
    ]


@pytest.mark.parametrize(
    "item",
    [
        "10.1.1.9-10.1.1.1",
        "10.1.1.1-fd00::1",
        "x",
        "10.1.1.1-",
        "10.0.0.0-10.9.9.9",
        "10.1.1.1,",
        "10.1.1.1,x",
    ],
)
def test_a_malformed_or_enormous_range_is_refused(item: str) -> None:
    with pytest.raises(ValueError, match=r"range|address"):
        list(expand_ranges([item]))


def test_a_block_has_a_prefix_and_no_host_bits() -> None:
    assert parse_network("10.1.1.0/24") is not None
    assert parse_network("10.1.1.7/24") is None
    assert parse_network("10.1.1.0") is None
    assert parse_network("lan") is None
