"""Monitors nodes that fail for too long, once a second, while this replica leads.

It finds an address that a node cannot hold (quarantine, `core.quarantine`), an address that two
nodes report to serve (`core.address_status`), and a node whose heartbeats contradict its
status. The loop's passes come when something changes; what follows from nothing having changed for
a while is found here. It requests a pass only when its findings differ.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Final

from duravip_api.addresses import format_ranges
from duravip_api.heartbeat import address_digest
from duravip_api.reasons import Reason
from duravip_operator.core import address_status, lease_annotations, quarantine
from duravip_operator.core.snapshot import HEARD_STATES, Plumbing
from duravip_operator.event_recorder import EventRecorder
from duravip_operator.leadership import Elector
from duravip_operator.metrics import Metrics
from duravip_operator.pulse import PulseClient
from duravip_operator.watch.store import Store
from duravip_runtime.text import summarize

log = logging.getLogger(__name__)

CHECK_EVERY_S: Final = 1.0


class NodeHealthMonitor:
    """In the asyncio thread."""

    def __init__(
        self,
        store: Store,
        pulse: PulseClient,
        elector: Elector,
        *,
        events: EventRecorder,
        metrics: Metrics,
        give_up_after: float,
        on_change: Callable[[], None],
    ) -> None:
        """`give_up_after` is in seconds; `on_change` is called when the findings differ."""
        self._store, self._pulse, self._elector = store, pulse, elector
        self._events, self._metrics = events, metrics
        self._give_up_after = give_up_after
        self._on_change = on_change
        self._epoch: int | None = None
        self._failures: quarantine.HoldFailures = {}
        self._mismatches: quarantine.Mismatches = {}
        self._digests: dict[str, tuple[Plumbing, str]] = {}
        self._published: tuple[object, ...] = ()
        self.quarantined: Mapping[str, frozenset[str]] = {}
        """`{address: nodes that have failed to hold it for too long}`."""
        self.quarantined_until: Mapping[tuple[str, str], str] = {}
        """By `(address, node)`, when it is tried there again."""
        self.untrusted: frozenset[str] = frozenset()
        self.quarantine_annotation = lease_annotations.format_quarantine({}, {}, ())
        """All of it, as the Lease tells it to others."""
        self._duplicate_records: address_status.DuplicateHolderTable = {}
        self.duplicate_holders: Mapping[str, tuple[str, ...]] = {}
        """`{address: nodes that have all served it for a while, as they say}`."""

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            try:
                self.check(time.monotonic())
            except Exception:
                log.exception("a look for what lasts too long failed")

    def check(self, now: float) -> None:
        """Look once; the time is that of one steady clock."""
        epoch = self._elector.epoch
        if epoch is None or not self._store.has_synced:
            return
        if epoch != self._epoch:
            self._leadership_began(epoch, now)
        # What is deleted and written anew is tried anew.
        named = {vip.address for vip in self._store.vips.values()} if self._failures else ()
        known = {key: trouble for key, trouble in self._failures.items() if key[1] in named}
        self._failures = quarantine.update_failures(
            known, self._store.plumbings, now, self._give_up_after
        )
        view, beats = self._pulse.view(), self._pulse.beats()
        heard = {n: b[:3] for n, b in beats.items() if view.hearing.get(n) in HEARD_STATES}
        self._mismatches = quarantine.update_mismatches(
            self._mismatches, self._store.plumbings, heard, self._digest, now
        )
        before = self.quarantined, self.untrusted, self.duplicate_holders
        self.quarantined = quarantine.quarantined(self._failures)
        self.quarantined_until = quarantine.quarantine_ends(
            self._failures, now, time.time(), self.quarantined_until
        )
        self.untrusted = quarantine.inconsistent_nodes(self._mismatches)
        gone = {n for n, s in view.silences.items() if s.unreachable_on or s.is_self_fenced}
        self._duplicate_records = address_status.update_duplicates(
            self._duplicate_records, self._store.plumbings, gone, now
        )
        self.duplicate_holders = address_status.lasting_duplicates(self._duplicate_records, now)
        found = self.quarantined, self.quarantined_until, self.untrusted
        if found != self._published:
            self._published = found
            self.quarantine_annotation = lease_annotations.format_quarantine(*found)
        if before != (self.quarantined, self.untrusted, self.duplicate_holders):
            self._report_quarantined(before[0])
            self._report_untrusted(before[1])
            self._on_change()

    def _leadership_began(self, epoch: int, now: float) -> None:
        """What lasted while another one led counts from now; what that one gave up is known."""
        self._epoch, self._mismatches, self._duplicate_records = epoch, {}, {}
        told = quarantine.failures_in_last_moves(self._store.vips.values(), time.time())
        self._failures = {
            (node, address): quarantine.HoldFailure(now, now, now + left)
            for node, address, left in told
        }

    def _digest(self, plumbing: Plumbing) -> str:
        """That of what a status says is served: found once for each version of it."""
        known = self._digests.get(plumbing.node)
        if known is None or known[0] is not plumbing:
            known = self._digests[plumbing.node] = (plumbing, address_digest(plumbing.served))
        return known[1]

    def _report_quarantined(self, before: Mapping[str, frozenset[str]]) -> None:
        self._metrics.given_up.set(len(self.quarantined))
        new: dict[str, list[str]] = {}
        for address, nodes in self.quarantined.items():
            for node in nodes - before.get(address, frozenset()):
                new.setdefault(node, []).append(address)
        for node, addresses in new.items():
            listed = summarize(format_ranges(addresses), noun="ranges")
            why = f"cannot hold {listed}: given up there for {quarantine.RETRY_AFTER_S:.0f} s"
            self._report(node, Reason.REPAIR_FAILED, why)

    def _report_untrusted(self, before: frozenset[str]) -> None:
        self._metrics.distrusted.set(len(self.untrusted))
        for node in sorted(self.untrusted - before):
            self._report(node, Reason.NODE_CONTRADICTS, Reason.NODE_CONTRADICTS.sentence)
        for node in sorted(before - self.untrusted):
            log.info("node %s: its beats and its status agree again", node)

    def _report(self, node: str, reason: Reason, message: str) -> None:
        log.warning("node %s: %s: %s", node, reason, message)
        self._events.record_for_node(node, reason, message, "Warning")
