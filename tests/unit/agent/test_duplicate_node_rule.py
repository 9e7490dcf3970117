"""Two machines under one name: the later one finds out that it is, and ends."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from duravip_agent.control.duplicate_node_guard import DuplicateNodeError
from duravip_agent.control.duplicate_node_guard import DuplicateNodeGuard as Gate
from duravip_agent.control.status_writer import StatusWriter
from duravip_agent.core import duplicate_node_rule
from duravip_agent.core.duplicate_node_rule import (
    FREQUENT_WRITES,
    REMEMBERED_FOR_S,
    SETTLE_AFTER_S,
    DuplicateNodeRule,
    author_of,
)
from duravip_agent.events import ObjectSeen, StatusWritten
from duravip_runtime.api_error import ApiError

Status = dict[str, Any]


def status(boot: str, machine: str = "", reason: str = "AgentReady") -> Status:
    agent = {"version": "1", "boot": boot, **({"machine": machine} if machine else {})}
    return {"agent": agent, "conditions": [{"type": "Ready", "reason": reason}]}


def started(before: Status, machine: str = "mine") -> DuplicateNodeRule:
    found = DuplicateNodeRule(machine)
    found.set_previous(before)
    assert not found.is_settled(0.0)
    found.first_report_stored(10, 0.0)
    return found


def test_after_an_agent_of_this_machine_or_none_it_acts_at_once() -> None:
    for before in ({}, status("b1", "mine"), status("b1", "other", "AgentStopped")):
        assert started(before).is_settled(0.0)


def test_after_another_machine_it_waits_and_acts_if_that_is_silent() -> None:
    found = started(status("b1", "other"))
    assert not found.is_settled(SETTLE_AFTER_S - 0.1)
    assert found.is_settled(SETTLE_AFTER_S)
    assert not found.ends


def test_it_ends_when_the_machine_that_was_there_before_still_reports() -> None:
    for at in (0.1, 500.0):
        found = started(status("b1", "other"))
        found.observe(status("b1", "other"), 11, at)
        assert "came later" in found.ends


def test_an_agent_of_another_version_is_known_by_its_start() -> None:
    found = started(status("b1"))
    assert not found.is_settled(0.1)
    found.observe(status("b1"), 11, 0.1)
    assert found.ends


def test_what_was_written_before_its_first_report_says_nothing() -> None:
    found = started(status("b1", "other"))
    assert not found.observe(status("b1", "other"), 9, 0.1)
    assert not found.ends


def test_it_stays_and_says_so_when_another_machine_comes_later() -> None:
    found = started(status("b1", "mine"))
    assert found.observe(status("b2", "zzz"), 11, 5.0)
    assert not found.observe(status("b2", "zzz"), 12, 6.0)
    assert not found.ends
    assert "zzz" in found.message(7.0)
    assert not found.message(6.1 + REMEMBERED_FOR_S)


def test_its_own_reports_under_whatever_boot_are_no_news() -> None:
    found = started({})
    assert not found.observe(status("b2", "mine"), 11, 5.0)
    assert not found.message(5.0)


def test_of_two_that_both_think_that_they_were_first_one_stays() -> None:
    ends = {}
    for machine, other in (("a", "b"), ("b", "a")):
        found = started({}, machine)
        for number in range(FREQUENT_WRITES):
            found.observe(status("x", other), 11 + number, 1.0 + number)
        ends[machine] = bool(found.ends)
    assert ends == {"a": False, "b": True}


def test_a_status_without_an_agent_is_nobodys() -> None:
    assert author_of({}) is None
    assert author_of({"agent": {}}) is None


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
        before = self.get()["status"]
        agent = {**before.get("agent", {}), **said.get("agent", {})}
        return self.put({**before, **said, "agent": agent})

    def put(self, said: Status) -> Status:
        self.version += 1
        self.body = {"metadata": {"resourceVersion": str(self.version)}, "status": said}
        return self.body


def reporting(server: Server) -> tuple[Gate, StatusWriter, list[StatusWritten]]:
    gate = Gate(server, "mine")  # type: ignore[arg-type]
    written: list[StatusWritten] = []
    reporter = StatusWriter(
        gate.patch_status, lambda body, at: written.append(StatusWritten(body, at)), lambda _: None
    )
    reporter.start()
    reporter.submit(status("b2"))
    return gate, reporter, written


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def until_written(written: list[StatusWritten]) -> None:
    until(lambda: bool(written))


def test_an_object_that_comes_later_is_reported_to_and_acted_on() -> None:
    server = Server(None)
    gate, reporter, written = reporting(server)
    seen = ObjectSeen(server.put({}))
    assert gate.holds_back(seen)
    reporter.observe(seen.body)
    until_written(written)
    assert gate.holds_back(written[0])
    assert gate.release() == [seen, written[0]]
    assert not gate.holds_back(ObjectSeen(server.get()))
    assert server.get()["status"]["agent"] == {"version": "1", "boot": "b2", "machine": "mine"}


def test_it_knocks_and_leaves_the_rest_of_the_others_status_as_it_is() -> None:
    server = Server(None)
    server.put({**status("b1", "other"), "served": ["10.1.1.1"]})
    gate, _, written = reporting(server)
    until(lambda: server.version == 12)
    assert server.get()["status"] == {**status("b1", "mine?"), "served": ["10.1.1.1"]}
    with pytest.raises(DuplicateNodeError, match="came later"):
        gate.holds_back(ObjectSeen(server.put(status("b1", "other"))))
    assert not written


def test_it_reports_once_the_machine_before_has_not_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(duplicate_node_rule, "SETTLE_AFTER_S", 0.2)
    server = Server(None)
    server.put(status("b1", "other"))
    gate, _, written = reporting(server)
    until_written(written)
    assert server.version == 13
    assert server.get()["status"]["agent"] == {"version": "1", "boot": "b2", "machine": "mine"}
    assert not gate.holds_back(written[0])


def test_a_knock_that_the_api_server_has_stored_and_not_confirmed_is_no_report() -> None:
    found = started(status("b1", "mine?"))
    assert not found.is_settled(SETTLE_AFTER_S - 0.1)
    assert not found.observe(status("b1", "mine?"), 11, 0.1)
    found.observe(status("b1", "other"), 12, 0.2)
    assert found.ends


def test_who_knocks_is_named_as_the_machine_that_it_is() -> None:
    found = started({})
    assert found.observe(status("b1", "zzz?"), 11, 5.0)
    assert "node's name: zzz; this one is mine" in found.message(6.0)
    assert not found.ends
