"""The keys that operators of older versions share with agents, read again on a change."""

import logging
from pathlib import Path

from duravip_api.heartbeat import parse_keys

log = logging.getLogger(__name__)

CHECK_EVERY = 1.0
"""A Secret's file is exchanged as a whole: a look at its status is enough."""


class KeyFile:
    """A key file. Only the first reading raises OSError or ValueError; then the last keys stay."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._checked = 0.0
        self._stamp = self._stamped()
        self.keys = parse_keys(path.read_text())

    def refresh(self, now: float) -> None:
        """Read it again if it has changed."""
        if now - self._checked < CHECK_EVERY:
            return
        self._checked = now
        try:
            stamp = self._stamped()
            if stamp == self._stamp:
                return
            self._stamp = stamp
            self.keys = parse_keys(self._path.read_text())
            log.info("the pulse keys were read again")
        except (OSError, ValueError) as error:
            log.warning("cannot read the pulse keys %s, the old ones stay: %s", self._path, error)

    def _stamped(self) -> tuple[int, int, int]:
        found = self._path.stat()
        return found.st_ino, found.st_mtime_ns, found.st_size
