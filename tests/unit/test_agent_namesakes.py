"""Two machines under one name: the later one finds out that it is, and ends."""

from typing import Any

from duravip_agent.core.namesakes import (
    OFTEN,
    REMEMBERED_FOR,
    SETTLE_AFTER,
    Namesakes,
    reporter_of,
)

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
