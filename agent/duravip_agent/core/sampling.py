"""Which of the addresses that this node serves are probed next while all is well.

A host that takes an address of ours and announces nothing is noticed only by probing for it. Every
probe costs all hosts of the segment a look at a frame, so it is done slowly: each address is
probed once in `SAMPLE_ALL_WITHIN_S`, as long as that is no more than `MAX_SAMPLED` in
`SAMPLE_EVERY_S` on an interface. With `n` addresses beyond that all of them take
`n * SAMPLE_EVERY_S / MAX_SAMPLED` seconds: 3.5 minutes for 3413. What another host is known to
have is probed in between, so that a conflict does not seem to be over only because nobody probes.
"""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Final

from duravip_agent.core.address_conflicts import OVER_AFTER_S, Conflict
from duravip_api.addresses import to_int

SAMPLE_EVERY_S: Final = 2.0
SAMPLE_ALL_WITHIN_S: Final = 20.0
MAX_SAMPLED: Final = 32
"""Addresses of an interface that are probed at a time."""

SAMPLE_CLAIMED_AFTER_S: Final = OVER_AFTER_S / 3
"""A claimed address is probed again when nobody has claimed it for this long."""


class Sampler:
    """Goes round. Times are of one clock."""

    def __init__(self) -> None:
        self._held: Mapping[str, frozenset[str]] = {}
        self._order: dict[str, Sequence[str]] = {}
        """The addresses of each interface in order, once they are needed."""
        self._next: dict[str, float] = {}
        """How far each interface has come in its order: it may be between two of them."""

    def set_held(self, addresses: Mapping[str, frozenset[str]]) -> None:
        """From now on exactly these are held, by interface."""
        changed = {i for i in {*addresses, *self._held} if addresses.get(i) != self._held.get(i)}
        for interface in changed:
            self._order.pop(interface, None)
        self._held = addresses
        self._next = {i: at for i, at in self._next.items() if i in addresses}

    def due(self, now: float, claimed: Mapping[str, Conflict]) -> dict[str, tuple[str, ...]]:
        """What to ask each interface about; to be called every `SAMPLE_EVERY_S` seconds."""
        by_interface: dict[str, tuple[str, ...]] = {}
        for interface, addresses in self._held.items():
            again = [
                address
                for address, conflict in claimed.items()
                if address in addresses and now - conflict.last >= SAMPLE_CLAIMED_AFTER_S
            ]
            addresses_due = dict.fromkeys(
                (*self._next_few(interface, addresses), *again[:MAX_SAMPLED])
            )
            if addresses_due:
                by_interface[interface] = tuple(addresses_due)
        return by_interface

    def _next_few(self, interface: str, addresses: frozenset[str]) -> Sequence[str]:
        """The next few of an interface."""
        if not addresses:
            return ()
        if interface not in self._order:
            self._order[interface] = sorted(addresses, key=to_int)
        order, size = self._order[interface], len(addresses)
        first = self._next.get(interface, 0.0) % size
        last = first + min(MAX_SAMPLED, size, size * SAMPLE_EVERY_S / SAMPLE_ALL_WITHIN_S)
        self._next[interface] = last
        return [order[number % size] for number in range(ceil(first), ceil(last))]
