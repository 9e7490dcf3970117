"""The client of the local API, against a server that sends what it is told, and then leaves."""

import socket
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from threading import Thread

import pytest

from duravip_runtime.local_api import (
    ServedAddress,
    ServedChange,
    ServedSnapshot,
    encode_change,
    encode_snapshot,
)
from duravip_runtime.local_client import (
    MAX_PAUSE_S,
    LocalClient,
    Unreachable,
    UnreachableError,
    Update,
    follow,
)
from duravip_runtime.local_endpoint import ListeningSocket, UnixEndpoint, listen

A, B, C = (ServedAddress(f"10.1.1.{n}", "eth1", "2026-11-30T10:00:00Z") for n in (1, 2, 3))
EMPTY = ServedSnapshot("n1", "boot")
OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"


class Agent:
    """Gives each connection the next answer; asked once more, it is silent."""

    def __init__(self, folder: Path) -> None:
        self.where = UnixEndpoint(folder / "agent.sock")
        self._listening: ListeningSocket = listen(self.where)
        self._listening.socket.setblocking(True)  # noqa: FBT003
        self._threads: list[Thread] = []

    def answers(self, *answers: bytes) -> LocalClient:
        thread = Thread(target=self._answer, args=(answers,))
        thread.start()
        self._threads.append(thread)
        return LocalClient(self.where, 30.0)

    def close(self) -> None:
        for thread in self._threads:
            thread.join()
        self._listening.socket.close()

    def _answer(self, answers: tuple[bytes, ...]) -> None:
        for answer in answers:
            peer, _ = self._listening.socket.accept()
            with peer:
                peer.recv(4096)
                peer.sendall(answer)
                peer.shutdown(socket.SHUT_WR)
                peer.recv(4096)  # until it has read all, and left


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    made = Agent(tmp_path)
    yield made
    made.close()


def test_it_gives_all_that_is_served_and_then_every_change(agent: Agent) -> None:
    changes = [ServedChange(1, (A, B)), ServedChange(1), ServedChange(2, (C,), (A,))]
    lines = [encode_snapshot(EMPTY), *map(encode_change, changes)]
    updates = agent.answers(OK + b"".join(lines)).watch()
    told = list(islice(updates, 4))
    assert [update.change for update in told] == [ServedChange(0), *changes]
    assert set(told[-1].now.served) == {B.address, C.address}
    with pytest.raises(UnreachableError, match="closed the connection"):
        next(updates)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"", "cannot be followed: Remote end closed"),
        (b"SSH-2.0\r\n", "cannot be followed: .+"),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "it answers 503"),
        (OK + b"nonsense\n", "no JSON"),
        (OK + encode_snapshot(EMPTY)[:-1], "cut off"),
        (OK + encode_change(ServedChange(1, (A,))), "does not begin with a snapshot"),
        (OK + encode_snapshot(EMPTY) * 2, "a second snapshot"),
        (OK + encode_snapshot(EMPTY) + encode_change(ServedChange(2, (A,))), "revision 2 came"),
    ],
)
def test_what_is_no_answer_ends_it_with_the_reason(agent: Agent, answer: bytes, why: str) -> None:
    client = agent.answers(answer)
    with pytest.raises(UnreachableError, match=why):
        list(client.watch())


def test_one_question_is_answered_or_said_to_be_not(agent: Agent) -> None:
    assert agent.answers(OK + encode_snapshot(EMPTY)).served() == EMPTY
    for answer, why in ((OK, "no answer"), (OK + encode_change(ServedChange(1)), "no snapshot")):
        client = agent.answers(answer)
        with pytest.raises(UnreachableError, match=why):
            client.served()


def test_an_agent_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    where = UnixEndpoint(tmp_path / "agent.sock")
    silent = listen(where)
    with pytest.raises(UnreachableError, match="timed out"):
        next(LocalClient(where, silence_s=0.01).watch())
    silent.socket.close()


def test_followed_it_is_asked_again_and_only_what_differs_has_changed(agent: Agent) -> None:
    restarted = ServedSnapshot("n1", "later boot", served={B.address: B, C.address: C})
    client = agent.answers(
        OK + encode_snapshot(EMPTY) + encode_change(ServedChange(1, (A, B))),
        b"",
        OK + encode_snapshot(restarted) + encode_change(ServedChange(1, (A,))),
    )
    pauses: list[float] = []
    told = list(islice(follow(client, pauses.append), 6))
    first, gained, lost_contact, refused, again, more = told
    assert isinstance(first, Update)
    assert first.change.is_empty
    assert isinstance(gained, Update)
    assert gained.change.gained == (A, B)
    assert isinstance(lost_contact, Unreachable)
    assert isinstance(refused, Unreachable)
    assert isinstance(again, Update)
    assert again == Update(restarted, ServedChange(0, (C,), (A,)))
    assert isinstance(more, Update)
    assert more.change == ServedChange(1, (A,))
    assert pauses == [0.1, 0.2]


def test_one_that_is_not_there_is_asked_for_ever_ever_more_rarely(tmp_path: Path) -> None:
    pauses: list[float] = []
    client = LocalClient(UnixEndpoint(tmp_path / "agent.sock"))
    told = list(islice(follow(client, pauses.append), 8))
    assert all(isinstance(one, Unreachable) and "No such file" in one.reason for one in told)
    assert pauses == sorted(pauses)
    assert pauses[-1] == MAX_PAUSE_S
