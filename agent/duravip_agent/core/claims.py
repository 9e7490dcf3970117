"""What to do when another host says that it has an address of ours (rule A4).

In contact with the operator the address is ours beyond doubt: it is defended by an announcement,
at most one in ten seconds, and the conflict is reported. Out of contact it may have been given to
the other one: it is muted at once, until the operator has confirmed it. A conflict is over when
nobody has claimed the address for half a minute.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

DEFEND_EVERY: Final = 10.0
"""An address is defended at most so often, in seconds: else two hosts would shout for ever."""

OVER_AFTER: Final = 30.0
"""So long after the last claim a conflict is over, in seconds."""

PASS_EVERY: Final = 0.1
"""Of the claims of one address the loop gets one in so many seconds."""


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
    defended: float
    """When we last answered by an announcement; before all time if we never did."""


class Response(NamedTuple):
    """What to do now."""

    defend: frozenset[str]
    """Announce these."""
    mute: frozenset[str]
    """Yield these, until rule A1 holds for them."""
    is_news: bool
    """Whether the report has to say something else than before."""


@dataclass(slots=True)
class Conflicts:
    """The conflicts that are open. Times are on one clock."""

    _open: dict[str, Conflict] = field(default_factory=dict)

    @property
    def open(self) -> Mapping[str, Conflict]:
        """The conflicts by address."""
        return self._open

    def claimed(self, claims: Iterable[Claim], *, is_in_contact: bool) -> Response:
        """Take claims of addresses that we hold at this moment."""
        defend: set[str] = set()
        mute: set[str] = set()
        is_news = False
        for claim in claims:
            known = self._open.get(claim.address)
            is_news |= known is None or (known.mac, known.interface) != (
                claim.mac,
                claim.interface,
            )
            defended = known.defended if known else float("-inf")
            if not is_in_contact:
                mute.add(claim.address)
            elif claim.time - defended >= DEFEND_EVERY:
                defend.add(claim.address)
                defended = claim.time
            since = known.since if known else claim.time
            self._open[claim.address] = Conflict(
                claim.interface, claim.mac, since, claim.time, defended
            )
        return Response(frozenset(defend), frozenset(mute), is_news)

    def expire(self, now: float) -> bool:
        """Forget what is over; whether the report has to change."""
        left = {a: found for a, found in self._open.items() if now - found.last < OVER_AFTER}
        has_changed, self._open = len(left) != len(self._open), left
        return has_changed

    def keep_only(self, held: frozenset[str]) -> bool:
        """Forget addresses that are no longer ours; whether the report has to change."""
        left = {a: found for a, found in self._open.items() if a in held}
        has_changed, self._open = len(left) != len(self._open), left
        return has_changed

    def next_due(self) -> float | None:
        """When a conflict will be over."""
        return min((found.last + OVER_AFTER for found in self._open.values()), default=None)


@dataclass(slots=True)
class Sieve:
    """Keeps a flood of claims from the loop: of each address one at a time."""

    passed: int = 0
    held_back: int = 0
    _last: dict[str, float] = field(default_factory=dict)

    def lets_through(self, claim: Claim) -> bool:
        """Whether the loop should hear of this claim; the others are counted."""
        if claim.time - self._last.get(claim.address, float("-inf")) < PASS_EVERY:
            self.held_back += 1
            return False
        self._last[claim.address] = claim.time
        self.passed += 1
        return True

    def keep_only(self, addresses: frozenset[str]) -> None:
        """Forget all about addresses other than these."""
        self._last = {a: time for a, time in self._last.items() if a in addresses}
