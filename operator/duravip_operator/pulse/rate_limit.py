"""A rate limit for the heartbeats of each node: more than an agent sends, and no more."""

from typing import Final

BEATS_PER_SECOND: Final = 100.0
BEATS_BURST: Final = 200.0
"""An agent sends ten a second, and a few more for each new spec."""


class HeartbeatRateLimit:
    """A token bucket for each node. Times are arguments, in seconds of one steady clock."""

    def __init__(self, per_second: float = BEATS_PER_SECOND, at_once: float = BEATS_BURST) -> None:
        self._per_second, self._at_once = per_second, at_once
        self._buckets: dict[str, tuple[float, float]] = {}
        """By node, how many may still pass, and when that was so."""

    def allows(self, node: str, now: float) -> bool:
        """Whether one more may pass; if so, it has."""
        left, at = self._buckets.get(node, (self._at_once, now))
        left = min(self._at_once, left + max(0.0, now - at) * self._per_second)
        is_allowed = left >= 1
        self._buckets[node] = (left - 1 if is_allowed else left, now)
        return is_allowed

    def forget(self, node: str) -> None:
        """The node is gone."""
        self._buckets.pop(node, None)
