"""The schedule of gratuitous ARP and unsolicited neighbour advertisements.

An address is announced at once, after 0.1, 1 and 5 s, and then every `every` seconds: a frame may
be lost, and switches and neighbours forget (RFC 5227, section 2.3; RFC 4861, section 7.2.6).
Addresses that came together are announced together until they have settled; from then on some at
a time, spread over `every`. A batch that is late is not made up for: the next one says the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from duravip_agent.core.node_spec import Placement
from duravip_api.addresses import to_int
from duravip_api.timing import ANNOUNCE_AFTER

SETTLED_BATCH_SIZE = 256
"""Settled addresses that are announced together."""


class AnnouncementBatch(NamedTuple):
    """Addresses that are to be announced now."""

    placement: Placement
    addresses: tuple[str, ...]
    is_first: bool
    """Whether they have never been announced on the segment."""


@dataclass(slots=True)
class _Group:
    placement: Placement
    addresses: frozenset[str]
    began: float
    step: int
    due: float
    left: tuple[str, ...] = ()
    """Once it has settled: those whose turn comes before all begin anew."""

    @property
    def is_settled(self) -> bool:
        return self.step >= len(ANNOUNCE_AFTER)

    def pop_due(self, now: float, every: float) -> tuple[str, ...]:
        """Those to announce now, in order; then it waits for the next time."""
        if not (self.is_settled and self.left):
            self.left = tuple(sorted(self.addresses, key=to_int))
        count = SETTLED_BATCH_SIZE if self.is_settled else len(self.left)
        taken, self.left = self.left[:count], self.left[count:]
        self._advance(now, every)
        return tuple(address for address in taken if address in self.addresses)

    def _advance(self, now: float, every: float) -> None:
        self.step += 1
        while not self.is_settled and self.began + ANNOUNCE_AFTER[self.step] <= now:
            self.step += 1
        if self.is_settled:
            self.due = now + every * min(1.0, SETTLED_BATCH_SIZE / max(1, len(self.addresses)))
        else:
            self.due = self.began + ANNOUNCE_AFTER[self.step]


class AnnounceSchedule:
    """The schedule. All times are on one clock of the caller's choice."""

    def __init__(self, every: float) -> None:
        self._every = every
        self._served: dict[Placement, frozenset[str]] = {}
        self._groups: list[_Group] = []
        self._defended: list[AnnouncementBatch] = []

    def set_served(self, served: Mapping[Placement, frozenset[str]], now: float) -> None:
        """Take note of what is served: whatever is new begins with its first round."""
        for placement, addresses in served.items():
            self.add(placement, addresses, now)
        self._served = {place: addresses for place, addresses in served.items() if addresses}

    def add(self, placement: Placement, addresses: frozenset[str], now: float) -> None:
        """Take note of addresses that are served as well."""
        served_before = self._served.get(placement, frozenset())
        new = addresses - served_before
        if new:
            self._groups.append(_Group(placement, new, now, 0, now))
            self._served[placement] = served_before | new

    def restart(self, interface: str, now: float) -> None:
        """Announce everything on an interface as if it were new: its cable is back."""
        kept = [group for group in self._groups if group.placement.interface != interface]
        self._groups = kept + [
            _Group(placement, addresses, now, 0, now)
            for placement, addresses in self._served.items()
            if placement.interface == interface
        ]

    def announce_again(self, addresses: frozenset[str], now: float) -> None:
        """Announce these as if they were new, on command."""
        for placement, served in self._served.items():
            if chosen := served & addresses:
                self._groups.append(_Group(placement, chosen, now, 0, now))

    def defend(self, addresses: frozenset[str]) -> None:
        """Announce these once more, at once: another host has claimed them."""
        for placement, served in self._served.items():
            claimed = tuple(sorted(served & addresses, key=to_int))
            if claimed:
                self._defended.append(AnnouncementBatch(placement, claimed, is_first=True))

    def is_served(self, placement: Placement, address: str) -> bool:
        """Whether the address may still be announced."""
        return address in self._served.get(placement, frozenset())

    def next_due(self) -> float | None:
        """When the next round is due."""
        if self._defended:
            return float("-inf")
        return min((group.due for group in self._groups), default=None)

    def due_batches(self, now: float) -> list[AnnouncementBatch]:
        """The rounds that are due; each is given once."""
        rounds, self._defended = self._defended, []
        for group in self._groups:
            if group.due > now:
                continue
            group.addresses &= self._served.get(group.placement, frozenset())
            is_first = group.step == 0
            if in_order := group.pop_due(now, self._every):
                rounds.append(AnnouncementBatch(group.placement, in_order, is_first))
        if rounds:
            self._merge()
        self._groups = [group for group in self._groups if group.addresses]
        return rounds

    def _merge(self) -> None:
        """Let all that has settled at one placement go on as one group."""
        settled: dict[Placement, _Group] = {}
        for group in [group for group in self._groups if group.is_settled]:
            first = settled.setdefault(group.placement, group)
            if first is not group:
                first.left = (*first.left, *group.left)
                first.addresses |= group.addresses
                first.due = min(first.due, group.due)
                self._groups.remove(group)
