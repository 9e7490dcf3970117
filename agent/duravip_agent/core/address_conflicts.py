"""Conflicts: which other hosts claim addresses that this node serves, for the status.

A claim is an ARP packet or a neighbour advertisement of another MAC with our address as sender or
target (RFC 5227, section 2.4). What is done about it is rule A4 (`core/fencing.py`). A conflict is
over when nobody has claimed the address for half a minute.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

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
