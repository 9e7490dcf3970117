"""Debounces suspicions: what of the pulse's view the loop gets to see, and the log lines.

A suspicion is withheld until the neighbours have been asked: what they report is shown, or, when
they report nothing, the suspicion itself 0.1 s later. So a late heartbeat changes nothing, and no
pass is under way when a crash has to be decided on.
"""

import logging
from typing import Final

from duravip_operator.core.snapshot import Liveness, Suspicion
from duravip_operator.pulse.ipc import PulseView

log = logging.getLogger(__name__)

PROBING_TAKES_S: Final = 0.1
"""So long the neighbours of a silent node are given, in seconds."""


class ReportedView:
    """What is known, and what of it is shown. Times are arguments, of one steady clock."""

    def __init__(self) -> None:
        self.actual = PulseView()
        self._withheld: dict[str, tuple[Liveness, float]] = {}
        """What is still shown of those that have just fallen silent, and until when."""

    def update(self, after: PulseView, now: float) -> bool:
        """Take what is known now; whether something of it is kept back for a moment."""
        before, self.actual = self.actual, after
        fallen = after.silences.keys() - before.silences.keys()
        for name in fallen & before.hearing.keys():
            self._withheld[name] = before.hearing[name], now + PROBING_TAKES_S
        for name in [name for name in self._withheld if _is_settled(after.silences.get(name))]:
            del self._withheld[name]
        return not fallen.isdisjoint(self._withheld)

    def visible(self, now: float) -> PulseView:
        """What others are to see of it."""
        held = self._still_withheld(now)
        if not held:
            return self.actual
        silences = {n: how for n, how in self.actual.silences.items() if n not in held}
        return PulseView({**self.actual.hearing, **held}, silences, self.actual.witnessed)

    def _still_withheld(self, now: float) -> dict[str, Liveness]:
        """Those whose silence is not shown yet, and what is shown of them."""
        return {name: was for name, (was, until) in self._withheld.items() if now < until}


def _is_settled(silence: Suspicion | None) -> bool:
    """Whether the silence is over, or something follows from it."""
    return silence is None or bool(silence.unreachable_on) or silence.is_self_fenced


def log_changes(before: PulseView, after: PulseView) -> None:
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
