"""The agent is followed: what it says counts until it says something else."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from queue import Queue
from threading import Thread

import pytest

from duravip_mail.agent import AgentFollower
from duravip_runtime.local_api import (
    ServedAddress,
    ServedChange,
    ServedSnapshot,
    encode_change,
    encode_snapshot,
)

A, B = (ServedAddress(f"10.1.1.{n}", "eth1", "2026-11-30T10:00:00Z") for n in (1, 2))
OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
PATIENCE_S = 30.0


class Agent:
    """Gives each connection the bytes that the test puts; None ends it."""

    def __init__(self, path: Path) -> None:
        self.lines: Queue[bytes | None] = Queue()
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        Thread(target=self._run, daemon=True).start()

    def close(self) -> None:
        self.lines.put(None)
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _run(self) -> None:
        with suppress(OSError):
            while True:
                peer, _ = self._socket.accept()
                with peer:
                    peer.recv(4096)
                    while (line := self.lines.get()) is not None:
                        peer.sendall(line)


class Heard:
    """Waits for what the follower reports."""

    def __init__(self, where: str) -> None:
        self.served: Queue[tuple[frozenset[str], frozenset[str]]] = Queue()
        self.connected: Queue[bool] = Queue()
        AgentFollower(where, lambda *news: self.served.put(news), self.connected.put).start()

    def next_served(self) -> tuple[list[str], list[str]]:
        now, came = self.served.get(timeout=PATIENCE_S)
        return sorted(now), sorted(came)

    def wait_for(self, *, is_connected: bool) -> None:
        while self.connected.get(timeout=PATIENCE_S) != is_connected:
            pass


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    made = Agent(tmp_path / "agent.sock")
    yield made
    made.close()


def snapshot(boot: str, revision: int, *served: ServedAddress) -> bytes:
    entries = {entry.address: entry for entry in served}
    return OK + encode_snapshot(ServedSnapshot("n1", boot, revision, served=entries))


def test_changes_are_reported_with_what_came(agent: Agent, tmp_path: Path) -> None:
    heard = Heard(f"unix:{tmp_path}/agent.sock")
    agent.lines.put(snapshot("boot", 1, A))
    assert heard.next_served()[0] == [A.address]
    agent.lines.put(encode_change(ServedChange(2, (B,))))
    assert heard.next_served() == ([A.address, B.address], [B.address])
    agent.lines.put(encode_change(ServedChange(3, (), (A,))))
    assert heard.next_served() == ([B.address], [])


def test_an_agent_that_serves_nothing_is_reported_once(agent: Agent, tmp_path: Path) -> None:
    heard = Heard(f"unix:{tmp_path}/agent.sock")
    agent.lines.put(snapshot("boot", 0))
    assert heard.next_served() == ([], [])
    agent.lines.put(encode_change(ServedChange(0)))
    agent.lines.put(encode_change(ServedChange(1, (A,))))
    assert heard.next_served() == ([A.address], [A.address])


def test_an_agent_that_is_away_takes_nothing_away(agent: Agent, tmp_path: Path) -> None:
    heard = Heard(f"unix:{tmp_path}/agent.sock")
    agent.lines.put(snapshot("boot", 1, A))
    assert heard.next_served()[0] == [A.address]
    agent.lines.put(None)
    heard.wait_for(is_connected=False)
    assert heard.served.empty()
    agent.lines.put(snapshot("another boot", 0, B))
    assert heard.next_served() == ([B.address], [B.address])
    heard.wait_for(is_connected=True)


def test_an_agent_that_is_not_there_is_no_agent_without_addresses(tmp_path: Path) -> None:
    heard = Heard(f"unix:{tmp_path}/nobody.sock")
    heard.wait_for(is_connected=False)
    assert heard.served.empty()
