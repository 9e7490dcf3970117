"""Which Events wait, and in which order they are written."""

from duravip_api.reasons import MoveReason
from duravip_operator.core.event_queue import (
    GATHER_S,
    MAX_WAITING,
    EventQueue,
    InvolvedObject,
    OwnerChange,
    PendingEvent,
)
from duravip_operator.core.snapshot import VipObject

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


def test_two_objects_of_one_address_are_one_address_in_what_a_node_took() -> None:
    tidings = EventQueue()
    for _ in range(2):
        tidings.add_takeover(OwnerChange("10.1.1.20", "n2", "n1", MoveReason.NODE_LOST), 0.0)
    told = tidings.pop(9.0, may_say_all=True)
    assert told
    assert (told.message, told.kind) == ("took 1 address from n2: NodeLost: 10.1.1.20", "Warning")
