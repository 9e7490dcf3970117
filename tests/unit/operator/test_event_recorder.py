"""How fast Events are written, and what they look like."""

import pytest

from duravip_api.reasons import MoveReason, Reason
from duravip_operator.core.event_queue import InvolvedObject, PendingEvent
from duravip_operator.core.snapshot import VipObject
from duravip_operator.event_recorder import TokenBucket, event


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
    vip = VipObject("DuraVIP", "x", "e1", "uid-1", "")
    time = "2026-11-29T14:57:16.803112Z"
    told = PendingEvent(InvolvedObject.of(vip), MoveReason.NODE_LOST, "it moved", time=time)
    body = event(told, "me")
    assert body["firstTimestamp"] == body["lastTimestamp"] == "2026-11-29T14:57:16Z"


def test_an_event_of_a_node_is_where_kubectl_looks_for_it() -> None:
    body = event(PendingEvent(InvolvedObject.node("n1"), Reason.NODE_BACK, "heard again"), "me")
    assert body["metadata"]["namespace"] == "default"
    assert body["involvedObject"] == {
        "apiVersion": "v1", "kind": "Node", "name": "n1", "uid": "n1",
    }  # fmt: skip


def test_an_event_of_a_service_is_in_its_namespace() -> None:
    about = InvolvedObject.service("shop", "web", "u1")
    body = event(PendingEvent(about, Reason.ADDRESS_ASSIGNED, "10.1.1.5"), "me")
    assert body["metadata"]["namespace"] == "shop"
    assert body["involvedObject"] == {
        "apiVersion": "v1", "kind": "Service", "namespace": "shop", "name": "web", "uid": "u1",
    }  # fmt: skip
