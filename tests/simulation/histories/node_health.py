"""Nodes that fail for too long in the long histories, as the operator finds them."""

from collections.abc import Iterable, Mapping

from duravip_api.heartbeat import address_digest
from duravip_operator.core import quarantine
from duravip_operator.core.snapshot import HEARD_STATES, VipObject
from duravip_operator.watch.store import Store
from simulation.histories.apiserver import EPOCH
from simulation.histories.ears import Ears
from simulation.histories.heart import Surroundings

EVERY = 1.0
GIVE_UP_AFTER = 2.0
"""Seconds: less than usual, so that histories are shorter."""


class FailingNodes:
    """Looks once a second."""

    def __init__(self, around: Surroundings) -> None:
        self._clock = around.clock
        self._looked = self._clock.now
        self._troubles: quarantine.HoldFailures = {}
        self._differences: quarantine.Mismatches = {}
        self.quarantined: Mapping[str, frozenset[str]] = {}
        self.quarantined_until: Mapping[tuple[str, str], str] = {}
        self.untrusted: frozenset[str] = frozenset()
        self.duplicate_holders: Mapping[str, tuple[str, ...]] = {}

    def begin(self, vips: Iterable[VipObject]) -> None:
        """What lasted while another one led counts from now; what that one gave up is known."""
        now = self._clock.now
        told = quarantine.failures_in_last_moves(vips, EPOCH + now)
        self._troubles = {
            (node, address): quarantine.HoldFailure(now, now, now + left)
            for node, address, left in told
        }
        self._differences = {}
        self._looked = float("-inf")

    def look(self, caches: Store, ears: Ears) -> bool:
        """Look, if it is time; whether something else was found than before."""
        now = self._clock.now
        if now - self._looked < EVERY:
            return False
        self._looked = now
        named = {vip.address for vip in caches.vips.values()}
        known = {key: trouble for key, trouble in self._troubles.items() if key[1] in named}
        self._troubles = quarantine.update_failures(known, caches.plumbings, now, GIVE_UP_AFTER)
        hearing = ears.view().hearing
        heard = ears.beats().items()
        beats = {name: said[:3] for name, said in heard if hearing.get(name) in HEARD_STATES}
        self._differences = quarantine.update_mismatches(
            self._differences, caches.plumbings, beats, lambda p: address_digest(p.served), now
        )
        before = self.quarantined, self.untrusted
        self.quarantined = quarantine.quarantined(self._troubles)
        self.untrusted = quarantine.inconsistent_nodes(self._differences)
        return before != (self.quarantined, self.untrusted)
