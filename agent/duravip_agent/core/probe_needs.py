"""Which free grants are probed first, as contested ones are: rule A2 in time.

A free grant means that another node has just released the address. It is worth that once, and at
once. It is *stale*, for a stranger may have the address by now:

- when it was there before the agent started;
- when it is for another interface than before, of which the release proves nothing;
- when the address was muted because somebody claims it, or was mute for `STALE_AFTER_MUTE_S`.

A watchdog that ran out because the machine was slow, or a cable that was out for a moment, makes
no grant stale: rule A1 is enough, since nobody else was granted the address meanwhile.
"""

from collections.abc import Mapping
from typing import Final

from duravip_agent.core.fencing import NOTHING, Facts, FencingDecision

STALE_AFTER_MUTE_S: Final = 5.0
"""Seconds for which an address may be mute without a stranger being reckoned with."""


class ProbeNeeds:
    """Remembers what was granted, and what was muted, since the agent started."""

    def __init__(self) -> None:
        self._granted: Mapping[str, frozenset[str]] | None = None
        """By interface; None: no spec was acted on since the start."""
        self._stale = NOTHING
        self._muted: dict[str, float] = {}
        """Of what is granted, was heard and is not any more: since when."""

    def granted(self, by_interface: Mapping[str, frozenset[str]]) -> None:
        """From now on exactly these are granted."""
        everything = NOTHING.union(*by_interface.values())
        before = self._granted
        if before is None:
            self._stale = everything
        else:
            same = NOTHING.union(*(a & before.get(i, NOTHING) for i, a in by_interface.items()))
            elsewhere = everything & NOTHING.union(*before.values()) - same
            self._stale = (self._stale & same) | elsewhere
            self._muted = {a: since for a, since in self._muted.items() if a in same}
        self._granted = by_interface

    def stale(self, now: float) -> frozenset[str]:
        """What a stranger may have by now, if it is granted freely."""
        if not self._muted:
            return self._stale
        long = (a for a, since in self._muted.items() if now - since >= STALE_AFTER_MUTE_S)
        return self._stale.union(long)

    def record_applied(
        self, facts: Facts, decision: FencingDecision, audible_until: float
    ) -> None:
        """A decision was applied; after `audible_until` the watchdog has muted everything."""
        if self._stale:
            self._stale -= decision.keep
        for address in self._muted.keys() & decision.keep:
            del self._muted[address]
        if decision.mute and self._granted:
            left = decision.mute & NOTHING.union(*self._granted.values())
            self._stale |= left & facts.claimed
            silent_since = min(facts.now, audible_until)
            self._muted |= dict.fromkeys(left, silent_since)
