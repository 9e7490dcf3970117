"""Which address of a pool a Service gets: rendezvous hashing, without a list of the addresses.

Of the free addresses a key gets the first in an order that the key alone decides: when its Service
is deleted and made again it gets the same one, unless somebody else has it by then, and no memory
is needed for that.

The addresses are the leaves of a tree with 16 branches at each level. The hash of the key and a
branch orders the branches, and those without a free address are passed over. So neither a /64 nor
a pool of 65536 addresses is ever spelled out.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Collection, Iterable
from hashlib import blake2b

from duravip_api.addresses import Range, merge_ranges

BRANCH_BITS = 4
"""The bits of an address that one level of the tree stands for."""


class Space:
    """Addresses of one family that a pool gives out to the same namespaces."""

    def __init__(
        self, ranges: Iterable[Range], namespaces: frozenset[str] | None, *, avoids_buggy: bool
    ) -> None:
        self.namespaces = namespaces
        """Those that the Topology admits; None: all."""
        self._ranges = merge_ranges(ranges)
        self.family = self._ranges[0].family
        self._avoids_buggy = avoids_buggy and self.family == 4  # noqa: PLR2004 - IPv4
        self._firsts = [one.first for one in self._ranges]
        self._before = [0]
        for one in self._ranges:
            self._before.append(self._before[-1] + self._usable(one.first, one.last + 1))
        self.total = self._before[-1]
        self._taken: list[int] = []

    @property
    def used(self) -> int:
        """How many of them are taken."""
        return len(self._taken)

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._firsts, number) - 1
        is_in = at >= 0 and number <= self._ranges[at].last
        return is_in and not (self._avoids_buggy and number & 255 in {0, 255})

    def take(self, numbers: Collection[int]) -> None:
        """These are taken, and no others, as far as they are of this space."""
        self._taken = sorted(number for number in set(numbers) if number in self)

    def claim(self, number: int) -> None:
        """This one is taken as well."""
        if number in self:
            insort(self._taken, number)

    def choose(self, key: str) -> int | None:
        """The free address that comes first for this key; None: there is none."""
        if self.used >= self.total:
            return None
        first, last = self._firsts[0], self._ranges[-1].last
        shift = (first ^ last).bit_length()
        shift += -shift % BRANCH_BITS
        low = first >> shift << shift
        while shift:
            shift -= BRANCH_BITS
            bounds = [low + (n << shift) for n in range((1 << BRANCH_BITS) + 1)]
            free = [self._free(bound) for bound in bounds]
            branches = [n for n in range(1 << BRANCH_BITS) if free[n + 1] > free[n]]
            low = max((bounds[n] for n in branches), key=lambda at: _score(key, at, shift))
        return low

    def _free(self, bound: int) -> int:
        """How many free addresses lie below the bound."""
        return self._count(bound) - bisect_left(self._taken, bound)

    def _count(self, bound: int) -> int:
        """How many addresses lie below the bound."""
        at = bisect_right(self._firsts, bound) - 1
        if at < 0:
            return 0
        one = self._ranges[at]
        return self._before[at] + self._usable(one.first, min(bound, one.last + 1))

    def _usable(self, first: int, end: int) -> int:
        """How many of the addresses from `first` up to but not including `end` are given out."""
        if not self._avoids_buggy:
            return end - first
        return end - first - (_buggy_below(end) - _buggy_below(first))


def _buggy_below(bound: int) -> int:
    """How many IPv4 addresses below the bound end in .0 or .255."""
    return 2 * (bound >> 8) + bool(bound & 255)


def _score(key: str, low: int, shift: int) -> bytes:
    return blake2b(f"{key} {low:x} {shift}".encode(), digest_size=8).digest()
