"""What is new about the nodes: said in the log, and whether it is more than a suspicion."""

import logging

from duravip_operator.core.snapshot import Hearing, Silence
from duravip_operator.pulse.messages import View, differences

log = logging.getLogger(__name__)


def is_mere_suspicion(before: View, after: View) -> bool:
    """Whether nothing is new but that some nodes have fallen silent."""
    fallen = differences(before.silences, after.silences).keys()
    others = differences(before.hearing, after.hearing).keys() - fallen
    return (
        after.witnessed == before.witnessed
        and not others
        and all(
            name in after.silences
            and name not in before.silences
            and _is_open(after.silences[name])
            for name in fallen
        )
    )


def _is_open(silence: Silence) -> bool:
    """Whether nothing follows from it yet."""
    return not (silence.gone or silence.answering or silence.is_muted)


def log_changes(before: View, after: View) -> None:
    """One line for each node of which something else is said."""
    for name, now in after.hearing.items():
        was = before.hearing.get(name, Hearing.UNHEARD)
        if now is not was:
            level = logging.WARNING if now is Hearing.SILENT else logging.INFO
            log.log(level, "node %s is %s, was %s", name, now.value, was.value)
    for name, silence in after.silences.items():
        known = before.silences.get(name, Silence())
        if gone := silence.gone - known.gone:
            log.warning("node %s is gone from %s", name, ", ".join(sorted(gone)))
        if answering := silence.answering - known.answering:
            log.warning("node %s still answers on %s", name, ", ".join(sorted(answering)))
        if silence.is_muted and not known.is_muted:
            log.warning("node %s has muted by now what is strictly fenced", name)
