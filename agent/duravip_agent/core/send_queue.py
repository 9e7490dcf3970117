"""The rate-limited send queue of announcements: a token bucket for each interface.

The first broadcast of a new address (gratuitous ARP, or unsolicited neighbour advertisement) never
waits: clients wait for it. It is charged to the bucket, so what follows waits for longer. After
many first broadcasts everything else is held for a moment, since each frame costs every host of
the segment something while other addresses are still on their way. Then come the other
broadcasts, and last the frames to single neighbours. A later batch replaces what is left of an
earlier one: it says the same.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from duravip_agent.core.announce_schedule import AnnouncementBatch
from duravip_agent.core.kernel_state import NeighbourEntry
from duravip_agent.core.node_spec import Placement

FRAMES_PER_SECOND = 2000.0
BURST_FRAMES = 4000.0
REFILL_PAUSE_S = 0.05
"""When the tokens are used up nothing is sent until this many seconds' worth are there again."""

MANY_FIRST_BROADCASTS, HOLD_AFTER_MANY_S = 64, 0.1
"""After this many first broadcasts together everything else waits, for this many seconds."""

BATCH_FRAMES = 512
"""Frames that are given out at a time, so that the caller can do other things between."""


class Announcement(NamedTuple):
    """One frame: this address is here."""

    placement: Placement
    address: str
    is_reply: bool = False
    """IPv4: as an ARP reply instead of a request. IPv6 knows one form only."""
    to: NeighbourEntry | None = None
    """None = everybody."""


_Key = tuple[Placement, str]


class _Job(NamedTuple):
    """Frames that belong together."""

    key: _Key
    """Of jobs with the same key the later one replaces the earlier one, but for a first one."""
    calls: Iterator[Announcement]


@dataclass(slots=True)
class _Lane:
    tokens: float
    filled: float
    held_until: float = float("-inf")
    at_once: deque[_Job] = field(default_factory=deque)
    broadcasts: deque[_Job] = field(default_factory=deque)
    directed: deque[_Job] = field(default_factory=deque)

    def refill(self, now: float, rate: float, burst: float) -> None:
        self.tokens = min(burst, self.tokens + (now - self.filled) * rate)
        self.filled = now

    def next_call(self) -> Announcement | None:
        """The next frame that may be sent now."""
        while jobs := self.at_once or self.broadcasts or self.directed:
            if jobs is not self.at_once and (self.tokens < 1 or self.filled < self.held_until):
                return None
            call = next(jobs[0].calls, None)
            if call is not None:
                return call
            jobs.popleft()
        return None

    def wait(self, now: float, rate: float) -> float | None:
        """For how long there is nothing to send; None when nothing is queued."""
        if self.at_once:
            return 0.0
        if self.broadcasts or self.directed:
            poor = REFILL_PAUSE_S - self.tokens / rate if self.tokens < 1 else 0.0
            return max(0.0, poor, self.held_until - now)
        return None


class SendQueue:
    """The frames that wait to be sent. All times are on one clock of the caller's choice."""

    def __init__(self, rate: float = FRAMES_PER_SECOND, burst: float = BURST_FRAMES) -> None:
        self._rate, self._burst = rate, burst
        self._lanes: dict[str, _Lane] = {}

    def queue_broadcast(self, due: AnnouncementBatch, now: float) -> None:
        """Queue what everybody is to hear of a round."""
        place, addresses, is_first = due
        if not (is_first or place.arp_all_hosts):
            return
        lane = self._lane(place, now)
        if is_first and len(addresses) > MANY_FIRST_BROADCASTS:
            lane.held_until = now + HOLD_AFTER_MANY_S
        key = (place, addresses[0])
        lane.broadcasts = _without(lane.broadcasts, key)
        jobs = lane.at_once if is_first else lane.broadcasts
        jobs.append(_Job(key, (Announcement(place, address) for address in addresses)))
        replies = (Announcement(place, a, is_reply=True) for a in addresses if ":" not in a)
        lane.broadcasts.append(_Job(key, replies))

    def queue_directed(
        self, due: AnnouncementBatch, neighbours: Sequence[NeighbourEntry], now: float
    ) -> None:
        """Queue what these neighbours are to hear of a round, each by itself."""
        lane = self._lane(due.placement, now)
        key = (due.placement, due.addresses[0])
        lane.directed = _without(lane.directed, key)
        lane.directed.append(_Job(key, _directed(due, neighbours)))

    def pop_due(
        self, now: float, is_served: Callable[[Placement, str], bool]
    ) -> list[Announcement]:
        """The frames to send now; call again when `next_due` says so."""
        taken: list[Announcement] = []
        for lane in self._lanes.values():
            lane.refill(now, self._rate, self._burst)
            while len(taken) < BATCH_FRAMES and (call := lane.next_call()) is not None:
                if is_served(call.placement, call.address):
                    lane.tokens -= 1
                    taken.append(call)
        return taken

    def has_first_pending(self, interface: str) -> bool:
        """Whether the first broadcast of a new address still waits there."""
        lane = self._lanes.get(interface)
        return lane is not None and bool(lane.at_once)

    def next_due(self, now: float) -> float | None:
        """When there is something to send again."""
        waits = [lane.wait(now, self._rate) for lane in self._lanes.values()]
        return min((now + wait for wait in waits if wait is not None), default=None)

    def _lane(self, place: Placement, now: float) -> _Lane:
        return self._lanes.setdefault(place.interface, _Lane(self._burst, now))


def _without(jobs: deque[_Job], key: _Key) -> deque[_Job]:
    return deque(job for job in jobs if job.key != key)


def _directed(
    due: AnnouncementBatch, neighbours: Sequence[NeighbourEntry]
) -> Iterator[Announcement]:
    for address in due.addresses:
        for neighbour in neighbours:
            if (":" in address) == (":" in neighbour.address):
                yield Announcement(due.placement, address, is_reply=True, to=neighbour)
