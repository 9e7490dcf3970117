"""The reporter against an API server that is played by a few lines."""

import time
from collections.abc import Callable
from threading import Condition
from typing import Any

import pytest

from duravip_agent.control.status_writer import StatusWriter
from duravip_runtime.api_error import ApiError

Body = dict[str, Any]


class Server:
    """Stores a status, or refuses it; counts."""

    def __init__(self) -> None:
        self.changed = Condition()
        self.writes: list[Body] = []
        self.refusals: list[ApiError] = []
        self.version = 10

    def patch_status(self, status: Body) -> Body:
        with self.changed:
            try:
                if self.refusals:
                    raise self.refusals.pop(0)
                self.version += 1
                self.writes.append(status)
                return self.body(status)
            finally:
                self.changed.notify_all()

    def body(self, status: Body | None) -> Body:
        return {"metadata": {"resourceVersion": str(self.version)}, "status": status}

    def wait(self, holds: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(holds, 5)


def started(server: Server, troubles: list[ApiError] | None = None) -> StatusWriter:
    seen: list[ApiError] = [] if troubles is None else troubles
    reporter = StatusWriter(server.patch_status, lambda *_: None, seen.append)
    reporter.start()
    return reporter


def soon() -> float:
    return time.monotonic() + 5


def test_a_report_is_written_once() -> None:
    server = Server()
    reporter = started(server)
    reporter.submit({"served": ["10.1.1.1"]})
    reporter.submit({"served": ["10.1.1.1"]})
    assert reporter.wait_until_written(soon())
    reporter.observe(server.body({"served": ["10.1.1.1"]}))
    assert reporter.wait_until_written(soon())
    assert len(server.writes) == 1


def test_refusals_are_retried_and_told() -> None:
    server, troubles = Server(), list[ApiError]()
    server.refusals = [ApiError("no answer"), ApiError("busy", 429, 0.01), ApiError("broken", 500)]
    reporter = started(server, troubles)
    reporter.submit({"served": []})
    assert reporter.wait_until_written(soon())
    assert [error.status for error in troubles] == [0, 429, 500]
    assert len(server.writes) == 1


def test_a_newer_report_does_not_wait_for_the_pause_of_an_older_one() -> None:
    server = Server()
    server.refusals = [ApiError("etcdserver: request is too large", 500)]
    reporter = started(server)
    reporter.submit({"served": ["too", "many"]})
    server.wait(lambda: not server.refusals)
    reporter.submit({"served": []})
    assert reporter.wait_until_written(soon())
    assert server.writes == [{"served": []}]


def test_without_an_object_it_waits_until_there_is_one() -> None:
    server = Server()
    server.refusals = [ApiError("not found", 404)]
    reporter = started(server)
    reporter.submit({"served": []})
    server.wait(lambda: not server.refusals)
    assert reporter.wait_until_written(soon())  # there is nothing to wait for
    assert server.writes == []
    reporter.observe(server.body(None))
    server.wait(lambda: len(server.writes) == 1)


def test_a_status_that_somebody_spoilt_is_written_again() -> None:
    server = Server()
    reporter = started(server)
    reporter.submit({"served": ["10.1.1.1"]})
    assert reporter.wait_until_written(soon())
    old = server.body({"served": []})
    server.version += 1
    reporter.observe(old | {"metadata": {"resourceVersion": "1"}})
    reporter.observe(server.body({"served": []}))
    server.wait(lambda: len(server.writes) == 2)
    assert server.writes[0] == server.writes[1]


def test_a_status_that_somebody_overwrites_is_put_back_and_not_too_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("duravip_agent.control.status_writer.RESTORE_EVERY_S", 0.2)
    server = Server()
    reporter = started(server)
    reporter.submit({"served": ["10.1.1.1"]})
    assert reporter.wait_until_written(soon())
    begin = time.monotonic()
    for number in range(2, 5):
        server.version += 1
        reporter.observe(server.body({"served": []}))
        server.wait(lambda: len(server.writes) >= number)  # noqa: B023
        assert reporter.wait_until_written(soon())
    assert time.monotonic() - begin >= 0.4
