"""What is written for nft and for the kernel."""

import struct

import pytest

from duravip_agent.codec import nf_tables, nft_ruleset
from duravip_agent.codec.netlink_messages import split

V4 = [f"10.1.{64 + i // 256}.{i % 256}" for i in range(2000)]
V6 = [f"fd00:1::64:{i:x}" for i in range(1, 50)]


def test_the_tables_replace_others_and_know_what_is_to_be_mute_from_the_start() -> None:
    text = nft_ruleset.fence_tables(["eth1"], ["10.1.1.1", "fd00:1::64:1"], 0.5)
    assert text.count("delete table") == 2
    assert (
        text.count("elements = { 10.1.1.1 };") == text.count("elements = { fd00:1::64:1 };") == 2
    )
    assert text.count("timeout 500ms") == 2
    assert "held4 { type ipv4_addr; size 32768; }" in text


def test_interfaces_have_chains_of_their_own_whatever_they_are_called() -> None:
    names = ["eth1", "eth0.100", "eth0_100", "eth0-100", "eth0+100", "br:1", "ü"]
    chains = {nft_ruleset.chain_name(name) for name in names}
    assert len(chains) == len(names)
    assert all(chain.replace("_", "").isalnum() and chain.isascii() for chain in chains)


@pytest.mark.parametrize("name", ['a"b', "eth*", "a\\b", ""])
def test_a_name_that_means_something_to_nft_is_not_written_down(name: str) -> None:
    assert not nft_ruleset.is_nameable(name)
    assert nft_ruleset.is_nameable("eth0.100")


def test_thousands_of_addresses_are_one_transaction_of_messages_that_are_short_enough() -> None:
    requests = list(nf_tables.add_addresses(nf_tables.VIPS, [*V4, *V6]))
    datagram = nf_tables.transaction(requests, 5)
    parsed = list(split(datagram))
    assert [message.seq for message in parsed] == list(range(5, 5 + len(requests) + 2))
    assert all(len(request.body) < 2**16 for request in requests)
    keys = [key for request in requests for key in nf_tables.keys_in(request.body)]
    named = [nf_tables.address_of(key) for key in keys]
    assert sorted(named) == sorted([*V4, *V6] * 2), "each of them in both tables"


def test_only_the_last_request_is_acknowledged() -> None:
    datagram = nf_tables.transaction(list(nf_tables.delete_tables()), 1)
    flags, offset = [], 0
    while offset < len(datagram):
        length, _, flag = struct.unpack_from("=IHH", datagram, offset)
        flags.append(bool(flag & 4))
        offset += length + -length % 4
    assert flags == [False] * 4 + [True, False]


def test_nothing_to_change_is_no_request() -> None:
    assert not list(nf_tables.add_addresses(nf_tables.HELD, []))
