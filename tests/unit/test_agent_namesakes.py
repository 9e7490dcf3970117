"""Two machines under one name: the later one finds out that it is, and ends."""

import time
from typing import Any

import pytest

from duravip_agent.cluster import ApiError
from duravip_agent.core.namesakes import (
    OFTEN,
    REMEMBERED_FOR,
    SETTLE_AFTER,
    Namesakes,
    reporter_of,
)
from duravip_agent.events import Seen, Written
from duravip_agent.namesakes import NamesakeError
from duravip_agent.namesakes import Namesakes as Gate
from duravip_agent.reporter import Reporter

Status = dict[str, Any]


def status(boot: str, machine: str = "", reason: str = "AgentReady") -> Status:
    agent = {"version": "1", "boot": boot, **({"machine": machine} if machine else {})}
    return {"agent": agent, "conditions": [{"type": "Ready", "reason": reason}]}


def started(before: Status, machine: str = "mine") -> Namesakes:
    found = Namesakes(machine)
    found.found(before)
    assert not found.is_settled(0.0)
    found.introduced(10, 0.0)
    return found


def test_after_an_agent_of_this_machine_or_none_it_acts_at_once() -> None:
    for before in ({}, status("b1", "mine"), status("b1", "other", "AgentStopped")):
        assert started(before).is_settled(0.0)


def test_after_another_machine_it_waits_and_acts_if_that_is_silent() -> None:
    found = started(status("b1", "other"))
    assert not found.is_settled(SETTLE_AFTER - 0.1)
    assert found.is_settled(SETTLE_AFTER)
    assert not found.ends


def test_it_ends_when_the_machine_that_was_there_before_still_reports() -> None:
    for at in (0.1, 500.0):
        found = started(status("b1", "other"))
        found.seen(status("b1", "other"), 11, at)
        assert "came later" in found.ends


def test_an_agent_of_another_version_is_known_by_its_start() -> None:
    found = started(status("b1"))
    assert not found.is_settled(0.1)
    found.seen(status("b1"), 11, 0.1)
    assert found.ends


def test_what_was_written_before_its_first_report_says_nothing() -> None:
    found = started(status("b1", "other"))
    assert not found.seen(status("b1", "other"), 9, 0.1)
    assert not found.ends


def test_it_stays_and_says_so_when_another_machine_comes_later() -> None:
    found = started(status("b1", "mine"))
    assert found.seen(status("b2", "zzz"), 11, 5.0)
    assert not found.seen(status("b2", "zzz"), 12, 6.0)
    assert not found.ends
    assert "zzz" in found.said(7.0)
    assert not found.said(6.1 + REMEMBERED_FOR)


def test_its_own_reports_under_whatever_boot_are_no_news() -> None:
    found = started({})
    assert not found.seen(status("b2", "mine"), 11, 5.0)
    assert not found.said(5.0)


def test_of_two_that_both_think_that_they_were_first_one_stays() -> None:
    ends = {}
    for machine, other in (("a", "b"), ("b", "a")):
        found = started({}, machine)
        for number in range(OFTEN):
            found.seen(status("x", other), 11 + number, 1.0 + number)
        ends[machine] = bool(found.ends)
    assert ends == {"a": False, "b": True}


def test_a_status_without_an_agent_is_nobodys() -> None:
    assert reporter_of({}) is None
    assert reporter_of({"agent": {}}) is None


class Server:
    """An API server with one object, or none yet."""

    def __init__(self, body: Status | None) -> None:
        self.body = body
        self.version = 10

    def get(self) -> Status:
        if self.body is None:
            raise ApiError("there is none", 404)
        return self.body

    def patch_status(self, said: Status) -> Status:
        return self.put({**self.get()["status"], **said})

    def put(self, said: Status) -> Status:
        self.version += 1
        self.body = {"metadata": {"resourceVersion": str(self.version)}, "status": said}
        return self.body


def reporting(server: Server) -> tuple[Gate, Reporter, list[Written]]:
    gate = Gate(server, "mine")  # type: ignore[arg-type]
    written: list[Written] = []
    reporter = Reporter(gate, lambda body, at: written.append(Written(body, at)), lambda _: None)
    reporter.start()
    reporter.submit(status("b2"))
    return gate, reporter, written


def until_written(written: list[Written]) -> None:
    end = time.monotonic() + 10
    while not written:
        assert time.monotonic() < end
        time.sleep(0.005)


def test_an_object_that_comes_later_is_reported_to_and_acted_on() -> None:
    server = Server(None)
    gate, reporter, written = reporting(server)
    seen = Seen(server.put({}))
    assert gate.holds(seen)
    reporter.notice(seen.body)
    until_written(written)
    assert gate.holds(written[0])
    assert gate.released() == [seen, written[0]]
    assert not gate.holds(Seen(server.get()))
    assert server.get()["status"]["agent"] == {"version": "1", "boot": "b2", "machine": "mine"}


def test_nothing_is_acted_on_while_the_machine_before_may_live_and_never_if_it_does() -> None:
    server = Server(None)
    server.put(status("b1", "other"))
    gate, _, written = reporting(server)
    until_written(written)
    assert gate.holds(written[0])
    assert not gate.released()
    with pytest.raises(NamesakeError, match="came later"):
        gate.holds(Seen(server.put(status("b1", "other"))))
