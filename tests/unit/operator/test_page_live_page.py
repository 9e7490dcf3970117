"""The live page's port: what it answers to whom, and what it costs."""

import contextlib
import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from duravip_operator.page.live_page import LivePage
from duravip_operator.page.viewers import MAX_VIEWERS
from duravip_runtime.settings import SettingsError
from unit.operator.page_world import PageWorld, owned

TIMEOUT_S = 30


@pytest.fixture
def world() -> PageWorld:
    return PageWorld()


@pytest.fixture
def page(world: PageWorld) -> Iterator[LivePage]:
    page = LivePage("127.0.0.1:0", world)
    page.start()
    yield page
    page.stop()


Answer = tuple[int, dict[str, str], str]


def asked(page: LivePage, path: str, method: str = "GET", **headers: str) -> Answer:
    """Status, headers and body."""
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=TIMEOUT_S)
    with contextlib.closing(connection):
        connection.request(
            method, path, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )
        answer = connection.getresponse()
        return (
            answer.status,
            {k.lower(): v for k, v in answer.getheaders()},
            answer.read().decode(),
        )


class Looking:
    """A browser's stream."""

    def __init__(self, page: LivePage) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=TIMEOUT_S)
        self._connection.request("GET", "/events")
        self.answer = self._connection.getresponse()

    def next(self) -> dict[str, Any]:
        """The next message."""
        while True:
            line = self.answer.readline()
            if not line:
                raise EOFError
            if line.startswith(b"data: "):
                found: dict[str, Any] = json.loads(line[6:])
                return found

    def until(self, wanted: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        """The first message of which this is true."""
        while not wanted(found := self.next()):
            pass
        return found

    def close(self) -> None:
        self.answer.close()
        self._connection.close()


@contextlib.contextmanager
def looking(page: LivePage) -> Iterator[Looking]:
    found = Looking(page)
    try:
        yield found
    finally:
        found.close()


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + TIMEOUT_S
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_the_page_is_there_with_a_policy_that_runs_no_script_but_its_own(page: LivePage) -> None:
    status, headers, body = asked(page, "/")
    assert status == 200
    assert headers["content-type"].startswith("text/html")
    assert (
        "default-src 'none'; script-src 'self'; style-src 'self'"
        in headers["content-security-policy"]
    )
    assert headers["x-content-type-options"] == "nosniff"
    assert "<script>" not in body
    assert " style=" not in body
    assert "http://" not in body.replace("http://www.w3.org/", "")
    assert "https://" not in body


def test_nothing_but_its_own_files_is_answered(page: LivePage) -> None:
    assert asked(page, "/../live_page.py")[0] == 404
    assert asked(page, "/static/index.html")[0] == 404
    assert asked(page, "/", "POST")[0] == 405
    assert asked(page, "/", "HEAD")[0] == 405


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("localhost:9482", 200),
        ("127.0.0.1:9482", 200),
        ("[::1]:9482", 200),
        ("[::1]", 200),
        ("attacker.example", 421),
        ("attacker.example:9482", 421),
        ("localhost.attacker.example", 421),
        ("127.0.0.1.attacker.example:80", 421),
        ("", 421),
    ],
)
def test_a_name_that_may_be_a_trick_is_refused(page: LivePage, host: str, status: int) -> None:
    assert asked(page, "/", Host=host)[0] == status


def test_another_site_cannot_open_the_stream(page: LivePage) -> None:
    assert asked(page, "/events", Sec_Fetch_Site="cross-site")[0] == 403


def test_a_viewer_gets_the_whole_and_then_what_changes(page: LivePage, world: PageWorld) -> None:
    with looking(page) as stream:
        assert stream.answer.getheader("Content-Type") == "text/event-stream"
        assert stream.next()["begin"]
        assert len(stream.until(lambda m: "rows" in m)["rows"]) == 3
        stream.until(lambda m: "end" in m)
        world.put(owned(1, "n3"))
        assert stream.until(lambda m: "rows" in m)["rows"][0]["owner"] == "n3"
        world.silence("n2")
        assert stream.until(lambda m: "nodes" in m)["nodes"][0]["state"] == "silent"
        tick = stream.until(lambda m: "heard" in m)
        assert tick == {"heard": {"n1": 0.05, "n2": 0.05, "n3": 0.05}, "apiMs": 4}
        assert world.asked


def test_while_nobody_looks_nothing_is_looked_at(page: LivePage, world: PageWorld) -> None:
    assert asked(page, "/")[0] == 200
    assert world.looks == 0
    with looking(page) as stream:
        stream.until(lambda m: "end" in m)
    with looking(page) as stream:  # whoever has gone is known to have by the next message
        stream.until(lambda m: "end" in m)

    def rests() -> bool:
        looks = world.looks
        time.sleep(0.5)
        return world.looks == looks

    wait_until(rests)


def test_rows_wait_for_an_urgent_write_and_nodes_do_not(page: LivePage, world: PageWorld) -> None:
    with looking(page) as stream:
        stream.until(lambda m: "end" in m)
        world.busy = True
        world.silence("n2")
        world.put(owned(1, "n3"))
        assert "rows" not in stream.until(lambda m: "nodes" in m)
        world.busy = False
        stream.until(lambda m: "rows" in m)


def test_an_api_server_that_is_away_does_not_freeze_the_page(
    page: LivePage, world: PageWorld
) -> None:
    world.busy = True
    with looking(page) as stream:
        stream.until(lambda m: "end" in m)


def test_so_many_may_look_and_others_are_told_so(page: LivePage) -> None:
    with contextlib.ExitStack() as crowd:
        for _ in range(MAX_VIEWERS):
            crowd.enter_context(looking(page)).until(lambda m: "end" in m)
        status, _, body = asked(page, "/events")
        assert (status, body) == (200, 'data: {"full":16}\n\n')
        assert asked(page, "/")[0] == 200

    def has_room() -> bool:
        with looking(page) as stream:
            return "begin" in stream.next()

    wait_until(has_room)


def test_a_head_that_is_too_large_is_refused(page: LivePage) -> None:
    assert asked(page, "/", Cookie="x" * 20_000)[0] == 431


def test_a_bug_costs_one_look_and_not_the_stream(
    page: LivePage, world: PageWorld, caplog: pytest.LogCaptureFixture
) -> None:
    with looking(page) as stream:
        stream.until(lambda m: "end" in m)
        world.vips["bad"] = None  # type: ignore[assignment] # as only a bug makes it
        wait_until(lambda: "was not brought up to date" in caplog.text)
        del world.vips["bad"]
        world.put(owned(1, "n3"))
        stream.until(lambda m: "rows" in m)


def test_a_port_that_is_taken_ends_the_start_with_one_line(world: PageWorld) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(SettingsError, match=f"--page-listen: cannot listen on {where}: "):
            LivePage(where, world)


def test_without_a_port_nothing_is_started(world: PageWorld) -> None:
    page = LivePage(None, world)
    page.start()
    page.stop()
    assert not hasattr(page, "port")
