"""What DuraVIP promises, to stand beside what was measured. Pure."""

from typing import Final

from bench.plans import AWAY, CRASH, DURAVIP, MOVE, STRICT
from duravip_api.timing import DEAD_MAN, STRICT_HOLD

_GAP: Final = (0.025, 0.06, 0.3)
_MUTED: Final = (DEAD_MAN + 0.4, DEAD_MAN + 0.4, DEAD_MAN + 0.6)
BOUNDS: Final = {
    CRASH: (0.25, 0.3, 0.5),
    MOVE: _GAP,
    "sigterm": _GAP,
    "agent-killed": _MUTED,
    "agent-frozen": _MUTED,
    "leader-and-owner": (3.0, 3.0, 4.0),
    AWAY: (0.0, 0.0, 0.0),
}
"""Medians in seconds, for 1, up to 1000, and up to 10 240 addresses on three nodes."""


def bound(case: str, system: str, addresses: int) -> float | None:
    """The most that the median may be; None where nothing is promised."""
    if system == STRICT:
        return STRICT_HOLD + 0.5 if case == CRASH else None
    if system != DURAVIP or case not in BOUNDS:
        return None
    one, thousand, all_of_them = BOUNDS[case]
    return one if addresses == 1 else thousand if addresses <= 1000 else all_of_them
