"""Those who look at the page: what waits to be sent to each, within bounds.

What is sent is the same for all, and is kept once. A viewer that does not keep up is dropped: its
browser asks again, and gets the whole, which is less than what would have waited for it.
"""

import asyncio
from collections import deque
from typing import Final

MAX_VIEWERS: Final = 16
MAX_WAITING_BYTES: Final = 8 * 1024 * 1024
"""What may wait for one viewer: more than the whole of ten thousand addresses."""


class Viewer:
    """What waits for one of them."""

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._has_news = asyncio.Event()
        self._has_begun = self._is_dropped = False

    def begin(self) -> None:
        """It gets the whole now, and what is put from now on."""
        self._has_begun = True

    def put(self, message: bytes) -> None:
        """Send it later; too much drops the viewer."""
        if not self._has_begun:
            return
        self._bytes += len(message)
        if self._bytes > MAX_WAITING_BYTES:
            self._is_dropped = True
            self._waiting.clear()
        else:
            self._waiting.append(message)
        self._has_news.set()

    async def next(self) -> bytes | None:
        """The next message; None: it was dropped."""
        while not self._waiting and not self._is_dropped:
            self._has_news.clear()
            await self._has_news.wait()
        if self._is_dropped:
            return None
        message = self._waiting.popleft()
        self._bytes -= len(message)
        return message


class Viewers:
    """All of them."""

    def __init__(self) -> None:
        self._there: set[Viewer] = set()

    def __len__(self) -> int:
        return len(self._there)

    @property
    def is_full(self) -> bool:
        """Whether no more are let in."""
        return len(self._there) >= MAX_VIEWERS

    def join(self) -> Viewer:
        """One more, who gets what is broadcast from now on."""
        viewer = Viewer()
        self._there.add(viewer)
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """It has gone."""
        self._there.discard(viewer)

    def broadcast(self, message: bytes) -> None:
        """Send it to all; nothing if it is empty."""
        if message:
            for viewer in self._there:
                viewer.put(message)
