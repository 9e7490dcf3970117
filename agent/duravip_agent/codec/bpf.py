"""Classic BPF programs (linux/filter.h): of all frames the kernel hands over those of interest.

A program holds a few blocks of addresses, not thousands of them: the reader of the frames checks
whether an address is one of the wanted. The frame begins with its Ethernet header; a load beyond
its end rejects it.
"""

import struct
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import Final, NamedTuple

from duravip_agent.codec import frames
from duravip_api.addresses import to_int

MOST_BLOCKS: Final = 16
"""Up to here the number of compares makes little difference to the cost of a frame."""

Block = IPv4Network | IPv6Network


class Instruction(NamedTuple):
    """One step of a program, as the kernel's struct sock_filter has it."""

    code: int
    if_true: int
    """How many instructions to skip."""
    if_false: int
    operand: int


Program = Sequence[Instruction]

_BITS = {4: 32, 6: 128}
_LENGTHS = {4: (32, 28, 24, 20, 16, 12, 8, 0), 6: (128, 124, 120, 116, 112, 96, 80, 64, 48, 32, 0)}

_WORD, _HALF, _BYTE = 0x20, 0x28, 0x30
_AND, _EQUAL, _RETURN = 0x54, 0x15, 0x06
_REJECT, _ACCEPT = Instruction(_RETURN, 0, 0, 0), Instruction(_RETURN, 0, 0, 0xFFFF)

REJECT_ALL: Final[Program] = (_REJECT,)
"""Rejects every frame."""


def pack(program: Program) -> bytes:
    """The program as the kernel takes it."""
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def covering_blocks(addresses: Iterable[str], most: int = MOST_BLOCKS) -> tuple[Block, ...]:
    """At most `most` blocks of one size for each family, which cover all of these addresses."""
    numbers: dict[int, set[int]] = {}
    for family, number in map(to_int, addresses):
        numbers.setdefault(family, set()).add(number)
    return tuple(
        block for family in sorted(numbers) for block in _blocks(family, numbers[family], most)
    )


def arp_claims(blocks: Iterable[Block], mac: bytes) -> Program:
    """ARP of any form in which another MAC says that it has an address in one of the blocks."""
    about = _accept_addresses(frames.ARP_SENDER_AT, 4, blocks)
    return [
        *_require(_HALF, frames.ETHER_TYPE_AT, frames.ARP),
        *_reject_sender(frames.ARP_SENDER_MAC_AT, mac),
        *about,
    ]


def arp_answers(blocks: Iterable[Block], mac: bytes) -> Program:
    """The same, but only replies to a sender without an address: to a probe."""
    return [
        *_require(_HALF, frames.ETHER_TYPE_AT, frames.ARP),
        *_require(_HALF, frames.ARP_OPERATION_AT, frames.ARP_REPLY),
        *_require(_WORD, frames.ARP_TARGET_AT, 0),
        *_reject_sender(frames.ARP_SENDER_MAC_AT, mac),
        *_accept_addresses(frames.ARP_SENDER_AT, 4, blocks),
    ]


def advertisements(blocks: Iterable[Block], mac: bytes) -> Program:
    """Neighbour advertisements from another MAC, of an address in one of the blocks.

    Whether they answer a probe cannot be told: such an answer goes to everybody.
    """
    return [
        *_require(_HALF, frames.ETHER_TYPE_AT, frames.IPV6),
        *_require(_BYTE, frames.IPV6_NEXT_HEADER_AT, frames.ICMPV6),
        *_require(_BYTE, frames.IPV6_HOP_LIMIT_AT, frames.HOP_LIMIT),
        *_require(_BYTE, frames.ICMPV6_TYPE_AT, frames.ADVERTISEMENT),
        *_reject_sender(frames.SOURCE_MAC_AT, mac),
        *_accept_addresses(frames.ND_TARGET_AT, 6, blocks),
    ]


def _blocks(family: int, numbers: set[int], most: int) -> list[Block]:
    bits = _BITS[family]
    shift = 0
    for length in _LENGTHS[family]:
        numbers = {number >> (bits - length - shift) for number in numbers}
        shift = bits - length
        if len(numbers) <= most:
            break
    kind = IPv4Network if family == 4 else IPv6Network  # noqa: PLR2004 - IPv4
    return [kind((number << shift, bits - shift)) for number in sorted(numbers)]


def _require(size: int, offset: int, value: int) -> Program:
    """Reject the frame unless this value stands there."""
    return Instruction(size, 0, 0, offset), Instruction(_EQUAL, 1, 0, value), _REJECT


def _reject_sender(offset: int, mac: bytes) -> Program:
    """Reject the frame if this MAC stands there."""
    return (
        Instruction(_WORD, 0, 0, offset),
        Instruction(_EQUAL, 0, 3, int.from_bytes(mac[:4])),
        Instruction(_HALF, 0, 0, offset + 4),
        Instruction(_EQUAL, 0, 1, int.from_bytes(mac[4:])),
        _REJECT,
    )


def _accept_addresses(offset: int, family: int, blocks: Iterable[Block]) -> Program:
    """Accept the frame if the address that stands there is in one of the blocks, else reject."""
    relevant = [block for block in blocks if block.version == family]
    return [*(step for block in relevant for step in _accept_block(offset, block)), _REJECT]


def _accept_block(offset: int, block: Block) -> Program:
    """Accept the frame if the address is in this block, else go on behind."""
    network, mask = block.network_address.packed, block.netmask.packed
    steps: list[Instruction] = []
    for at in range(0, len(mask), 4):
        bits = int.from_bytes(mask[at : at + 4])
        if bits:
            steps.append(Instruction(_WORD, 0, 0, offset + at))
            steps += [Instruction(_AND, 0, 0, bits)] if bits != 0xFFFFFFFF else []  # noqa: PLR2004 - all of them
            steps.append(Instruction(_EQUAL, 0, 0, int.from_bytes(network[at : at + 4])))
    end = len(steps)
    return [
        *(
            step._replace(if_false=end - at) if step.code == _EQUAL else step
            for at, step in enumerate(steps)
        ),
        _ACCEPT,
    ]
