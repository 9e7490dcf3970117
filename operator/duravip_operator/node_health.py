"""Looks once a second for what has lasted too long, while this replica leads.

An address that a node does not get to hold (`core.repairs`), one that two serve as they say
(`core.duplicates`), and a node whose beats contradict its status (`core.contradictions`). The
loop's passes come when something changes; what follows from nothing having changed for a while is
found here. It makes no pass but when its findings differ.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from duravip_api.addresses import format_ranges
from duravip_api.heartbeat import address_digest
from duravip_api.reasons import Reason
from duravip_operator.core import duplicate_holders, lease_annotations, quarantine
from duravip_operator.core.snapshot import HEARD_STATES, Plumbing
from duravip_operator.event_recorder import Events
from duravip_operator.leadership import Elector
from duravip_operator.metrics import Metrics
from duravip_operator.pulse import PulseClient
from duravip_operator.watch.store import Store
from duravip_runtime.text import summarize

log = logging.getLogger(__name__)

EVERY: Final = 1.0


@dataclass(frozen=True)
class Sources:
    """What it looks at, and where it says what it has found."""

    caches: Store
    pulse: PulseClient
    elector: Elector
    events: Events
    metrics: Metrics


class Vigil:
    """In the asyncio thread."""

    def __init__(
        self, sources: Sources, give_up_after: float, on_change: Callable[[], None]
    ) -> None:
        self._sources, self._give_up_after = sources, give_up_after
        self._on_change = on_change
        self._epoch: int | None = None
        self._troubles: quarantine.HoldFailures = {}
        self._differences: quarantine.Mismatches = {}
        self._digests: dict[str, tuple[Plumbing, str]] = {}
        self._published: tuple[object, ...] = ()
        self.given_up: Mapping[str, frozenset[str]] = {}
        """`{address: nodes that have failed to hold it for too long}`."""
        self.given_up_until: Mapping[tuple[str, str], str] = {}
        """By `(address, node)`, when it is tried there again."""
        self.distrusted: frozenset[str] = frozenset()
        self.quarantine = lease_annotations.format_quarantine({}, {}, ())
        """All of it, as the Lease tells it to others."""
        self._duplicates: duplicate_holders.DuplicateHolderTable = {}
        self.served_twice: Mapping[str, tuple[str, ...]] = {}
        """`{address: nodes that have all served it for a while, as they say}`."""

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            try:
                self.look(time.monotonic())
            except Exception:
                log.exception("a look for what lasts too long failed")

    def look(self, now: float) -> None:
        """Look once; the time is that of one steady clock."""
        caches, epoch = self._sources.caches, self._sources.elector.epoch
        if epoch is None or not caches.has_synced:
            return
        if epoch != self._epoch:
            self._begin(epoch, now)
        # What is deleted and written anew is tried anew.
        named = {vip.address for vip in caches.vips.values()} if self._troubles else ()
        known = {key: trouble for key, trouble in self._troubles.items() if key[1] in named}
        self._troubles = quarantine.update_failures(
            known, caches.plumbings, now, self._give_up_after
        )
        self._differences = quarantine.update_mismatches(
            self._differences, caches.plumbings, self._heard(), self._digest, now
        )
        before = self.given_up, self.distrusted, self.served_twice
        self.given_up = quarantine.quarantined(self._troubles)
        self.given_up_until = quarantine.quarantine_ends(
            self._troubles, now, time.time(), self.given_up_until
        )
        self.distrusted = quarantine.inconsistent_nodes(self._differences)
        gone = {
            n
            for n, s in self._sources.pulse.view().silences.items()
            if s.unreachable_on or s.is_self_fenced
        }
        self._duplicates = duplicate_holders.update_duplicates(
            self._duplicates, caches.plumbings, gone, now
        )
        self.served_twice = duplicate_holders.lasting_duplicates(self._duplicates, now)
        found = self.given_up, self.given_up_until, self.distrusted
        if found != self._published:
            self._published, self.quarantine = found, lease_annotations.format_quarantine(*found)
        if before != (self.given_up, self.distrusted, self.served_twice):
            self._tell_of_given_up(before[0])
            self._tell_of_distrusted(before[1])
            self._on_change()

    def _begin(self, epoch: int, now: float) -> None:
        """What lasted while another one led counts from now; what that one gave up is known."""
        self._epoch, self._differences, self._duplicates = epoch, {}, {}
        told = quarantine.failures_in_last_moves(self._sources.caches.vips.values(), time.time())
        self._troubles = {
            (node, address): quarantine.HoldFailure(now, now, now + left)
            for node, address, left in told
        }

    def _heard(self) -> dict[str, tuple[str, int, str]]:
        hearing, beats = self._sources.pulse.view().hearing, self._sources.pulse.beats()
        return {
            name: said[:3] for name, said in beats.items() if hearing.get(name) in HEARD_STATES
        }

    def _digest(self, plumbing: Plumbing) -> str:
        """That of what a status says is served: found once for each version of it."""
        known = self._digests.get(plumbing.node)
        if known is None or known[0] is not plumbing:
            known = self._digests[plumbing.node] = (plumbing, address_digest(plumbing.served))
        return known[1]

    def _tell_of_given_up(self, before: Mapping[str, frozenset[str]]) -> None:
        self._sources.metrics.given_up.set(len(self.given_up))
        new: dict[str, list[str]] = {}
        for address, nodes in self.given_up.items():
            for node in nodes - before.get(address, frozenset()):
                new.setdefault(node, []).append(address)
        for node, addresses in new.items():
            listed = summarize(format_ranges(addresses), noun="ranges")
            why = f"cannot hold {listed}: given up there for {quarantine.RETRY_AFTER_S:.0f} s"
            self._say(node, Reason.REPAIR_FAILED, why)

    def _tell_of_distrusted(self, before: frozenset[str]) -> None:
        self._sources.metrics.distrusted.set(len(self.distrusted))
        for node in sorted(self.distrusted - before):
            self._say(node, Reason.NODE_CONTRADICTS, Reason.NODE_CONTRADICTS.sentence)
        for node in sorted(before - self.distrusted):
            log.info("node %s: its beats and its status agree again", node)

    def _say(self, node: str, reason: Reason, message: str) -> None:
        log.warning("node %s: %s: %s", node, reason, message)
        self._sources.events.say_of_node(node, reason, message, "Warning")
