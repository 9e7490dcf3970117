"""Which Events are written, in which order, and what they look like."""

import pytest

from duravip_api.reasons import MoveReason, Reason
from duravip_operator.core.event_queue import (
    GATHER_S,
    MAX_WAITING,
    EventQueue,
    InvolvedObject,
    OwnerChange,
    PendingEvent,
)
from duravip_operator.core.snapshot import VipObject
from duravip_operator.event_recorder import TokenBucket, event

NOW, LATER = 100.0, 100.0 + GATHER_S


def vip(number: int = 1) -> InvolvedObject:
    return InvolvedObject.of(VipObject("DuraVIP", "x", f"e{number}", f"uid-{number}", ""))


def said(message: str = "it moved", of: InvolvedObject | None = None) -> PendingEvent:
    return PendingEvent(of or vip(), MoveReason.NODE_LOST, message)


def lost(number: int, owner: str = "n2") -> OwnerChange:
    return OwnerChange(f"10.1.{number // 256}.{number % 256}", "n1", owner, MoveReason.NODE_LOST)


def taken(tidings: EventQueue, now: float, *, may_say_all: bool = True) -> list[str]:
    found = []
    while told := tidings.pop(now, may_say_all=may_say_all):
        found.append(f"{told.subject.kind} {told.subject.name}: {told.message}")
    return found


def test_a_node_hears_once_of_all_that_it_took_from_another_one() -> None:
    tidings = EventQueue()
    for number in range(3413):
        tidings.add_takeover(lost(number), NOW)
    assert taken(tidings, NOW) == []
    message = "took 3413 addresses from n1: NodeLost: 10.1.0.0-10.1.13.84"
    assert taken(tidings, LATER) == [f"Node n2: {message}"]
    assert not tidings


def test_different_causes_are_different_events() -> None:
    tidings = EventQueue()
    tidings.add_takeover(OwnerChange("10.1.1.1", "", "n2", MoveReason.ELECTED), NOW)
    tidings.add_takeover(lost(1), NOW)
    assert taken(tidings, LATER) == [
        "Node n2: took 1 address: Elected: 10.1.1.1",
        "Node n2: took 1 address from n1: NodeLost: 10.1.0.1",
    ]


def test_not_every_range_is_named() -> None:
    tidings = EventQueue()
    for number in range(0, 40, 2):
        tidings.add_takeover(lost(number), NOW)
    (message,) = taken(tidings, LATER)
    assert message.endswith("10.1.0.6, 10.1.0.8 and 15 more ranges")


def test_nodes_come_before_entities_and_these_wait_for_the_statuses() -> None:
    tidings = EventQueue()
    tidings.put(said())
    tidings.put(said("nothing answers", InvolvedObject.node("n1")))
    assert taken(tidings, NOW, may_say_all=False) == ["Node n1: nothing answers"]
    assert tidings
    assert taken(tidings, NOW) == ["DuraVIP e1: it moved"]


def test_of_an_entity_the_last_word_counts() -> None:
    tidings = EventQueue()
    assert tidings.put(said("it moved to n2"))
    assert not tidings.put(said("it moved to n3"))
    assert taken(tidings, NOW) == ["DuraVIP e1: it moved to n3"]


def test_too_many_are_dropped_and_the_oldest_first() -> None:
    tidings = EventQueue()
    kept = [tidings.put(said(of=vip(number))) for number in range(MAX_WAITING + 2)]
    assert kept.count(False) == 2
    found = taken(tidings, NOW)
    assert (len(found), found[0]) == (MAX_WAITING, "DuraVIP e2: it moved")


def test_events_are_paced_after_a_burst() -> None:
    bucket = TokenBucket(10, 3, 0.0)
    assert [bucket.wait(0.0) for _ in range(4)] == [0, 0, 0, pytest.approx(0.1)]
    assert bucket.wait(60.0) == 0


def test_an_event_names_its_object_and_fits() -> None:
    subject = InvolvedObject.of(VipObject("Binding", "x", "n" * 253, "u", ""))
    body = event(PendingEvent(subject, Reason.ELECTED, "m" * 5000), "me")
    assert body["involvedObject"]["uid"] == "u"
    assert body["metadata"]["namespace"] == body["involvedObject"]["namespace"] == "x"
    assert body["reason"] == "Elected"
    assert len(body["message"]) == 1000
    assert len(body["metadata"]["generateName"]) < 240


def test_an_event_happened_when_the_status_says_so_and_not_when_its_turn_came() -> None:
    told = said()._replace(time="2026-11-29T14:57:16.803112Z")
    body = event(told, "me")
    assert body["firstTimestamp"] == body["lastTimestamp"] == "2026-11-29T14:57:16Z"


def test_an_event_of_a_node_is_where_kubectl_looks_for_it() -> None:
    body = event(PendingEvent(InvolvedObject.node("n1"), Reason.NODE_BACK, "heard again"), "me")
    assert body["metadata"]["namespace"] == "default"
    assert body["involvedObject"] == {
        "apiVersion": "v1", "kind": "Node", "name": "n1", "uid": "n1",
    }  # fmt: skip


def test_two_objects_of_one_address_are_one_address_in_what_a_node_took() -> None:
    tidings = EventQueue()
    for _ in range(2):
        tidings.add_takeover(OwnerChange("10.1.1.20", "n2", "n1", MoveReason.NODE_LOST), 0.0)
    told = tidings.pop(9.0, may_say_all=True)
    assert told
    assert (told.message, told.kind) == ("took 1 address from n2: NodeLost: 10.1.1.20", "Warning")
