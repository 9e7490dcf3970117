"""Keeps the fence whole, whatever else on the node changes its rules and its links."""

import logging
from collections import deque

from duravip_agent import clock
from duravip_agent.core.interfaces import cards
from duravip_agent.core.kernel_state import Observed
from duravip_agent.core.node_health import NOT_HEARD
from duravip_agent.core.watchdog_rule import has_lapsed
from duravip_agent.kernel.fence import FenceError
from duravip_agent.tools import Tools
from duravip_api.reasons import Reason
from duravip_api.timing import BEAT

log = logging.getLogger(__name__)

MISSED = 3
"""So many looks in a row without what the refreshes leave behind: they do not arrive. One may fall
into a moment in which somebody has emptied the set, or the fence was built again."""

FOUGHT, FOUGHT_WITHIN = 4, 10.0
"""So many rebuilt fences in so many seconds: something on the node keeps changing ours."""

TRY_EVERY = 2.0
"""So often, in seconds, it is looked whether a refresh would arrive, while none is needed."""

FOUGHT_OVER = "something on the node changes our nft tables again and again"


class Upkeep:
    """Mends. For the loop's thread; raises FenceError where nothing can be mended."""

    def __init__(self, tools: Tools) -> None:
        self._fence, self._released, self._health = tools.fence, tools.released, tools.health
        self._lifeline, self._metrics = tools.lifeline, tools.metrics
        self._mended = clock.now()
        self._missed, self._tried = 0, float("-inf")
        self._rebuilt: deque[float] = deque(maxlen=FOUGHT)

    def guard(self, observed: Observed, granted_on: frozenset[str]) -> None:
        """Guard every card that can lead to a segment."""
        self._fence.guard(link.name for link in cards(observed, granted_on))
        self._health.unguarded = self._fence.unguarded

    def tend(self) -> bool:
        """To be called whenever the loop comes round; True = all has to be judged anew."""
        now, refreshed = clock.now(), self._lifeline.refreshed
        if now - self._mended < BEAT:
            return False
        self._mended = now
        before = self._health.problem
        self._released.mend()
        is_rebuilt = self._fence.mend()
        if is_rebuilt:
            self._metrics.rebuilt.inc()
            self._rebuilt.append(now)
            self._lifeline.mute()
        self._see_who_fights(now)
        if not self._fence.problem:
            self._listen(refreshed, now, is_rebuilt=is_rebuilt)
        return is_rebuilt or before != self._health.problem

    def has_failed(self, error: FenceError) -> None:
        """The fence cannot be made, or looked at: whatever must be silent has to be deleted."""
        self._health.failed(Reason.UNFENCED, str(error), clock.now())
        self._lifeline.mute()

    def _see_who_fights(self, now: float) -> None:
        is_full = len(self._rebuilt) == FOUGHT
        self._fence.is_fought = is_full and now - self._rebuilt[0] < FOUGHT_WITHIN
        if self._fence.is_fought:
            self._health.failed(Reason.UNFENCED, FOUGHT_OVER, now)
        elif not self._fence.problem:
            self._health.is_well(Reason.UNFENCED, now)

    def _listen(self, refreshed: float | None, now: float, *, is_rebuilt: bool) -> None:
        """Look whether the refreshes arrive; while they do not, whether one would by now."""
        if self._health.has(Reason.MUTED):
            if not self._fence.held and self._lifeline.try_out(self._fence.is_alive):
                self._health.is_well(Reason.MUTED, now)
            else:
                self._health.failed(Reason.MUTED, NOT_HEARD, now)
            return
        if refreshed is None and not self._fence.held and now - self._tried >= TRY_EVERY:
            self._tried = now  # a node that can never be heard must not be granted anything
            if not self._lifeline.try_out(self._fence.is_alive):
                self._is_mute(now)
            return
        if refreshed is None or is_rebuilt or self._fence.is_alive():
            self._missed = 0
            return
        if has_lapsed(refreshed, clock.now(), self._lifeline.limits):
            return  # of a process that was stopped everything is muted anyway
        self._missed += 1
        if self._missed == MISSED:
            self._is_mute(now)

    def _is_mute(self, now: float) -> None:
        log.error("everything is mute: %s", NOT_HEARD)
        self._missed = 0
        self._health.failed(Reason.MUTED, NOT_HEARD, now)
        self._lifeline.mute()
