"""What the page reads: the caches of this replica, as they are at one moment.

Nothing is asked of the API server for the page, and nothing that the loop owns is changed or
held. Values in the caches are immutable, and are replaced as a whole; the caches themselves are
copied by one call each, during which no other thread runs. So the page's thread may read them at
any time.
"""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from duravip_operator.core.endpoints import ServiceEndpoints
from duravip_operator.core.heartbeat_evidence import HeartbeatState
from duravip_operator.core.snapshot import Node, Plumbing, Topology, VipObject
from duravip_operator.kube import KubeWriter
from duravip_operator.leadership import Elector, Replicas
from duravip_operator.page.moves import MoveTape
from duravip_operator.pulse import PulseClient, PulseView
from duravip_operator.settings import Settings
from duravip_operator.watch.endpoint_slices import EndpointSlices
from duravip_operator.watch.store import Store
from duravip_runtime.settings import PROGRAM_VERSION


class Facts(NamedTuple):
    """All that the page shows, at one moment."""

    operator: Mapping[str, Any]
    """This replica and the leader, as JSON can say it."""
    vips: tuple[VipObject, ...] = ()
    topologies: tuple[Topology, ...] = ()
    nodes: Mapping[str, Node] = {}
    plumbings: Mapping[str, Plumbing] = {}
    pulse: PulseView = PulseView()
    heartbeats: Mapping[str, HeartbeatState] = {}
    endpoints: Mapping[str, ServiceEndpoints] = {}


class Sources:
    """Reads them. `facts` and `ages` are for any thread."""

    def __init__(
        self,
        settings: Settings,
        *,
        store: Store,
        endpoints: EndpointSlices,
        pulse: PulseClient,
        elector: Elector,
        replicas: Replicas,
        writer: KubeWriter,
        tape: MoveTape,
    ) -> None:
        """To be made in the asyncio thread."""
        self._identity = settings.identity
        self._store, self._endpoints, self._pulse = store, endpoints, pulse
        self._elector, self._replicas, self._writer = elector, replicas, writer
        self.tape = tape
        self._loop = asyncio.get_running_loop()

    def facts(self) -> Facts:
        """As they are now."""
        store = self._store
        return Facts(
            operator=self._operator(),
            vips=tuple(store.vips.values()),
            topologies=tuple(store.topologies.values()),
            nodes=dict(store.nodes),
            plumbings=dict(store.plumbings),
            pulse=self._pulse.view(),
            heartbeats=dict(self._pulse.beats()),
            endpoints=dict(self._endpoints.services),
        )

    def _operator(self) -> Mapping[str, Any]:
        leader = self._elector.leader
        return {
            "replica": self._identity,
            "version": PROGRAM_VERSION,
            "leader": leader.name,
            "epoch": leader.epoch,
            "leads": leader.name == self._identity,
            "replicas": len(self._replicas.replicas()),
            "synced": self._store.has_synced,
        }

    def api_ms(self) -> int:
        """What a slow request to the API server has taken lately, in milliseconds."""
        return round(self._elector.request_s * 1000)

    def is_busy(self) -> bool:
        """Whether a write is under way that a fail-over waits for."""
        return not self._writer.no_urgent_write.is_set()

    def ask_ages(self) -> None:
        """Have the pulse's process say when it has heard whom; `ages` gives the answer later."""
        with suppress(RuntimeError):  # the loop has ended before the page's thread did
            self._loop.call_soon_threadsafe(self._pulse.ask_heard_times)

    def ages(self) -> Mapping[str, float]:
        """Seconds since each node was heard: as of the last answer; of silent nodes as of now."""
        heard, silences = self._pulse.heard_times, self._pulse.view().silences
        ages = {name: max(0.0, heard.now - last) for name, last in heard.last.items()}
        now = time.monotonic()
        silent = ages.keys() & silences.keys()
        return ages | {name: now - silences[name].last_heard for name in silent}
