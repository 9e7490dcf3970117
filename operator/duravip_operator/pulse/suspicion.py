"""Computes the Suspicion of every silent node: probe verdicts, and what time alone proves."""

from collections.abc import Mapping
from math import inf
from typing import Final

from duravip_api.timing import STRICT_HOLD, STRICT_MARGIN
from duravip_operator.core.snapshot import Suspicion

LASTING_AFTER_S: Final = 1.0
"""From here on a silence is worth telling people about, in seconds."""

MASS_FAILURE_NODES: Final = 4
"""If of so many nodes or more the greater part falls silent …"""

MASS_FAILURE_WITHIN_S: Final = 2.0
"""… within so many seconds, it may be our own ears …"""

MASS_FAILURE_DOUBTED_FOR_S: Final = 10.0
"""… and we believe it only after so many, unless half of them are back before."""

Outcomes = Mapping[str, tuple[frozenset[str], frozenset[str]]]


def suspicions(
    silent: Mapping[str, float],
    outcomes: Outcomes,
    heard: int,
    led_since: float | None,
    now: float,
) -> dict[str, Suspicion]:
    """The Silence of every silent node.

    `silent` says when each was last heard, `heard` how many others are heard now. An agent may
    have been acknowledged by another leader until we led, and mutes itself only after that.
    """
    led = -inf if led_since is None else now - led_since
    distrusted = _doubted(silent, heard, now)
    nothing = frozenset[str](), frozenset[str]()
    found = {}
    for name, since in silent.items():
        gone, answering = outcomes.get(name, nothing)
        unheard = min(now - since, led)
        found[name] = Suspicion(
            unreachable_on=gone,
            reachable_on=answering,
            is_self_fenced=unheard >= STRICT_HOLD + STRICT_MARGIN and name not in distrusted,
            is_lasting=now - since >= LASTING_AFTER_S,
            last_heard=since,
        )
    return found


def _doubted(silent: Mapping[str, float], heard: int, now: float) -> frozenset[str]:
    """Those that fell silent together with too many others."""
    found: set[str] = set()
    for first in set(silent.values()):
        fallen = {
            name: at for name, at in silent.items() if first <= at <= first + MASS_FAILURE_WITHIN_S
        }
        is_mass = len(fallen) > heard and len(fallen) + heard >= MASS_FAILURE_NODES
        if is_mass and now - max(fallen.values()) < MASS_FAILURE_DOUBTED_FOR_S:
            found |= fallen.keys()
    return frozenset(found)
