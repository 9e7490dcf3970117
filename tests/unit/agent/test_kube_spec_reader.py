"""The object is read when an answer names a newer spec, unless the watch has brought that."""

import queue
from collections.abc import Callable
from typing import Any

import pytest

from duravip_agent.control.kube import SpecReader
from duravip_agent.events import Inbox, ObjectSeen

Body = dict[str, Any]


def body(version: int, generation: int, epoch: int = 1) -> Body:
    metadata = {"uid": "u", "resourceVersion": str(version), "generation": generation}
    return {"metadata": metadata, "spec": {"epoch": epoch}}


class Cluster:
    """Gives the object, and has the watch bring another one just before that is asked for."""

    def __init__(self) -> None:
        self.asked: queue.Queue[str] = queue.Queue()

    def watch(self, *_: object) -> Callable[[], None]:
        return lambda: None

    def get(self) -> Body:
        self.asked.put("get")
        return body(9, 2)


@pytest.mark.parametrize(
    ("brought", "is_read"), [(body(8, 1), True), (body(8, 2), False)], ids=["own status", "spec"]
)
def test_only_another_spec_spares_the_question(
    brought: Body, is_read: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster, inbox = Cluster(), Inbox()
    reader = SpecReader(cluster, inbox)  # type: ignore[arg-type]
    reader.on_object(body(7, 1))
    monkeypatch.setattr(
        "duravip_agent.control.kube.time.sleep", lambda _: reader.on_object(brought)
    )
    reader.start()
    reader.read_soon()
    try:
        cluster.asked.get(timeout=5 if is_read else 0.3)
        assert is_read
    except queue.Empty:
        assert not is_read
    assert isinstance(inbox.get(timeout=5), ObjectSeen)
