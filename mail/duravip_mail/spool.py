"""Postfix' queue: which messages there are, and the route that each of them keeps."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from duravip_mail.core.queue_file import kept_route

DEFERRED: Final = "deferred"
"""The only queue whose messages may be looked at again. One that is active may be delivered at
this moment, and would then be moved as well; one on hold was put there by an administrator."""
QUEUES: Final = (DEFERRED, "active", "incoming", "hold")
WHOLE: Final = 0o100
"""Postfix sets this bit of the mode when a queue file is complete: others are leftovers of killed
processes, or are being written."""


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """One message of this node."""

    queue_id: str
    queue: str
    route: str
    """Transport and next hop; empty: it has no Binding."""
    path: Path


class Spool:
    """Reads the queue again and again; a file whose name is known is not opened any more."""

    def __init__(self, folder: Path) -> None:
        """`folder` is Postfix' queue_directory; names of its queue files never come again."""
        self._folder = folder
        self._routes: dict[str, str] = {}

    def messages(self) -> list[QueuedMessage]:
        """All messages; one that moves meanwhile between queues may be missing, or there twice."""
        found = [
            QueuedMessage(path.name, queue, route, path)
            for queue in QUEUES
            for path in _files(self._folder / queue)
            if (route := self._route(path)) is not None
        ]
        self._routes = {message.queue_id: message.route for message in found}
        return found

    def _route(self, path: Path) -> str | None:
        """None: it is no message, or not there any more."""
        known = self._routes.get(path.name)
        if known is not None:
            return known
        try:
            with path.open("rb", buffering=0) as file:
                is_whole = os.fstat(file.fileno()).st_mode & WHOLE
                return kept_route(file) if is_whole else None
        except OSError:
            return None


def _files(folder: Path) -> Iterator[Path]:
    """The files of a queue, which may be divided into folders (hash_queue_depth)."""
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        path = folder / entry.name
        if len(entry.name) == 1:
            yield from _files(path)
        else:
            yield path
