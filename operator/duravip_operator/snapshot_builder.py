"""Builds the snapshot that one pass decides from: all that is known at one moment."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import Final, Protocol

from duravip_operator.core import heartbeat_evidence, readiness, stability, well_nodes
from duravip_operator.core.decision import Decision
from duravip_operator.core.snapshot import Liveness, Plumbing, Snapshot
from duravip_operator.pulse import PulseView
from duravip_operator.settings import Settings
from duravip_operator.watch.store import Store

WARMUP_MARGIN_S: Final = 1.0
"""A cold replica waits for so long more than a node needs to grow mature, in seconds."""


class NodeLiveness(Protocol):
    """What is known of the nodes by their beats: the pulse."""

    def view(self) -> PulseView:
        """Who is heard."""

    def beats(self) -> Mapping[str, heartbeat_evidence.HeartbeatState]:
        """What the last beat of each node said."""


class NodeTrust(Protocol):
    """What nodes are not trusted with: the monitor of failing nodes."""

    quarantined: Mapping[str, frozenset[str]]
    quarantined_until: Mapping[tuple[str, str], str]
    untrusted: frozenset[str]
    duplicate_holders: Mapping[str, tuple[str, ...]]


@dataclass
class SnapshotBuilder:
    """In the asyncio thread."""

    settings: Settings
    store: Store
    pulse: NodeLiveness
    node_health: NodeTrust
    clock: Callable[[], float] = time.monotonic
    services: Callable[[], readiness.ServiceTable] = readiness.ServiceTable
    """Gives the endpoints of the Services that objects name."""
    restored_in: int | None = None
    """Our epoch, if the store has gone back to an earlier state just before it began."""

    def __post_init__(self) -> None:
        """Begin to wait."""
        self._started = self.clock()
        self._is_settled = False
        self._stability = stability.Stability()
        self.forget_stability()
        self._readiness = readiness.ReadinessRecords()

    def build(self, balance: int | None = None) -> Snapshot:
        """Everything as it is known now; `balance` says how many may move to even out the load."""
        store, pulse = self.store, self.pulse.view()
        found = Snapshot(
            vips=tuple(store.vips.values()),
            topologies=tuple(store.topologies.values()),
            nodes=dict(store.nodes),
            plumbings=heartbeat_evidence.verify_stopped(dict(store.plumbings), self.pulse.beats()),
            api_hosts=store.api_hosts,
            liveness=dict(pulse.hearing),
            suspicions=dict(pulse.silences),
            witnessed=dict(pulse.witnessed),
            quarantined=self.node_health.quarantined,
            quarantined_until=self.node_health.quarantined_until,
            untrusted=self.node_health.untrusted,
            duplicate_holders=self.node_health.duplicate_holders,
            release_confirmed=frozenset(
                n for n, p in store.plumbings.items() if self.confirmed_release_by_heartbeat(p)
            ),
            fencing=self.settings.fencing,
            max_aliases=self.settings.max_aliases,
            balance_moves=balance,
        )
        beats = {
            n: said for n, said in self.pulse.beats().items() if not store.is_being_written(n)
        }
        strangers = heartbeat_evidence.nodes_ahead_of_store(found, beats, self.restored_in)
        found = self._with_readiness(replace(found, ahead_of_store=strangers))
        self._stability = stability.update(
            self._stability,
            well_nodes.sightings(found),
            found.plumbings.keys(),
            self.clock(),
        )
        return replace(found, stability=self._stability)

    def forget_stability(self) -> None:
        """Begin to watch how nodes come and go: somebody else has led meanwhile."""
        mature, most = self.settings.mature, self.settings.max_damping
        self._stability = stability.Stability(mature=mature, max_damping=most)

    def _with_readiness(self, found: Snapshot) -> Snapshot:
        found = readiness.with_fitness(found, self.services())
        self._readiness = readiness.update_records(self._readiness, found.fit_nodes, self.clock())
        return readiness.with_records(found, self._readiness)

    def record_moves(self, decided: Decision) -> float:
        """Take note of moves for readiness; when a pass is due because of them, by our clock."""
        if not decided.assignments or not self._readiness.fit:
            return inf
        causes = {address: chosen.cause for address, chosen in decided.assignments.items()}
        now = self.clock()
        self._readiness = readiness.record_moves(self._readiness, causes, now)
        due = self._readiness.next_change()
        return inf if due is None else due

    def confirmed_release_by_heartbeat(self, plumbing: Plumbing) -> bool:
        """Whether a node says in its beats, and not yet in its status, that it has let go."""
        heard = self.pulse.beats().get(plumbing.node)
        if heard is None or plumbing.has_acted or plumbing.node in self.node_health.untrusted:
            return False
        return heartbeat_evidence.confirms_release(plumbing, heard)

    def warmup_done(self, snapshot: Snapshot) -> bool:
        """Whether this replica has listened for long enough to know who is there.

        A cold one waits for that once, so that the first node to be heard does not get everything.
        """
        waited = self.clock() - self._started >= self.settings.mature + WARMUP_MARGIN_S
        unsure = {Liveness.UNKNOWN, Liveness.WARMING_UP}
        heard = (snapshot.liveness.get(n, Liveness.UNKNOWN) for n in snapshot.plumbings)
        self._is_settled |= waited or unsure.isdisjoint(heard)
        return self._is_settled
