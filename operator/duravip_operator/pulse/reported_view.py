"""What of the pulse's knowledge is shown, and what is said of it in the log.

A suspicion is not shown at once. The neighbours are asked first: what they say is shown, or, when
they say nothing, the silence itself 0.1 s later. So a beat that is a little late changes nothing,
and no pass is under way when it must be decided what follows from a crash.
"""

import logging
from typing import Final

from duravip_operator.core.snapshot import Liveness, Suspicion
from duravip_operator.pulse.ipc import View

log = logging.getLogger(__name__)

LOOKING_TAKES: Final = 0.1
"""So long the neighbours of a silent node are given, in seconds."""


class News:
    """What is known, and what of it is shown. Times are arguments, of one steady clock."""

    def __init__(self) -> None:
        self.known = View()
        self._held: dict[str, tuple[Liveness, float]] = {}
        """What is still shown of those that have just fallen silent, and until when."""

    def take(self, after: View, now: float) -> bool:
        """Take what is known now; whether something of it is kept back for a moment."""
        before, self.known = self.known, after
        fallen = after.silences.keys() - before.silences.keys()
        for name in fallen & before.hearing.keys():
            self._held[name] = before.hearing[name], now + LOOKING_TAKES
        for name in [name for name in self._held if _is_clear(after.silences.get(name))]:
            del self._held[name]
        return not fallen.isdisjoint(self._held)

    def shown(self, now: float) -> View:
        """What others are to see of it."""
        held = self._kept_back(now)
        if not held:
            return self.known
        silences = {n: how for n, how in self.known.silences.items() if n not in held}
        return View({**self.known.hearing, **held}, silences, self.known.witnessed)

    def _kept_back(self, now: float) -> dict[str, Liveness]:
        """Those whose silence is not shown yet, and what is shown of them."""
        return {name: was for name, (was, until) in self._held.items() if now < until}


def _is_clear(silence: Suspicion | None) -> bool:
    """Whether the silence is over, or something follows from it."""
    return silence is None or bool(silence.unreachable_on) or silence.is_self_fenced


def log_changes(before: View, after: View) -> None:
    """One line for each node of which something else is said."""
    for name, now in after.hearing.items():
        was = before.hearing.get(name, Liveness.UNKNOWN)
        if now is not was:
            level = logging.WARNING if now is Liveness.SUSPECT else logging.INFO
            log.log(level, "node %s is %s, was %s", name, now.value, was.value)
    for name, silence in after.silences.items():
        known = before.silences.get(name, Suspicion())
        if gone := silence.unreachable_on - known.unreachable_on:
            log.warning("node %s is gone from %s", name, ", ".join(sorted(gone)))
        if answering := silence.reachable_on - known.reachable_on:
            log.warning("node %s still answers on %s", name, ", ".join(sorted(answering)))
        if silence.is_self_fenced and not known.is_self_fenced:
            log.warning("node %s has muted by now what is strictly fenced", name)
