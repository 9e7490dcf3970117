"""Postfix' log: read as it grows, and begun anew when it is large; or all of it at once."""

import contextlib
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

log = logging.getLogger(__name__)

MAX_BYTES: Final = 100 << 20
"""Then it is set aside, and the one that was set aside before is gone."""
MAX_LINE_BYTES: Final = 64 * 1024
STAMP: Final = len("Nov 30 10:00:00")
DAY_S: Final = 86400.0


class MailLog:
    """One log, read from its present end on."""

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        self._path, self._max_bytes = path, max_bytes
        self._file: BinaryIO | None = None
        self._rest = b""
        with contextlib.suppress(FileNotFoundError):
            self._file = path.open("rb")
            self._file.seek(0, os.SEEK_END)

    def lines(self) -> Iterator[str]:
        """The lines that have come since the last call; raises OSError."""
        yield from self._read()
        if self._is_replaced():
            if self._file:
                self._file.close()
            self._file, self._rest = None, b""
            with contextlib.suppress(FileNotFoundError):
                self._file = self._path.open("rb")
            yield from self._read()

    def set_aside(self) -> bool:
        """Rename it if it is large; whether it was: Postfix must then be told to open it anew."""
        if not self._file or os.fstat(self._file.fileno()).st_size < self._max_bytes:
            return False
        if not self._path.exists():
            return False  # it was, and Postfix has had nothing to log since
        self._path.replace(self._path.with_name(f"{self._path.name}.1"))
        return True

    def close(self) -> None:
        """Read it no more."""
        if self._file:
            self._file.close()
            self._file = None

    def _read(self) -> Iterator[str]:
        while self._file and (line := self._file.readline(MAX_LINE_BYTES)):
            self._rest += line
            if not line.endswith(b"\n"):
                if len(self._rest) > MAX_LINE_BYTES:
                    self._rest = b""  # no line of Postfix
                continue
            yield self._rest.decode(errors="replace").rstrip("\n")
            self._rest = b""

    def _is_replaced(self) -> bool:
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return False
        if not self._file:
            return True
        ours = os.fstat(self._file.fileno())
        return (ours.st_dev, ours.st_ino) != (there.st_dev, there.st_ino)


def dated_lines(path: Path, since: float, now: float) -> Iterator[tuple[float, str]]:
    """Every line of the log that is not older, with its time, and of the one that was set aside.

    All times are in seconds since 1970. Raises OSError.
    """
    for file in (path.with_name(f"{path.name}.1"), path):
        with contextlib.suppress(FileNotFoundError), file.open("rb") as lines:
            while line := lines.readline(MAX_LINE_BYTES):
                text = line.decode(errors="replace").rstrip("\n")
                when = time_of(text, now)
                if when is not None and when >= since:
                    yield when, text


def time_of(line: str, now: float) -> float | None:
    """When a line was logged: `Nov 30 10:00:00`, in this machine's time; None: it does not say.

    Without a year it is of the last twelve months.
    """
    for year in (time.localtime(now).tm_year, time.localtime(now).tm_year - 1):
        with contextlib.suppress(ValueError, OverflowError):
            parts = time.strptime(f"{year} {line[:STAMP]}", "%Y %b %d %H:%M:%S")
            when = time.mktime(parts)
            if when <= now + DAY_S:
                return when
    return None
