"""Addresses as ranges: what a NodePlumbing carries names exactly what was put in."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duravip_api.addresses import block, expanded, ranges

V4 = st.integers(0x0A010100, 0x0A010140).map(lambda number: str(IPv4Address(number)))
V6 = st.integers(0, 64).map(lambda number: str(IPv6Address((0xFD << 120) + number)))


@given(st.sets(V4 | V6))
def test_ranges_expand_to_what_they_were_made_from(addresses: set[str]) -> None:
    listed = ranges(addresses)
    assert set(expanded(listed)) == addresses
    assert len(listed) <= len(addresses)


def test_neighbours_share_a_range() -> None:
    assert ranges(["10.1.1.3", "10.1.1.1", "10.1.1.2", "10.1.1.9", "10.1.1.2"]) == [
        "10.1.1.1-10.1.1.3",
        "10.1.1.9",
    ]


@pytest.mark.parametrize(
    "item", ["10.1.1.9-10.1.1.1", "10.1.1.1-fd00::1", "x", "10.1.1.1-", "10.0.0.0-10.9.9.9"]
)
def test_a_malformed_or_enormous_range_is_refused(item: str) -> None:
    with pytest.raises(ValueError, match=r"range|address"):
        list(expanded([item]))


def test_a_block_has_a_prefix_and_no_host_bits() -> None:
    assert block("10.1.1.0/24") is not None
    assert block("10.1.1.7/24") is None
    assert block("10.1.1.0") is None
    assert block("lan") is None
