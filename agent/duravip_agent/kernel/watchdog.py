"""The watchdog: the kernel mutes everything unless it is fed in time (A3, A7 of `core/fencing`).

It is fed with datagrams on lo that the fence's rules recognize by their mark. That takes some
microseconds whatever other programs do with their rules; a transaction would wait for theirs.

Two threads share it. The heartbeat thread feeds it as long as the loop makes progress; the loop
starts it again after everything was muted. Both read the clock before and after a feed: the thread
may have been stopped between, and others may have taken over what the feed would let be heard.
"""

import socket
from collections.abc import Callable
from threading import Lock

from duravip_agent import clock
from duravip_agent.clock import BootTime
from duravip_agent.codec.nft_ruleset import FEED_DESTINATION, FEED_MARK, MUTE_MARK
from duravip_agent.core.watchdog_rule import (
    LeaderContact,
    Timeouts,
    WatchdogState,
    is_late,
    may_feed,
)
from duravip_agent.kernel.nftables import FenceError
from duravip_agent.kernel.null_fence import NullFence
from duravip_agent.metrics import Metrics

_SO_MARK = 36


class WatchdogSocket:
    """Refreshes it. Never waits and never fails: without a refresh there is silence."""

    def __init__(self) -> None:
        """Raises FenceError when the process may not mark what it sends."""
        self._feed, self._mute = _marked(FEED_MARK), _marked(MUTE_MARK)
        self.refused = 0
        """Datagrams that the kernel did not take: some other rule drops them."""

    def feed(self) -> None:
        """Let what is held speak, for the watchdog's time from now."""
        try:
            self._feed.sendto(b"", FEED_DESTINATION)
        except OSError:
            self.refused += 1

    def mute(self) -> None:
        """Mute everything now, until the next refresh."""
        try:
            self._mute.sendto(b"", FEED_DESTINATION)
        except OSError:
            self.refused += 1

    def close(self) -> None:
        """Let go of the sockets."""
        self._feed.close()
        self._mute.close()


class Watchdog:
    """Keeps what is active audible while the agent lives, and no longer."""

    def __init__(
        self,
        feeder: WatchdogSocket | NullFence,
        limits: Timeouts,
        metrics: Metrics,
        on_lapse: Callable[[], None],
    ) -> None:
        self._feeder, self.timeouts = feeder, limits
        self._metrics, self._on_lapse = metrics, on_lapse
        self._lock = Lock()
        """Held for microseconds: nobody waits for anything under it."""
        self._progress = clock.now()
        self.fed_at: BootTime | None = None
        """None = everything is mute until the loop begins anew."""
        self.audible_until = clock.now()
        """When the kernel has muted everything, or will unless it is refreshed again."""
        self.has_strict = False
        """Whether anything active is strictly fenced; set before it is active."""

    def loop_alive(self) -> None:
        """The loop makes progress. To be called by it more often than every 100 ms."""
        self._progress = clock.now()

    def is_loop_hung(self) -> bool:
        """Whether the loop has made no progress for so long that everything is mute by now."""
        return clock.now() - self._progress >= self.timeouts.progress + self.timeouts.watchdog

    def feed(self, contact: LeaderContact | None) -> None:
        """Refresh, if that is allowed. For the heartbeat thread, after each heartbeat."""
        with self._lock:
            if self.fed_at is None:
                return
            before = clock.now()
            state = WatchdogState(
                self.fed_at, self._progress, contact, self.has_strict, self.timeouts
            )
            is_fed = may_feed(state, before)
            if is_fed:
                self._feeder.feed()
            is_over = is_late(state, clock.now())
            if is_over:
                self._mute()
            elif is_fed:
                self._metrics.refresh_gap.observe(before - self.fed_at)
                self._note_fed(before)
        if is_over:
            self._on_lapse()

    def mute(self) -> None:
        """Mute everything. For the loop, which then begins anew."""
        with self._lock:
            self._mute()

    def begin(self, before: float) -> bool:
        """Let what is active be heard again, if that is done before then. For the loop."""
        with self._lock:
            now = clock.now()
            if now >= before:
                return False
            self._feeder.feed()
            if clock.now() >= before:
                self._mute()
                return False
            self._note_fed(now)
            return True

    def _note_fed(self, time: BootTime) -> None:
        self.fed_at, self.audible_until = time, BootTime(time + self.timeouts.watchdog)

    def try_feed(self, is_alive: Callable[[], bool]) -> bool:
        """Whether a refresh would arrive. For the loop, while nothing is held: all stays mute."""
        with self._lock:
            self._feeder.feed()
            try:
                return is_alive()
            finally:
                self._feeder.mute()

    def _mute(self) -> None:
        self._feeder.mute()
        if self.fed_at is not None:  # whichever thread finds it first
            self._metrics.lapses.inc()
        self.fed_at = None


def _marked(mark: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_MARK, mark)
    except OSError as error:
        sock.close()
        raise FenceError("cannot refresh the dead-man: it needs CAP_NET_ADMIN") from error
    sock.settimeout(0.0)
    return sock
