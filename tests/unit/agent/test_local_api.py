"""The local API, asked over real sockets: what is served, what changes, and who is dropped."""

import http.client
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from duravip_agent import local_api
from duravip_agent.core.node_spec import Placement
from duravip_agent.local_api import MAX_WATCHERS, Identity, LocalApi, open_local_api
from duravip_runtime.local_api import SERVED_PATH, ServedChange, ServedSnapshot
from duravip_runtime.local_client import LocalClient, UnreachableError, Update
from duravip_runtime.local_endpoint import UnixEndpoint, connect
from unit.agent.world import A, B, C

PATIENCE_S = 30.0
WANTED = {address: Placement("eth1", 32) for address in (A, B, C)}
MANY = {
    f"10.{64 + n // 65536}.{n // 256 % 256}.{n % 256}": Placement("eth1", 32)
    for n in range(10_240)
}


class Served:
    """An agent's local API, on a socket in a folder."""

    def __init__(self, folder: Path) -> None:
        self.where = UnixEndpoint(folder / "agent.sock")
        self.api = open_local_api(str(self.where), "", lambda: Identity("n1", "boot", True))  # noqa: FBT003
        self.client = LocalClient(self.where, PATIENCE_S)

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("localhost")
        connection.sock = connect(self.where, PATIENCE_S)
        try:
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def watch(self) -> Iterator[Update]:
        """A watch whose snapshot has come: the watcher is known."""
        return self.client.watch()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path)
    made.api.start()
    yield made
    made.api.close()


def next_change(updates: Iterator[Update]) -> Update:
    return next(update for update in updates if not update.change.is_empty)


def test_what_is_served_is_told_with_its_interface(served: Served) -> None:
    served.api.update(frozenset({A, B}), WANTED)
    served.api.wait_until_notified()
    updates = served.watch()
    snapshot = next(updates).now
    while not snapshot.served:
        snapshot = next_change(updates).now
    assert (snapshot.node, snapshot.boot, snapshot.contact) == ("n1", "boot", True)
    assert {e.address: e.interface for e in snapshot.served.values()} == {A: "eth1", B: "eth1"}
    assert served.client.served().served == snapshot.served
    status, body = served.ask(f"{SERVED_PATH}/{A}")
    assert (status, json.loads(body)) == (200, snapshot.served[A]._asdict())
    assert served.ask(f"{SERVED_PATH}/{C}") == (404, f"{C} is not served here\n")


def test_changes_are_told_as_they_come_and_numbered_without_a_gap(served: Served) -> None:
    updates = served.watch()
    assert next(updates).now == ServedSnapshot("n1", "boot", 0, contact=True)
    states = ({A}, {A, B}, {B}, set(), {C})
    for state in states:
        served.api.update(frozenset(state), WANTED)
    told = [next_change(updates) for _ in states]
    assert [set(update.now.served) for update in told] == list(states)
    assert [update.now.revision for update in told] == [1, 2, 3, 4, 5]
    lost = told[2].change.lost
    assert [entry.address for entry in lost] == [A]
    assert lost[0].interface == "eth1"


def test_nothing_is_told_where_nothing_changed_or_no_place_is_known(served: Served) -> None:
    updates = served.watch()
    next(updates)
    served.api.update(frozenset({A}), {})
    served.api.update(frozenset({A}), WANTED)
    served.api.update(frozenset({A}), WANTED)
    served.api.update(frozenset({A, B}), WANTED)
    told = [next_change(updates).change for _ in range(2)]
    assert [[e.address for e in change.gained] for change in told] == [[A], [B]]


@pytest.mark.parametrize("spelled", ["FD00:0::1", "fd00%3A%3A1", "fd00:0:0:0:0:0:0:1"])
def test_an_address_may_be_spelled_in_any_way(served: Served, spelled: str) -> None:
    served.api.update(frozenset({"fd00::1"}), {"fd00::1": Placement("eth1", 128)})
    next(update for update in served.watch() if update.now.served)
    assert served.ask(f"{SERVED_PATH}/{spelled}")[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"{SERVED_PATH}/n1", 400),
        ("GET", f"{SERVED_PATH}/fe80::1%25eth0", 400),
        ("GET", f"{SERVED_PATH}?watch=1", 400),
        ("GET", f"{SERVED_PATH}/", 404),
        ("GET", "/", 404),
        ("GET", f"/a{SERVED_PATH}/{A}", 404),
        ("POST", SERVED_PATH, 405),
        ("GET", f"/{'a' * 5000}", 431),
    ],
)
def test_nonsense_is_refused(served: Served, method: str, path: str, status: int) -> None:
    assert served.ask(path, method)[0] == status


def test_a_body_is_refused(served: Served) -> None:
    assert served.ask(SERVED_PATH, "POST", **{"Content-Length": "5"})[0] == 413


def test_while_nothing_changes_the_watch_says_so(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_api, "ALIVE_EVERY_S", 0.01)
    updates = served.watch()
    served.api.update(frozenset({A}), WANTED)
    next(update for update in updates if update.now.served)
    assert [next(updates).change for _ in range(3)] == [ServedChange(1)] * 3


def raw_watch(served: Served) -> socket.socket:
    """A watcher that reads nothing but the beginning of the answer."""
    made = connect(served.where, PATIENCE_S)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    made.sendall(f"GET {SERVED_PATH}?watch=true HTTP/1.1\r\n\r\n".encode())
    assert made.recv(17) == b"HTTP/1.1 200 OK\r\n"
    return made


def test_a_slow_reader_is_dropped_and_costs_nobody_else_anything(served: Served) -> None:
    slow, updates = raw_watch(served), served.watch()
    next(updates)
    for state in (MANY, {A}):
        served.api.update(frozenset(state), {**MANY, **WANTED})
        next_change(updates)
    time.sleep(2.5)  # so slow is slow, whatever else the machine does
    read = slow.recv(1 << 20)
    while piece := slow.recv(1 << 20):
        read += piece
    slow.close()
    assert not read.endswith(b"}\n"), "it was cut off in the midst of what it did not take"


def test_ten_thousand_addresses_cost_the_loop_next_to_nothing(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_api, "SLOW_AFTER_S", PATIENCE_S)  # they are read one by one here
    watches = [served.watch() for _ in range(4)]
    for updates in watches:
        next(updates)
    began = time.thread_time()
    served.api.update(frozenset(MANY), MANY)
    assert time.thread_time() - began < 0.5  # 3 ms, and room for a busy machine
    for updates in watches:
        assert len(next_change(updates).change.gained) == len(MANY)
    assert len(served.client.served().served) == len(MANY)


def test_who_watches_is_bounded_and_single_questions_are_answered_still(served: Served) -> None:
    watches = [served.watch() for _ in range(MAX_WATCHERS)]
    for updates in watches:
        next(updates)
    assert served.ask(f"{SERVED_PATH}?watch=true")[0] == 503
    with pytest.raises(UnreachableError, match="503"):
        next(served.watch())
    assert served.ask(SERVED_PATH)[0] == 200
    watches.pop().close()  # type: ignore[attr-defined] # it is a generator
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            next(served.watch())
        except UnreachableError:
            continue
        return
    pytest.fail("the place of a watcher that has gone stays taken")


def test_a_loss_is_told_when_nobody_watches_and_when_it_is_off(tmp_path: Path) -> None:
    off = LocalApi(None, lambda: Identity("n1", "boot", False))  # noqa: FBT003
    off.start()
    off.update(frozenset({A}), WANTED)
    off.update(frozenset(), WANTED)
    assert not off.is_notifying_loss()
    off.close()
    made = Served(tmp_path)
    made.api.start()
    made.api.update(frozenset({A}), WANTED)
    made.api.update(frozenset(), WANTED)
    made.api.wait_until_notified()
    assert not made.api.is_notifying_loss()
    assert made.client.served().revision == 2
    made.api.close()


def test_a_place_that_cannot_be_had_costs_nothing_but_the_answers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "agent.sock"
    path.write_text("")
    made = open_local_api(f"unix:{path}", "", lambda: Identity("n1", "boot", False))  # noqa: FBT003
    assert "cannot ask: cannot listen on unix:/" in caplog.text
    assert "no socket" in caplog.text
    made.start()
    made.update(frozenset({A}), WANTED)
    assert not made.is_notifying_loss()
    made.close()
    assert path.read_text() == ""


def test_a_bug_of_ours_is_logged_and_made_good_by_the_next_change(
    served: Served, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(local_api, "applied", None)
        served.api.update(frozenset({A}), WANTED)
        deadline = time.monotonic() + PATIENCE_S
        while "local API: " not in caplog.text:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert "TypeError" in caplog.text
    served.api.update(frozenset({A, B}), WANTED)
    assert {A, B} == set(next(u for u in served.watch() if u.now.served).now.served)
