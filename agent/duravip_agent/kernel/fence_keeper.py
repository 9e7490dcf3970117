"""Repairs the fence that other programs on the node change, and checks that feeds arrive."""

import logging
from collections import deque

from duravip_agent import clock
from duravip_agent.core.interfaces import relevant_interfaces
from duravip_agent.core.kernel_state import KernelState
from duravip_agent.core.node_health import FEEDS_DO_NOT_ARRIVE, NodeHealth
from duravip_agent.core.watchdog_rule import has_expired
from duravip_agent.kernel.fence import Fence
from duravip_agent.kernel.nftables import FenceError
from duravip_agent.kernel.null_fence import NullFence
from duravip_agent.kernel.released_addresses import ReleasedAddresses
from duravip_agent.kernel.watchdog import Watchdog
from duravip_agent.metrics import Metrics
from duravip_api.reasons import Reason
from duravip_api.timing import BEAT

log = logging.getLogger(__name__)

MISSED_FEEDS = 3
"""Looks in a row without what feeds leave behind that prove that they do not arrive. One may fall
into a moment in which somebody has emptied the set, or the fence was built again."""

REBUILDS_OF_A_FIGHT, FIGHT_WITHIN_S = 4, 10.0
"""This many rebuilt fences within `FIGHT_WITHIN_S`: some program keeps changing ours."""

TRIAL_FEED_EVERY_S = 2.0
"""So often, in seconds, it is looked whether a refresh would arrive, while none is needed."""

FOUGHT_OVER = "something on the node changes our nft tables again and again"


class FenceKeeper:
    """Mends. For the loop's thread; raises FenceError where nothing can be mended."""

    def __init__(
        self,
        fence: Fence | NullFence,
        released: ReleasedAddresses,
        watchdog: Watchdog,
        health: NodeHealth,
        metrics: Metrics,
    ) -> None:
        self._fence, self._released, self._health = fence, released, health
        self._watchdog, self._metrics = watchdog, metrics
        self._checked_at = clock.now()
        self._missed, self._tried = 0, float("-inf")
        self._rebuilt: deque[float] = deque(maxlen=REBUILDS_OF_A_FIGHT)

    def guard_interfaces(self, observed: KernelState, granted_on: frozenset[str]) -> None:
        """Guard every interface that can lead to a segment."""
        self._fence.add_interfaces(link.name for link in relevant_interfaces(observed, granted_on))
        self._health.unguarded = self._fence.unguarded
        self._health.guard_problem = self._fence.guard_problem

    def check(self) -> bool:
        """To be called in every turn of the loop; True = the rules have to be applied anew."""
        now, fed_at = clock.now(), self._watchdog.fed_at
        if now - self._checked_at < BEAT:
            return False
        self._checked_at = now
        before = self._health.problem
        self._released.repair()
        is_rebuilt = self._fence.repair()
        if is_rebuilt:
            self._metrics.rebuilt.inc()
            self._rebuilt.append(now)
            self._watchdog.mute()
        self._detect_fight(now)
        if not self._fence.problem:
            self._check_feeds(fed_at, now, is_rebuilt=is_rebuilt)
        return is_rebuilt or before != self._health.problem

    def fence_failed(self, error: FenceError) -> None:
        """The fence cannot be made, or looked at: whatever must be silent has to be deleted."""
        self._health.report_failure(Reason.UNFENCED, str(error), clock.now())
        self._watchdog.mute()

    def _detect_fight(self, now: float) -> None:
        is_full = len(self._rebuilt) == REBUILDS_OF_A_FIGHT
        self._fence.is_fought = is_full and now - self._rebuilt[0] < FIGHT_WITHIN_S
        if self._fence.is_fought:
            self._health.report_failure(Reason.UNFENCED, FOUGHT_OVER, now)
        elif not self._fence.problem:
            self._health.report_recovery(Reason.UNFENCED, now)

    def _check_feeds(self, fed_at: float | None, now: float, *, is_rebuilt: bool) -> None:
        """Look whether the refreshes arrive; while they do not, whether one would by now."""
        if self._health.has_problem(Reason.MUTED):
            if not self._fence.active and self._watchdog.try_feed(self._fence.is_fed):
                self._health.report_recovery(Reason.MUTED, now)
            else:
                self._health.report_failure(Reason.MUTED, FEEDS_DO_NOT_ARRIVE, now)
            return
        if fed_at is None and not self._fence.active and now - self._tried >= TRIAL_FEED_EVERY_S:
            self._tried = now  # a node that can never be heard must not be granted anything
            if not self._watchdog.try_feed(self._fence.is_fed):
                self._feeds_are_lost(now)
            return
        if fed_at is None or is_rebuilt or self._fence.is_fed():
            self._missed = 0
            return
        if has_expired(fed_at, clock.now(), self._watchdog.timeouts):
            return  # of a process that was stopped everything is muted anyway
        self._missed += 1
        if self._missed == MISSED_FEEDS:
            self._feeds_are_lost(now)

    def _feeds_are_lost(self, now: float) -> None:
        log.error("everything is mute: %s", FEEDS_DO_NOT_ARRIVE)
        self._missed = 0
        self._health.report_failure(Reason.MUTED, FEEDS_DO_NOT_ARRIVE, now)
        self._watchdog.mute()
