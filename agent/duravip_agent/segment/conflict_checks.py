"""Probes for addresses that are contested, or that this node serves and others may have as well.

No call here waits: results come to the loop as events.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from duravip_agent import clock
from duravip_agent.core.address_conflicts import Claim, Conflict
from duravip_agent.core.kernel_state import Link
from duravip_agent.core.probing import ONE_PROBE, ProbeResult, ProbeSpec
from duravip_agent.core.sampling import SAMPLE_EVERY_S, Sampler
from duravip_agent.events import AddressesClaimed, Inbox, SegmentProbed
from duravip_agent.metrics import Metrics
from duravip_agent.segment.claim_watcher import ClaimWatcher, HeldAddresses
from duravip_agent.segment.probe_worker import ProbeWorker
from duravip_api.addresses import to_int

CHECK_EVERY_S = 0.09
"""How often the segment is probed, without contact, for hosts that have an address of ours."""

CHECK_BATCH = 8
"""Addresses of an interface: all of a node's move together, so a few of them tell. When a host
answers for one of them, all are asked about."""


class ConflictChecker:
    """Asks."""

    def __init__(self, inbox: Inbox, worker: ProbeWorker) -> None:
        self._inbox, self._worker = inbox, worker
        self._watcher = ClaimWatcher(lambda claims: inbox.put(AddressesClaimed(claims)))
        self._held = HeldAddresses()
        self._checked_at = self._sampled_at = float("-inf")
        self._turn = 0
        self._sampler = Sampler()

    def count(self, metrics: Metrics) -> None:
        """Let these show what the ears have counted."""
        watcher = self._watcher
        metrics.heard_frames.set_function(lambda: watcher.counts.frames)
        metrics.lost_frames.set_function(lambda: watcher.counts.lost)
        metrics.held_back.set_function(lambda: watcher.sieve.held_back)

    def start(self) -> None:
        """Begin to listen."""
        self._worker.start()
        self._watcher.start()

    def probe_contested(self, generation: int, addresses: Mapping[str, frozenset[str]]) -> None:
        """Ask each segment for addresses that a spec of this generation contests (rule A2)."""
        for interface, contested in addresses.items():
            question = ProbeSpec(tuple(sorted(contested, key=to_int)))
            self._worker.probe(interface, question, partial(self._report_result, generation))

    def check_held(self, now: float) -> None:
        """Ask whether others answer for what we hold (rule A4), unless that was just done.

        A segment that was cut may have healed: the node that took over on the other side announces
        itself seldom, and nobody tells us anything.
        """
        if now - self._checked_at < CHECK_EVERY_S:
            return
        self._checked_at = now
        self._turn += 1
        for interface, addresses in self._held.addresses.items():
            chosen = _next_few(sorted(addresses, key=to_int), self._turn)
            answer = partial(self._on_check_result, interface)
            self._worker.probe(interface, ProbeSpec(chosen, ONE_PROBE, is_one_enough=True), answer)

    def sample(self, now: float, claimed: Mapping[str, Conflict]) -> None:
        """Ask, at leisure, who else has what we hold; `claimed` is what others have as is known.

        In contact the addresses are ours beyond doubt. But a host that has taken one, and does not
        announce it, is noticed by nobody who does not ask.
        """
        if now - self._sampled_at < SAMPLE_EVERY_S:
            return
        self._sampled_at = now
        for interface, chosen in self._sampler.due(now, claimed).items():
            answer = partial(self._report_claims, interface)
            self._worker.probe(interface, ProbeSpec(chosen, ONE_PROBE), answer)

    def set_held(self, addresses: Mapping[str, frozenset[str]], links: Iterable[Link]) -> None:
        """Listen for claims of exactly these, by interface (rule A4)."""
        held = HeldAddresses(addresses, frozenset(link.mac for link in links if link.mac))
        if held != self._held:
            self._held = held
            self._watcher.set_held(held)
            self._sampler.set_held(addresses)

    def _on_check_result(self, interface: str, findings: ProbeResult) -> None:
        self._report_claims(interface, findings)
        if findings.answered:
            everything = tuple(sorted(self._held.addresses.get(interface, ())))
            answer = partial(self._report_claims, interface)
            self._worker.probe(interface, ProbeSpec(everything, ONE_PROBE), answer)

    def _report_claims(self, interface: str, findings: ProbeResult) -> None:
        now, own = time.monotonic(), self._held.macs
        others = {
            address: [mac for mac in macs if mac not in own]
            for address, macs in findings.answered.items()
        }
        claims = tuple(Claim(a, interface, macs[0], now) for a, macs in others.items() if macs)
        if claims:
            self._inbox.put(AddressesClaimed(claims))

    def _report_result(self, generation: int, findings: ProbeResult) -> None:
        self._inbox.put(SegmentProbed(generation, findings, clock.now()))


def _next_few(addresses: Sequence[str], turn: int) -> tuple[str, ...]:
    """The next few of them: all have their turn."""
    start = turn * CHECK_BATCH % max(1, len(addresses))
    return tuple((*addresses[start:], *addresses[:start])[:CHECK_BATCH])
