"""The programs that the kernel runs on every frame, run here on frames as they are on a wire."""

from collections.abc import Callable
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duravip_agent.codec.bpf import (
    MOST_BLOCKS,
    REJECT_ALL,
    Block,
    Program,
    advertisements,
    arp_answers,
    arp_claims,
    covering_blocks,
    pack,
)
from duravip_agent.codec.frames import announcement_frame, claim_in, probe_frame
from duravip_agent.core.node_spec import Placement
from duravip_agent.core.send_queue import Announcement

OURS, THEIRS = bytes.fromhex("020000000001"), bytes.fromhex("0200000000fe")
PLACE = Placement("eth1", 32)
BLOCKS = (ip_network("10.1.1.0/24"), ip_network("10.2.0.0/22"), ip_network("fd00:1::64:0/112"))
ON_A_WIRE = 60
"""Shorter frames are filled up."""

# Frames as tcpdump has them, without their Ethernet addresses.
REPLY_TO_A_PROBE = "0806 0001 0800 06 04 0002 0200000000fe 0a010107 020000000001 00000000"
REPLY_TO_A_HOST = "0806 0001 0800 06 04 0002 0200000000fe 0a010107 020000000001 0a01000b"
REQUEST_FROM_THE_ADDRESS = "0806 0001 0800 06 04 0001 0200000000fe 0a010107 000000000000 0a010001"
PING = "0800 4500 0054 0000 4000 4001 0000 0a010107 0a010001 0800 0000 0000 0000"
ROUTER_ADVERTISEMENT = "86dd 60000000 0010 3a ff" + "fe80" + 13 * "00" + "01" + "ff02" + 13 * "00"
ROUTER_ADVERTISEMENT += "01 8600 0000 40000708 00000000 00000000"


def verdict(program: Program, frame: bytes) -> bool:
    """What the kernel makes of a frame: a tiny interpreter of classic BPF."""
    accumulator, at = 0, 0
    sizes = {0x20: 4, 0x28: 2, 0x30: 1}
    while True:
        code, if_true, if_false, operand = program[at]
        at += 1
        if code in sizes:
            read = frame[operand : operand + sizes[code]]
            if len(read) < sizes[code]:
                return False
            accumulator = int.from_bytes(read)
        elif code == 0x54:
            accumulator &= operand
        elif code == 0x15:
            at += if_true if accumulator == operand else if_false
        else:
            assert code == 0x06
            return operand > 0


def on_a_wire(text: str, source: bytes = THEIRS) -> bytes:
    frame = b"\xff" * 6 + source + bytes.fromhex(text)
    return frame.ljust(ON_A_WIRE, b"\0")


def announced(address: str, source: bytes = THEIRS, *, is_reply: bool = False) -> bytes:
    return announcement_frame(Announcement(PLACE, address, is_reply), source).ljust(
        ON_A_WIRE, b"\0"
    )


@pytest.mark.parametrize("is_reply", [False, True])
@pytest.mark.parametrize("address", ["10.1.1.0", "10.1.1.255", "10.2.3.255"])
def test_a_gratuitous_arp_of_another_host_is_a_claim(address: str, is_reply: bool) -> None:
    assert verdict(arp_claims(BLOCKS, OURS), announced(address, is_reply=is_reply))


@pytest.mark.parametrize(
    "frame", [REPLY_TO_A_PROBE, REPLY_TO_A_HOST, REQUEST_FROM_THE_ADDRESS], ids=str
)
def test_so_is_arp_of_any_other_form(frame: str) -> None:
    assert verdict(arp_claims(BLOCKS, OURS), on_a_wire(frame))


@pytest.mark.parametrize("address", ["10.1.0.255", "10.1.2.0", "10.2.4.0", "192.0.2.1"])
def test_an_address_outside_the_blocks_is_not(address: str) -> None:
    assert not verdict(arp_claims(BLOCKS, OURS), announced(address))


def test_neither_is_what_we_say_ourselves_when_a_switch_sends_it_back() -> None:
    assert not verdict(arp_claims(BLOCKS, OURS), announced("10.1.1.7", OURS))
    assert not verdict(advertisements(BLOCKS, OURS), announced("fd00:1::64:7", OURS))


@pytest.mark.parametrize("near", ["020000000002", "030000000001"])
def test_a_mac_that_is_only_like_ours_is_another(near: str) -> None:
    mac = bytes.fromhex(near)
    assert verdict(arp_claims(BLOCKS, OURS), announced("10.1.1.7", mac))
    assert verdict(advertisements(BLOCKS, OURS), announced("fd00:1::64:7", mac))


def test_a_probe_claims_nothing() -> None:
    assert not verdict(arp_claims(BLOCKS, OURS), probe_frame("10.1.1.7", THEIRS).ljust(60, b"\0"))
    assert not verdict(advertisements(BLOCKS, OURS), probe_frame("fd00:1::64:7", THEIRS))


def test_only_a_reply_to_a_probe_is_an_answer() -> None:
    answers = arp_answers(BLOCKS, OURS)
    assert verdict(answers, on_a_wire(REPLY_TO_A_PROBE))
    assert not verdict(answers, on_a_wire(REPLY_TO_A_HOST))
    assert not verdict(answers, on_a_wire(REQUEST_FROM_THE_ADDRESS))
    assert not verdict(answers, announced("10.1.1.7", is_reply=True))


def test_a_neighbour_advertisement_is_a_claim() -> None:
    assert verdict(advertisements(BLOCKS, OURS), announced("fd00:1::64:ffff"))
    assert not verdict(advertisements(BLOCKS, OURS), announced("fd00:1::65:0"))


def test_an_advertisement_from_behind_a_router_is_forged() -> None:
    frame = bytearray(announced("fd00:1::64:7"))
    frame[21] = 254
    assert not verdict(advertisements(BLOCKS, OURS), bytes(frame))


@pytest.mark.parametrize("program", [arp_claims, arp_answers, advertisements])
@pytest.mark.parametrize("frame", [PING, ROUTER_ADVERTISEMENT, "0806 0001"], ids=str)
def test_other_traffic_is_not_seen(
    program: Callable[[tuple[Block, ...], bytes], Program], frame: str
) -> None:
    whole = b"\xff" * 6 + THEIRS + bytes.fromhex(frame)
    assert not verdict(program(BLOCKS, OURS), whole)


def test_nothing_lets_nothing_in() -> None:
    assert not verdict(REJECT_ALL, announced("10.1.1.7"))


def test_without_blocks_nothing_is_let_in() -> None:
    assert not verdict(arp_claims((), OURS), announced("10.1.1.7"))


@pytest.mark.parametrize("address", ["10.1.1.7", "fd00:1::64:7"])
def test_a_frame_is_read_back_as_what_it_says(address: str) -> None:
    assert claim_in(announced(address)) == (address, "02:00:00:00:00:fe")


def test_an_advertisement_without_a_mac_speaks_of_its_sender() -> None:
    assert claim_in(announced("fd00:1::64:7")[:78]) == ("fd00:1::64:7", "02:00:00:00:00:fe")


def test_an_instruction_takes_eight_bytes() -> None:
    assert pack(REJECT_ALL) == bytes.fromhex("0600 00 00 00000000")


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        (["10.1.1.7"], ["10.1.1.7/32"]),
        ([f"10.1.1.{i}" for i in range(17)], ["10.1.1.0/28", "10.1.1.16/28"]),
        (["10.1.1.7", "fd00:1::7"], ["10.1.1.7/32", "fd00:1::7/128"]),
        ([f"10.{i}.{i}.1" for i in range(17)], ["10.0.0.0/12", "10.16.0.0/12"]),
        ([f"{i}.1.1.1" for i in range(1, 224)], ["0.0.0.0/0"]),
        ([f"{i}::1" for i in range(1000, 1100)], ["::/0"]),
        ([], []),
    ],
)
def test_few_blocks_cover_many_addresses(addresses: list[str], expected: list[str]) -> None:
    assert [str(block) for block in covering_blocks(addresses)] == expected


addresses_v4 = st.integers(0x0A000000, 0x0A0FFFFF).map(ip_address).map(str)
addresses_v6 = st.integers(0, 2**40).map(lambda n: str(ip_address((0xFD << 120) + n)))


@given(st.sets(addresses_v4, min_size=1), st.sets(addresses_v6, min_size=1), addresses_v4)
def test_every_covered_address_is_let_in_and_no_other(
    held: set[str], held_v6: set[str], other: str
) -> None:
    blocks = covering_blocks(held | held_v6)
    assert len(blocks) <= 2 * MOST_BLOCKS
    program = arp_claims(blocks, OURS)
    assert all(verdict(program, announced(address)) for address in held)
    assert all(verdict(advertisements(blocks, OURS), announced(a)) for a in held_v6)
    is_covered = any(ip_address(other) in block for block in blocks)
    assert verdict(program, announced(other)) == is_covered
