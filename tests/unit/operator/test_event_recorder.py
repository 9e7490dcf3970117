"""How fast Events are written, what they look like, and who may write them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event as Flag

import pytest

from duravip_api.reasons import MoveReason, Reason
from duravip_operator.core.event_queue import InvolvedObject, PendingEvent
from duravip_operator.core.snapshot import VipObject
from duravip_operator.event_recorder import EventRecorder, TokenBucket, event
from duravip_operator.metrics import Metrics
from duravip_operator.settings import settings_from
from lab.processes import wait_for
from unit.cli.stub_api import served


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


def written(metrics: Metrics) -> float:
    """How many Events the API server has refused, as this one does with each."""
    name, labels = "duravip_operator_events_total", {"result": "400"}
    return metrics.registry.get_sample_value(name, labels) or 0.0


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Callable[[Callable[[int | None], bool]], Metrics]]:
    """Starts one that leads in epoch 1 when it is told so, and has one Event to write."""
    stopping, metrics = Flag(), Metrics("")
    file, key = tmp_path / "kubeconfig", tmp_path / "key"
    key.write_text("0123456789abcdef\n")
    options = ["--pulse-advertise=127.0.0.1:7946", f"--kubeconfig={file}"]
    with served({}, file):
        made = EventRecorder(
            settings_from([*options, f"--pulse-key-file={key}"]), metrics, stopping, lambda: True
        )

        def start(leads_in: Callable[[int | None], bool]) -> Metrics:
            made.leads_in = leads_in
            made.begin(1)
            made.start()
            made.record_for_node("n1", Reason.NODE_BACK, "heard again")
            return metrics

        yield start
        stopping.set()


def test_a_lease_that_runs_out_for_a_moment_costs_no_event(
    recorder: Callable[[Callable[[int | None], bool]], Metrics],
) -> None:
    answers = iter([False, False])
    metrics = recorder(lambda _: next(answers, True))
    wait_for(lambda: written(metrics) == 1, "it is written", 30, 0.05)
