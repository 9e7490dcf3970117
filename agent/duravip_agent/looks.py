"""A scout's duty: the operator asks what answers on our segment, and is told."""

import logging
from collections.abc import Callable

from duravip_agent.core.scouting import MOST_SCOUTED, Sighting, Suspect
from duravip_agent.metrics import Metrics
from duravip_agent.scout import Scout
from duravip_api.addresses import parsed
from duravip_api.beats import Look, Sight

log = logging.getLogger(__name__)

FORGOTTEN_AFTER = 5.0
"""A sender that was quiet for so long may be a new one, which counts from 1 again."""


class Looks:
    """Takes looks from the thread that beats, and never lets it wait."""

    def __init__(self, scout: Scout, boot: str, metrics: Metrics) -> None:
        self._scout, self._boot, self._metrics = scout, boot, metrics
        self._newest: dict[object, tuple[int, float]] = {}
        """By sender, the number of its newest look and when that came."""

    def take(self, look: Look, sender: object, now: float, reply: Callable[[Sight], None]) -> None:
        """Look, and reply from another thread; nothing where it is not for us, or a replay."""
        if look.boot != self._boot or not self._is_new(look.number, sender, now):
            return
        try:
            addresses = tuple(str(parsed(a)) for a in look.addresses[:MOST_SCOUTED])
        except ValueError as error:
            log.warning("a look of the operator cannot be understood: %s", error)
            return
        if not addresses:
            return

        def tell(sighting: Sighting) -> None:
            self._metrics.looks.labels(sighting.verdict.value).inc()
            verdict = sighting.verdict.value
            reply(Sight(look.scout, look.number, look.suspect, look.interface, verdict))

        suspect = Suspect(look.suspect, look.interface, addresses, frozenset(look.macs))
        self._scout.look(suspect, tell)

    def _is_new(self, number: int, sender: object, now: float) -> bool:
        newest, came = self._newest.get(sender, (0, now))
        if number <= newest and now - came < FORGOTTEN_AFTER:
            return False
        self._newest = {s: (n, t) for s, (n, t) in self._newest.items() if now - t < 60.0}  # noqa: PLR2004
        self._newest[sender] = (number, now)
        return True
