"""Tracks the writes of NodePlumbing specs: one at a time for each node, retried with back-off.

No node waits for another node's write, and a pass waits for the quick ones only. What an
unanswered write may grant is granted to nobody else: the API server may carry it out at any time.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple

from duravip_operator.core.snapshot import Plumbing
from duravip_operator.kube.writer import LeadershipLostError
from duravip_runtime.api_error import ApiError

log = logging.getLogger(__name__)

WAIT_FOR_WRITES_S: Final = 0.3
"""A pass waits for its writes no longer, in seconds; the next one comes when they are done."""

FIRST_BACKOFF_S: Final = 0.2
MAX_BACKOFF_S: Final = 5.0
"""Before a node whose write has failed is written to again."""

UNANSWERED_FOR_S: Final = 60.0
"""After so many seconds the API server has given up a request that it did not answer."""


class WriteAttempt(NamedTuple):
    """What a node may be granted besides what is known."""

    uid: str
    generation: int
    """Those of the object that the write is conditional on: once it has others, all is known."""
    addresses: frozenset[str]
    until: float


class SpecWrites:
    """In the asyncio thread."""

    def __init__(
        self, on_end: Callable[[], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`on_end` is called when a pass is to look at what came of a write."""
        self._on_end, self._clock = on_end, clock
        self._started: set[str] = set()
        """The nodes of those that a pass waits for."""
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._attempts: dict[str, WriteAttempt] = {}
        self._backoffs: dict[str, tuple[float, float]] = {}
        """Of the nodes whose last write failed: how long to wait, and until when."""

    def may_start(self, node: str) -> bool:
        """Whether no write of this node is under way, or has just failed."""
        _, until = self._backoffs.get(node, (0.0, 0.0))
        return node not in self._tasks and self._clock() >= until

    def start(
        self, known: Plumbing, granted: frozenset[str], write: Callable[[], Awaitable[None]]
    ) -> bool:
        """Begin to write what shall grant these; whether that may be done now."""
        node = known.node
        if not self.may_start(node):
            return False
        before = self._attempts.get(node)
        new = granted - known.granted
        if before and (before.uid, before.generation) == (known.uid, known.generation):
            new |= before.addresses
        until = self._clock() + UNANSWERED_FOR_S
        self._attempts[node] = WriteAttempt(known.uid, known.generation, new, until)
        self._started.add(node)
        self._tasks[node] = asyncio.create_task(self._run(node, write), name=f"write {node}")
        return True

    async def wait_briefly(self) -> bool:
        """Wait for what was begun since the last time, but not for long; whether all is done.

        If not, `on_end` is called when another one is.
        """
        begun = [self._tasks[node] for node in self._started if node in self._tasks]
        try:
            if begun:
                await asyncio.wait(begun, timeout=WAIT_FOR_WRITES_S)
        finally:
            self._started.clear()
        now = self._clock()
        return not self._tasks and all(now >= until for _, until in self._backoffs.values())

    def unanswered_grants(self, plumbings: Mapping[str, Plumbing]) -> Mapping[str, frozenset[str]]:
        """What each node may be granted besides what is known of it."""
        now = self._clock()
        for node, attempt in list(self._attempts.items()):
            found = plumbings.get(node)
            is_known = found and (found.uid, found.generation) != attempt[:2]
            if is_known or now >= attempt.until:
                del self._attempts[node]
        return {n: attempt.addresses for n, attempt in self._attempts.items() if attempt.addresses}

    async def _run(self, node: str, write: Callable[[], Awaitable[None]]) -> None:
        try:
            await write()
            self._backoffs.pop(node, None)
            self._attempts.pop(node, None)
        except LeadershipLostError:
            log.info("the NodePlumbing of %s is not written: this reign is over", node)
        except ApiError as error:
            self._write_failed(node, error)
        except Exception:
            log.exception("the NodePlumbing of %s was not written", node)
            self._back_off(node)
        finally:
            del self._tasks[node]
            if node not in self._started:
                self._on_end()

    def _write_failed(self, node: str, error: ApiError) -> None:
        if not error.is_transient:
            self._attempts.pop(node, None)  # it was refused
        pause = self._back_off(node)
        log.warning("cannot write the NodePlumbing of %s, again in %.1f s: %s", node, pause, error)

    def _back_off(self, node: str) -> float:
        before, _ = self._backoffs.get(node, (0.0, 0.0))
        pause = min(MAX_BACKOFF_S, max(FIRST_BACKOFF_S, 2 * before))
        self._backoffs[node] = (pause, self._clock() + pause)
        asyncio.get_running_loop().call_later(pause, self._on_end)
        return pause
