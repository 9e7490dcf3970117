"""Probe requests of the operator: probes a suspected node on our segment, and reports."""

import logging
from collections.abc import Callable

from duravip_agent.core.witness_book import ProbeOutcome, ProbeSubject
from duravip_agent.metrics import Metrics
from duravip_agent.segment.prober import ProbeWorker
from duravip_api.addresses import parse_address
from duravip_api.heartbeat import ProbeReport, ProbeRequest
from duravip_api.timing import MOST_SCOUTED

log = logging.getLogger(__name__)

WATCH_FOR_S = 3600.0
"""How long after the last request a node is watched without one."""

MAX_WATCHED = 2048
"""Nodes by interface and family: far more than the three or so that each node is a witness for."""

MAX_REQUESTS_PER_SECOND = 4000
"""More requests than this would pile up before the worker, and are dropped."""

SENDER_FORGOTTEN_AFTER_S = 5.0
"""A sender that was quiet for this long may be a new one, which counts from 1 again."""


class ProbeRequests:
    """Takes looks from the heartbeat thread, and never lets it wait."""

    def __init__(self, worker: ProbeWorker, boot: str, metrics: Metrics) -> None:
        self._worker, self._metrics = worker, metrics
        self.boot = boot
        """That of this agent, as in its heartbeats."""
        self._newest: dict[object, tuple[int, float]] = {}
        """By sender, the number of its newest look and when that came."""
        self._watched: dict[tuple[str, str], tuple[ProbeSubject, float]] = {}
        """The nodes of requests, and when the last one came; the newest come last."""
        self._counted = (0.0, 0)
        """When counting began, and how many looks have come since."""

    def handle(
        self,
        request: ProbeRequest,
        sender: object,
        now: float,
        reply: Callable[[ProbeReport], object],
    ) -> None:
        """Look, and reply from another thread; nothing where it is not for us, or a replay."""
        if request.boot != self.boot or not self._is_new(request.number, sender, now):
            return
        if self._are_too_many(now):
            return
        try:
            addresses = tuple(str(parse_address(a)) for a in request.addresses[:MOST_SCOUTED])
        except ValueError as error:
            log.warning("a look of the operator cannot be understood: %s", error)
            return
        if not addresses:
            return

        def tell(outcome: ProbeOutcome) -> None:
            self._metrics.looks.labels(outcome.verdict.value).inc()
            verdict = outcome.verdict.value
            ago = outcome.heard_ago if outcome.is_witness else -1.0
            reply(
                ProbeReport(
                    request.scout, request.number, request.suspect, request.interface, verdict, ago
                )
            )

        # The families of one interface are segments of their own, and heard by themselves.
        name = f"{request.suspect} by IPv{parse_address(addresses[0]).version}"
        suspect = ProbeSubject(name, request.interface, addresses, frozenset(request.macs))
        self._worker.probe_subject(suspect, tell)
        self._watch_on(suspect, now)

    def _watch_on(self, suspect: ProbeSubject, now: float) -> None:
        """Stay a witness also while no operator asks: the next one will want to know."""
        key = suspect.node, suspect.interface
        is_new = self._watched.pop(key, None) is None
        self._watched[key] = suspect, now
        if len(self._watched) > MAX_WATCHED:
            del self._watched[next(iter(self._watched))]
        if is_new:
            self._watched = {
                k: (s, at) for k, (s, at) in self._watched.items() if now - at < WATCH_FOR_S
            }
            self._worker.watch(suspect for suspect, _ in self._watched.values())

    def _are_too_many(self, now: float) -> bool:
        since, count = self._counted
        self._counted = (since, count + 1) if now - since < 1.0 else (now, 1)
        return self._counted[1] > MAX_REQUESTS_PER_SECOND

    def _is_new(self, number: int, sender: object, now: float) -> bool:
        newest, came = self._newest.get(sender, (0, now))
        if number <= newest and now - came < SENDER_FORGOTTEN_AFTER_S:
            return False
        self._newest = {s: (n, t) for s, (n, t) in self._newest.items() if now - t < 60.0}  # noqa: PLR2004
        self._newest[sender] = (number, now)
        return True
