"""Keeps the fence whole, whatever else on the node changes its rules and its links."""

import logging

from duravip_agent import clock
from duravip_agent.core.deadman import has_lapsed
from duravip_agent.core.observed import Observed
from duravip_agent.core.report import nics
from duravip_agent.fence import Fence
from duravip_agent.lifeline import Lifeline
from duravip_agent.metrics import Metrics
from duravip_agent.released import Released
from duravip_agent.unfenced import Unfenced
from duravip_api.timing import BEAT

log = logging.getLogger(__name__)

ALIVE_EVERY = 5.0
"""How often to look whether the refreshes arrive, in seconds."""


class Upkeep:
    """Mends. For the loop's thread; raises FenceError where nothing can be mended."""

    def __init__(
        self, fence: Fence | Unfenced, released: Released, lifeline: Lifeline, metrics: Metrics
    ) -> None:
        self._fence, self._lifeline, self._metrics = fence, lifeline, metrics
        self._released = released
        self._mended = self._looked = clock.now()

    def guard(self, observed: Observed, granted_on: frozenset[str]) -> None:
        """Guard every card that can lead to a segment."""
        self._fence.guard(nic.name for nic in nics(observed, granted_on))

    def tend(self) -> bool:
        """To be called whenever the loop comes round; True = all has to be armed anew."""
        now, refreshed = clock.now(), self._lifeline.refreshed
        if now - self._mended < BEAT:
            return False
        self._mended = now
        self._released.mend()
        if self._fence.mend():
            self._metrics.rebuilt.inc()
            self._lifeline.mute()
            return True
        if now - self._looked < ALIVE_EVERY or refreshed is None:
            return False
        self._looked = now
        if self._fence.is_alive() or has_lapsed(refreshed, clock.now(), self._lifeline.limits):
            return False  # of a process that was stopped everything is muted anyway
        log.error("the fence does not hear the agent: some rule on lo drops what refreshes it")
        self._lifeline.mute()
        return True
