"""What a pass looks at: everything that is known at one moment, as one snapshot."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Protocol

from duravip_operator.core import heartbeat_evidence
from duravip_operator.core.snapshot import Liveness, Plumbing, Snapshot
from duravip_operator.pulse import PulseView
from duravip_operator.settings import Settings
from duravip_operator.watch.store import Store

SETTLED_AFTER: Final = 1.0
"""A cold replica waits for so long more than a node needs to grow mature, in seconds."""


class Ears(Protocol):
    """What is known of the nodes by their beats: the pulse."""

    def view(self) -> PulseView:
        """Who is heard."""

    def beats(self) -> Mapping[str, heartbeat_evidence.HeartbeatState]:
        """What the last beat of each node said."""


class Doubts(Protocol):
    """What nodes are not trusted with: the vigil."""

    given_up: Mapping[str, frozenset[str]]
    given_up_until: Mapping[tuple[str, str], str]
    distrusted: frozenset[str]
    served_twice: Mapping[str, tuple[str, ...]]


@dataclass
class Outlook:
    """In the asyncio thread."""

    settings: Settings
    caches: Store
    pulse: Ears
    vigil: Doubts
    clock: Callable[[], float] = time.monotonic
    restored_in: int | None = None
    """Our epoch, if the store has gone back to an earlier state just before it began."""

    def __post_init__(self) -> None:
        """Begin to wait."""
        self._started = self.clock()
        self._is_settled = False

    def snapshot(self, balance: int | None = None) -> Snapshot:
        """Everything as it is known now; `balance` says how many may move to even out the load."""
        caches, pulse = self.caches, self.pulse.view()
        found = Snapshot(
            vips=tuple(caches.vips.values()),
            topologies=tuple(caches.topologies.values()),
            nodes=dict(caches.nodes),
            plumbings=heartbeat_evidence.verify_stopped(
                dict(caches.plumbings), self.pulse.beats()
            ),
            api_hosts=caches.api_hosts,
            liveness=dict(pulse.hearing),
            suspicions=dict(pulse.silences),
            witnessed=dict(pulse.witnessed),
            quarantined=self.vigil.given_up,
            quarantined_until=self.vigil.given_up_until,
            untrusted=self.vigil.distrusted,
            duplicate_holders=self.vigil.served_twice,
            release_confirmed=frozenset(
                n for n, p in caches.plumbings.items() if self.has_let_go(p)
            ),
            fencing=self.settings.fencing,
            max_aliases=self.settings.max_aliases,
            balance_moves=balance,
        )
        beats = {
            n: said for n, said in self.pulse.beats().items() if not caches.is_being_written(n)
        }
        strangers = heartbeat_evidence.nodes_ahead_of_store(found, beats, self.restored_in)
        return replace(found, ahead_of_store=strangers) if strangers else found

    def has_let_go(self, plumbing: Plumbing) -> bool:
        """Whether a node says in its beats, and not yet in its status, that it has let go."""
        heard = self.pulse.beats().get(plumbing.node)
        if heard is None or plumbing.has_acted or plumbing.node in self.vigil.distrusted:
            return False
        return heartbeat_evidence.confirms_release(plumbing, heard)

    def has_settled(self, snapshot: Snapshot) -> bool:
        """Whether this replica has listened for long enough to know who is there.

        A cold one waits for that once, so that the first node to be heard does not get everything.
        """
        waited = self.clock() - self._started >= self.settings.mature + SETTLED_AFTER
        unsure = {Liveness.UNKNOWN, Liveness.WARMING_UP}
        heard = (snapshot.liveness.get(n, Liveness.UNKNOWN) for n in snapshot.plumbings)
        self._is_settled |= waited or unsure.isdisjoint(heard)
        return self._is_settled
