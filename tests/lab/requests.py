"""HTTP requests from a machine at a fixed pace, each on a connection of its own.

    python -m lab.requests URL EVERY PATIENCE RESULT     until SIGTERM

A request is begun on time whether or not those before it were answered, as by many clients.
"""

import asyncio
import json
import signal
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count, pairwise
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

from lab.errors import LabError
from lab.machines import Machine
from lab.processes import wait_for

TESTS: Final = Path(__file__).parents[1]
END: Final = b"\r\n\r\n"
PATIENCE: Final = 30.0
_NUMBERS = count()


@dataclass(frozen=True, slots=True)
class Request:
    """One request; times are those of time.monotonic()."""

    began: float
    ended: float
    answer: str
    """The body; empty: there was none in time."""


class Requests:
    """`with` it, something happens; after it, `made` holds what was asked and answered."""

    def __init__(self, machine: Machine, url: str, every: float, timeout: float = 1.0) -> None:
        self._machine = machine
        self._plan = [url, str(every), str(timeout)]
        self.made: tuple[Request, ...] = ()

    def __enter__(self) -> Self:
        self._result = self._machine.folder / f"requests-{next(_NUMBERS)}.json"
        argv = [sys.executable, "-m", "lab.requests", *self._plan, str(self._result)]
        log = self._result.with_suffix(".log")
        self._process = self._machine.spawn(argv, log, {"PYTHONPATH": str(TESTS)})
        wait_for(lambda: "started" in self._process.output(), "requests are made", PATIENCE)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        if self._process.wait(timeout=PATIENCE) and kind is None:
            raise LabError(f"the requests failed: {self._process.output()}")
        if kind is None:
            self.made = read(self._result.read_text())

    @property
    def failed(self) -> tuple[Request, ...]:
        """Those without an answer."""
        return failures(self.made)


def read(result: str) -> tuple[Request, ...]:
    """The requests that RESULT tells of, in the order in which they were begun."""
    return tuple(Request(*row) for row in sorted(json.loads(result)))


def failures(made: Iterable[Request]) -> tuple[Request, ...]:
    """Those without an answer."""
    return tuple(request for request in made if not request.answer)


def longest_gap(made: Iterable[Request]) -> float:
    """The longest time between the begins of two requests that were answered, in seconds."""
    times = [request.began for request in made if request.answer]
    return max(later - one for one, later in pairwise(times))


async def _ask(url: str, patience: float, made: list[tuple[float, float, str]]) -> None:
    began, answer = time.monotonic(), ""
    try:
        async with asyncio.timeout(patience):
            answer = await _fetch(url)
    except OSError:  # also a time-out
        answer = ""
    made.append((began, time.monotonic(), answer))


async def _fetch(url: str) -> str:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
    try:
        writer.write(f"GET {parts.path or '/'} HTTP/1.0\r\nHost: {parts.netloc}\r\n\r\n".encode())
        content = await reader.read()
    finally:
        writer.transport.abort()
    return content.partition(END)[2].decode().strip()


async def _make(url: str, every: float, patience: float) -> list[tuple[float, float, str]]:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    made: list[tuple[float, float, str]] = []
    due = time.monotonic()
    print("started", flush=True)
    async with asyncio.TaskGroup() as group:
        while not ended.is_set():
            group.create_task(_ask(url, patience, made))
            due += every
            await asyncio.sleep(max(0.0, due - time.monotonic()))
    return made


def main() -> None:
    """Ask until SIGTERM, then write what came of it."""
    url, every, patience, result = sys.argv[1:]
    made = asyncio.run(_make(url, float(every), float(patience)))
    Path(result).write_text(json.dumps(made))


if __name__ == "__main__":
    main()
