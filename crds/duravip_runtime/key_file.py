"""The file of keys that programs of older versions share, read again when it changes."""

from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator

from duravip_api.heartbeat import parse_keys

CHECK_EVERY_S: Final = 1.0
"""A Secret's file is exchanged as a whole: its status tells whether it is another one."""


def _readable(path: Path | None) -> Path | None:
    try:
        if path:
            parse_keys(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ValueError(f"cannot be read: {why}") from error
    return path


KeyFilePath = Annotated[Path | None, AfterValidator(_readable)]
"""A setting: a key file that can be read when the program starts."""


class KeyFile:
    """The keys in a file; while that cannot be read, the last ones stay."""

    def __init__(self, path: Path | None) -> None:
        """Without a path there are no keys. What cannot be read is tried again by `refresh`."""
        self._path = path
        self._next_check = float("-inf")
        self._stamp: tuple[int, int, int] | None = None
        self.keys: tuple[bytes, ...] = ()
        self.refresh(float("-inf"))

    def refresh(self, now: float) -> str:
        """Read the file again if it has changed; a sentence for the log, if there is one.

        `now` is in seconds, of any steady clock.
        """
        if self._path is None or now < self._next_check:
            return ""
        self._next_check = now + CHECK_EVERY_S
        try:
            status = self._path.stat()
            stamp = status.st_ino, status.st_mtime_ns, status.st_size
            if stamp == self._stamp:
                return ""
            before, self.keys = self.keys, parse_keys(self._path.read_text())
            self._stamp = stamp
        except (OSError, ValueError) as error:
            self._stamp = None
            return f"cannot read the pulse keys {self._path}, the old ones stay: {error}"
        return "the pulse keys were read again" if before else ""
