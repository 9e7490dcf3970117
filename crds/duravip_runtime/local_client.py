"""A client of the agent's local API (`local_api`), for programs that follow what it serves."""

import http.client
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, NoReturn

from duravip_runtime.local_api import (
    MAX_LINE_BYTES,
    SERVED_PATH,
    WATCH,
    ServedChange,
    ServedSnapshot,
    WireError,
    applied,
    decode,
    difference,
)
from duravip_runtime.local_endpoint import LocalEndpoint, connect

SILENCE_S: Final = 15.0
"""An agent that has sent nothing for so long is taken for dead: three lines are missing."""
PAUSE_S, MAX_PAUSE_S = 0.1, 1.0
"""Before a new connection: the first one, doubled with each that fails up to the second."""


class UnreachableError(Exception):
    """The agent does not answer, or not as it should; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Update:
    """What the node serves now, and what has changed since the last update."""

    now: ServedSnapshot
    change: ServedChange
    """Empty: the agent has said that nothing has changed."""


@dataclass(frozen=True, slots=True)
class Unreachable:
    """The agent does not answer; what it said last may still be true."""

    reason: str


class LocalClient:
    """Asks one agent. For one thread."""

    def __init__(self, where: LocalEndpoint, silence_s: float = SILENCE_S) -> None:
        self._where, self._silence_s = where, silence_s

    def served(self) -> ServedSnapshot:
        """Everything that the node serves; raises UnreachableError."""
        for line in self._lines(SERVED_PATH):
            return line if isinstance(line, ServedSnapshot) else self._fail("it is no snapshot")
        return self._fail("there is no answer")

    def watch(self) -> Iterator[Update]:
        """Everything, then each change, and that nothing has changed; raises UnreachableError.

        It has no other end. The first update has all that is served as gained.
        """
        now: ServedSnapshot | None = None
        for line in self._lines(f"{SERVED_PATH}?{WATCH}"):
            if isinstance(line, ServedSnapshot):
                if now is not None:
                    self._fail("there is a second snapshot")
                now = line
                yield Update(now, ServedChange(now.revision, tuple(now.served.values())))
            elif now is None:
                self._fail("it does not begin with a snapshot")
            else:
                try:
                    now = applied(now, line)
                except WireError as error:
                    self._fail(str(error))
                yield Update(now, line)
        self._fail("it has closed the connection")

    def _lines(self, path: str) -> Iterator[ServedSnapshot | ServedChange]:
        """What is answered, line by line."""
        connection = http.client.HTTPConnection("localhost")
        try:
            connection.sock = connect(self._where)
            connection.sock.settimeout(self._silence_s)
            connection.request("GET", path, headers={"Connection": "close"})
            response = connection.getresponse()
            if response.status != HTTPStatus.OK:
                self._fail(f"it answers {response.status} {response.reason}")
            while line := response.readline(MAX_LINE_BYTES):
                yield decode(line)
        except WireError as error:
            self._fail(str(error))
        except (OSError, http.client.HTTPException) as error:
            self._fail(getattr(error, "strerror", None) or str(error) or type(error).__name__)
        finally:
            connection.close()

    def _fail(self, why: str) -> NoReturn:
        raise UnreachableError(f"the agent at {self._where} cannot be followed: {why}")


def follow(
    client: LocalClient, sleep: Callable[[float], object] = time.sleep
) -> Iterator[Update | Unreachable]:
    """What the node serves, for ever, over as many connections as it takes.

    Changes are against the last update, also where that came over an earlier connection, or from
    an earlier run of the agent. `sleep` waits for so many seconds before a new connection.
    """
    last, pause = ServedSnapshot("", ""), PAUSE_S
    while True:
        try:
            is_first = True
            for update in client.watch():
                change = difference(last, update.now) if is_first else update.change
                is_first, last, pause = False, update.now, PAUSE_S
                yield Update(last, change)
        except UnreachableError as error:
            yield Unreachable(str(error))
        sleep(pause)
        pause = min(2 * pause, MAX_PAUSE_S)
