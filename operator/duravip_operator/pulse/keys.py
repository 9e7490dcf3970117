"""The key that agents and operators of older versions share."""

from pathlib import Path
from typing import Final

from duravip_api.heartbeat import parse_keys

CHECKED_EVERY: Final = 1.0


class Keys:
    """The key file, read again when it changes; while it is unreadable the old keys stay."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._checked = 0.0
        self._stamp: tuple[int, int, int] | None = None
        self.keys: tuple[bytes, ...] = ()

    def refresh(self, now: float) -> str:
        """Look whether the file has changed; what to say about it, if anything."""
        if self._path is None or now - self._checked < CHECKED_EVERY:
            return ""
        self._checked = now
        try:
            found = self._path.stat()
            stamp = found.st_ino, found.st_mtime_ns, found.st_size
            if stamp == self._stamp:
                return ""
            before, self.keys = self.keys, parse_keys(self._path.read_text())
            self._stamp = stamp
        except (OSError, ValueError) as error:
            self._stamp = None
            return f"cannot read the pulse keys {self._path}, the old ones stay: {error}"
        return "the pulse keys were read again" if before else ""
