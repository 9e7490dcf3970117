"""A probe run: finds out who has an address, without changing any neighbour table.

The frames are ARP probes (RFC 5227, section 2.1) and neighbour solicitations as in duplicate
address detection (RFC 4862, section 5.4); `codec/frames` builds them. Every address is probed
`probes` times, `spacing` apart, a batch at a time. An address counts as silent only if its every
probe went out and nobody has answered `silence` after the last probe of the run. What has answered
is not probed again; when nothing is left to wait for, the run ends early.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class ProbePolicy(NamedTuple):
    """How addresses are probed; times in seconds."""

    probes: int = 3
    spacing: float = 0.005
    """Between two probes of one address."""
    silence: float = 0.02
    """How long after the last probe an answer may still come."""
    batch: int = 500
    """Addresses that are probed at once: receivers have no room for more frames."""
    gap: float = 0.002
    """From one batch to the next at least, for the same reason."""


DEFAULT_POLICY = ProbePolicy()
ONE_PROBE = ProbePolicy(probes=1)


@dataclass(frozen=True, slots=True)
class ProbeSpec:
    """What to probe for on a segment."""

    addresses: tuple[str, ...]
    """In canonical form."""
    policy: ProbePolicy = DEFAULT_POLICY
    macs: frozenset[str] = frozenset()
    """Whose answers are waited for; empty = anybody's. Other answers are noted as well."""
    is_one_enough: bool = False
    """Whether one such answer, for any of the addresses, ends the asking."""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a run has brought. Every address of its spec is in one of the three.

    One that only MACs have answered that were not waited for is in two.
    """

    answered: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By address the MACs that answered, first come, first named."""
    silent: frozenset[str] = frozenset()
    """Probed in full, and not answered by those that were waited for."""
    unasked: frozenset[str] = frozenset()
    """Not probed in full, or not listened for in full: nothing is known of these."""


class ProbeBatch(NamedTuple):
    """Addresses of one family that are probed at the same time."""

    due: float
    probes: int
    """How often they are still to be probed."""
    addresses: tuple[str, ...]


class ProbeRun:
    """One run. All times are on one clock of the caller's choice."""

    def __init__(self, question: ProbeSpec, now: float) -> None:
        self._question, self._policy = question, question.policy
        self._asked = frozenset(question.addresses)
        self._open = set(self._asked)
        """Neither settled, nor was a probe of theirs lost on the way out."""
        self._answers: dict[str, tuple[str, ...]] = {}
        self._settled: set[str] = set()
        """Answered by those who are waited for."""
        self._in_full: set[str] = set()
        """Every probe went out."""
        self._is_doubtful = self._has_enough = False
        self._last = self._ready = now
        self._batches = deque(_batches(question, now))

    def invalidate(self) -> None:
        """An answer may have been lost: from here on silence means nothing."""
        self._is_doubtful = True

    def pop_due(self, now: float) -> ProbeBatch | None:
        """What to probe now, if anything; `mark_sent` must follow."""
        while self._batches and now >= self._next_due():
            batch = self._batches.popleft()
            addresses = tuple(address for address in batch.addresses if address in self._open)
            if addresses:
                self._ready = now + self._policy.gap
                return batch._replace(addresses=addresses)
        return None

    def mark_sent(self, batch: ProbeBatch, count: int, now: float) -> None:
        """The first `count` probes of a batch went out, the others did not."""
        gone, left = batch.addresses[:count], batch.probes - 1
        self._open.difference_update(batch.addresses[count:])
        if left:
            self._batches.append(ProbeBatch(now + self._policy.spacing, left, gone))
        else:
            self._in_full.update(gone)
        self._last = now

    def add_answer(self, address: str, mac: str) -> None:
        """A host has answered that it has an address."""
        macs = self._answers.get(address, ())
        if address not in self._asked or mac in macs:
            return
        self._answers[address] = (*macs, mac)
        if not self._question.macs or mac in self._question.macs:
            self._settled.add(address)
            self._open.discard(address)
            self._has_enough |= self._question.is_one_enough

    def next_due(self) -> float:
        """When there is something to probe, or the run is over."""
        if self._has_enough or not self._open:
            return self._last
        return self._next_due() if self._batches else self._last + self._policy.silence

    def is_over(self, now: float) -> bool:
        """Whether there is nothing left to wait for."""
        if self._has_enough or not self._open:
            return True
        return not self._batches and now >= self._last + self._policy.silence

    def result(self, now: float) -> ProbeResult:
        """The result; to be called when the run is over, with the same time."""
        is_known = not (self._is_doubtful or self._has_enough) and self.is_over(now)
        unsettled = self._asked - self._settled
        silent = unsettled & self._in_full if is_known else frozenset()
        return ProbeResult(self._answers, silent, unsettled - silent)

    def _next_due(self) -> float:
        return max(self._batches[0].due, self._ready)


def _batches(question: ProbeSpec, now: float) -> Iterator[ProbeBatch]:
    size, probes = question.policy.batch, question.policy.probes
    ipv4 = tuple(a for a in question.addresses if ":" not in a)
    ipv6 = tuple(a for a in question.addresses if ":" in a)
    for family in (ipv4, ipv6):
        for start in range(0, len(family), size):
            yield ProbeBatch(now, probes, family[start : start + size])
