"""Asks again and again whether somebody serves the addresses for which mail waits."""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from threading import Event, Thread
from typing import Final

from duravip_mail.core.routes import HAND_OVER_PORT

log = logging.getLogger(__name__)

EVERY_S: Final = 1.0
ANSWER_WITHIN_S: Final = 0.5
AT_ONCE: Final = 200
GREETING: Final = b"220"


class Reach:
    """A thread that asks. Only a mail server's greeting counts."""

    def __init__(self, sources: Sequence[str], port: int = HAND_OVER_PORT) -> None:
        """`sources` are the node's own addresses: never one of a Binding."""
        self._sources, self._port = tuple(sources), port
        self._wanted: frozenset[str] = frozenset()
        self._answering: frozenset[str] = frozenset()
        self._news = Event()

    def start(self) -> None:
        """Begin to ask."""
        Thread(target=self._run, name="reach", daemon=True).start()

    def answering(self, wanted: Iterable[str]) -> frozenset[str]:
        """Those of the addresses that answered when they were last asked; asks for them soon."""
        self._wanted = frozenset(wanted)
        if self._wanted:
            self._news.set()
        return self._answering & self._wanted

    def _run(self) -> None:
        while True:
            self._news.wait()
            self._news.clear()
            try:
                self._answering = asyncio.run(answering(self._wanted, self._sources, self._port))
            except OSError as error:  # no file descriptors are left
                log.warning("cannot ask whether others answer: %s", error)
            Event().wait(EVERY_S)


async def answering(
    addresses: Iterable[str], sources: Sequence[str], port: int = HAND_OVER_PORT
) -> frozenset[str]:
    """Those of the addresses at which a mail server greets, asked from an own address."""
    limit = asyncio.Semaphore(AT_ONCE)

    async def ask(address: str) -> bool:
        source = next((s for s in sources if (":" in s) == (":" in address)), None)
        if source is None:
            return False
        async with limit:
            try:
                async with asyncio.timeout(ANSWER_WITHIN_S):
                    return await _greets(address, source, port)
            except (OSError, TimeoutError):
                return False

    listed = list(addresses)
    answers = await asyncio.gather(*map(ask, listed))
    return frozenset(a for a, answer in zip(listed, answers, strict=True) if answer)


async def _greets(address: str, source: str, port: int) -> bool:
    reader, writer = await asyncio.open_connection(address, port, local_addr=(source, 0))
    try:
        return (await reader.read(len(GREETING))) == GREETING
    finally:
        writer.close()
