"""The next hops of the node's routes: looked at when a status is made, and seldom."""

import logging
from pathlib import Path
from typing import Final

from duravip_agent.core import routes

log = logging.getLogger(__name__)

EVERY: Final = 25.0
"""The agent looks at everything every 30 s; in between what was found last is good enough."""

MOST_READ: Final = 1 << 18
"""Bytes of a table: some 2000 routes, the most general ones first. A router may have a million."""

_TABLES = (Path("/proc/self/net/route"), Path("/proc/self/net/ipv6_route"))


class NextHops:
    """For one thread."""

    def __init__(self) -> None:
        self._found: tuple[str, ...] = ()
        self._looked = float("-inf")
        self._is_troubled = False

    def found(self, now: float) -> tuple[str, ...]:
        """What they are, by a look that is not long ago."""
        if now - self._looked >= EVERY:
            self._looked = now
            try:
                self._found = routes.next_hops(*map(_lines, _TABLES))
                self._is_troubled = False
            except OSError as error:
                if not self._is_troubled:
                    log.warning("cannot read the node's routes: %s", error)
                self._is_troubled = True
        return self._found


def _lines(table: Path) -> list[str]:
    """The first lines of a table; none where the kernel has no such family."""
    if not table.exists():
        return []
    with table.open(encoding="ascii", errors="replace") as file:
        return file.read(MOST_READ).splitlines()
