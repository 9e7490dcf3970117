"""Address ranges as others write them: read, compared, and written as ours."""

from ipaddress import ip_interface
from typing import Final

from duravip_api.addresses import Range, from_int, parse_range

BITS: Final = {4: 32, 6: 128}
"""The number of bits of an address, by family."""

_GUESSED_PREFIX: Final = {4: 24, 6: 64}


def read_range(item: str, *, without_edges: bool = False) -> Range:
    """The addresses of `first-last`, a block or one address; raises ValueError.

    A block may have host bits. `without_edges` takes the network and broadcast addresses from an
    IPv4 block that has them.
    """
    text = "".join(item.split())
    if "/" not in text:
        return parse_range(text)
    network = ip_interface(text).network
    first, last = int(network.network_address), int(network.broadcast_address)
    if without_edges and network.version == 4 and last - first > 1:  # noqa: PLR2004 - IPv4
        first, last = first + 1, last - 1
    return Range(network.version, first, last)


def format_range(one: Range) -> str:
    """A block where it is one, or else `first-last`, or an address."""
    size = one.last - one.first + 1
    if size > 1 and size & (size - 1) == 0 and one.first % size == 0:
        return f"{from_int(one.family, one.first)}/{BITS[one.family] - size.bit_length() + 1}"
    return str(one)


def holds(block: Range, one: Range) -> bool:
    """Whether all of the range lies in the block."""
    return block.family == one.family and block.first <= one.first and one.last <= block.last


def edges_in(block: Range, one: Range) -> list[str]:
    """The block's network and broadcast addresses, as far as they lie in the range."""
    if block.family != 4 or block.last - block.first <= 1:  # noqa: PLR2004 - IPv4
        return []
    return [
        from_int(4, edge)
        for edge in (block.first, block.last)
        if one.family == 4 and one.first <= edge <= one.last  # noqa: PLR2004 - IPv4
    ]


def guess_block(one: Range) -> Range:
    """The network that a range probably lies in: a /24 or /64, or the smallest that holds it."""
    bits = BITS[one.family]
    prefix = min(_GUESSED_PREFIX[one.family], bits - (one.first ^ one.last).bit_length())
    first = one.first >> (bits - prefix) << (bits - prefix)
    return Range(one.family, first, first + (1 << (bits - prefix)) - 1)
