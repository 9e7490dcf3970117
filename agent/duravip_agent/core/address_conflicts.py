"""Conflicts: which other hosts claim addresses that this node serves, for the status.

A claim is an ARP packet or a neighbour advertisement of another MAC with our address as sender or
target (RFC 5227, section 2.4). What is done about it is rule A4 (`core/fencing.py`). A conflict is
over when nobody has claimed the address for half a minute.

A host that takes an address of ours and announces nothing is noticed only by probing for it. Every
probe costs all hosts of the segment a look at a frame, so it is done slowly: each address is
probed once in `SAMPLE_ALL_WITHIN_S`, as long as that is no more than `MAX_SAMPLED` in
`SAMPLE_EVERY_S` on an interface. With `n` addresses beyond that all of them take
`n * SAMPLE_EVERY_S / MAX_SAMPLED` seconds: 3.5 minutes for 3413. What another host is known to
have is probed in between, so that a conflict does not seem to be over only because nobody probes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Final, NamedTuple

from duravip_api.addresses import to_int

OVER_AFTER_S: Final = 30.0
"""How long after the last claim a conflict is over."""

PASS_EVERY_S: Final = 0.1
"""Of the claims of one address the loop gets one in this time."""


class Claim(NamedTuple):
    """Another host says that it has an address of ours."""

    address: str
    interface: str
    mac: str
    time: float


@dataclass(frozen=True, slots=True)
class Conflict:
    """Who claims an address of ours, and since when."""

    interface: str
    mac: str
    since: float
    last: float


@dataclass(slots=True)
class Conflicts:
    """The conflicts that are open. Times are on one clock."""

    _open: dict[str, Conflict] = field(default_factory=dict)

    @property
    def open(self) -> Mapping[str, Conflict]:
        """The conflicts by address."""
        return self._open

    def add(self, claims: Iterable[Claim]) -> None:
        """Take claims of addresses that we hold at this moment."""
        for claim in claims:
            conflict = self._open.get(claim.address)
            since = conflict.since if conflict else claim.time
            self._open[claim.address] = Conflict(claim.interface, claim.mac, since, claim.time)

    def expire(self, now: float) -> bool:
        """Forget what is over; whether the report has to change."""
        left = {
            a: conflict for a, conflict in self._open.items() if now - conflict.last < OVER_AFTER_S
        }
        has_changed, self._open = len(left) != len(self._open), left
        return has_changed

    def keep_only(self, held: frozenset[str]) -> bool:
        """Forget addresses that are no longer ours; whether the report has to change."""
        left = {a: conflict for a, conflict in self._open.items() if a in held}
        has_changed, self._open = len(left) != len(self._open), left
        return has_changed

    def next_due(self) -> float | None:
        """When a conflict will be over."""
        return min(
            (conflict.last + OVER_AFTER_S for conflict in self._open.values()), default=None
        )


@dataclass(slots=True)
class ClaimThrottle:
    """Keeps a flood of claims from the loop: of each address one at a time."""

    held_back: int = 0
    _last: dict[str, float] = field(default_factory=dict)

    def passes(self, claim: Claim) -> bool:
        """Whether the loop should hear of this claim; the others are counted."""
        if claim.time - self._last.get(claim.address, float("-inf")) < PASS_EVERY_S:
            self.held_back += 1
            return False
        self._last[claim.address] = claim.time
        return True

    def keep_only(self, addresses: frozenset[str]) -> None:
        """Forget all about addresses other than these."""
        self._last = {a: time for a, time in self._last.items() if a in addresses}


SAMPLE_EVERY_S: Final = 2.0
SAMPLE_ALL_WITHIN_S: Final = 20.0
MAX_SAMPLED: Final = 32
"""Addresses of an interface that are probed at a time."""

SAMPLE_CLAIMED_AFTER_S: Final = OVER_AFTER_S / 3
"""A claimed address is probed again when nobody has claimed it for this long."""


class Sampler:
    """Which held addresses are probed next while all is well. Times are of one clock."""

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
        if not addresses:
            return ()
        if interface not in self._order:
            self._order[interface] = sorted(addresses, key=to_int)
        order, size = self._order[interface], len(addresses)
        first = self._next.get(interface, 0.0) % size
        last = first + min(MAX_SAMPLED, size, size * SAMPLE_EVERY_S / SAMPLE_ALL_WITHIN_S)
        self._next[interface] = last
        return [order[number % size] for number in range(ceil(first), ceil(last))]
