"""The caches: several sources tell of the same object, in any order."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from duravip_api import DRAINED, EXCLUDE_LABEL
from duravip_operator.core.snapshot import Plumbing
from duravip_operator.watch import store as caches
from duravip_operator.watch.store import Kind, Store

Body = dict[str, Any]


def direct(call: Callable[..., object], *args: object) -> None:
    call(*args)


class Told:
    """Caches, and how often they said that something has changed."""

    def __init__(self) -> None:
        self.changes = 0
        self.server: dict[str, Body] = {}
        self.caches = Store(self._changed, self.server.get, direct)

    def _changed(self) -> None:
        self.changes += 1

    def sweep(self, kind: Kind, *bodies: Body) -> None:
        before = self.caches.snapshot_versions(kind)
        self.caches.replace_all(kind, before, seen(kind, before, *bodies))

    def address(self) -> str | None:
        return next((e.address for e in self.caches.vips.values()), None)


def seen(kind: Kind, before: Mapping[str, Any], *bodies: Body) -> list[caches.Observation]:
    found = (caches.observe_unchanged(kind, b, before) or caches.observe(kind, b) for b in bodies)
    return [sighting for sighting in found if sighting]


def vip(version: int, address: str = "10.1.1.1", uid: str = "u") -> Body:
    metadata = {"name": "a", "namespace": "x", "uid": uid, "resourceVersion": str(version)}
    return {"metadata": metadata, "spec": {"address": address}}


def plumbing(version: int, uid: str = "u", epoch: int = 1) -> Body:
    metadata = {"name": "n1", "uid": uid, "resourceVersion": str(version), "generation": version}
    return {"metadata": metadata, "spec": {"epoch": epoch}}


@pytest.fixture
def told() -> Told:
    return Told()


def test_an_object_is_there_from_its_first_event_to_its_deletion(told: Told) -> None:
    told.caches.put("DuraVIP", vip(1))
    assert told.address() == "10.1.1.1"
    told.caches.remove("DuraVIP", vip(2))
    assert told.caches.vips == {}
    assert told.changes == 2


def test_what_changes_nothing_for_us_wakes_nobody(told: Told) -> None:
    told.caches.put("DuraVIP", vip(1))
    before = told.caches.vips["u"]
    told.caches.put("DuraVIP", vip(2))
    assert told.caches.vips["u"] is before
    told.caches.put("DuraVIP", vip(3) | {"status": {"owner": "n1"}})
    assert told.caches.vips["u"].status == {"owner": "n1"}
    assert told.changes == 1


def test_a_move_is_told_when_a_status_tells_of_another_one() -> None:
    told = Told()
    heard: list[object] = []
    told.caches.on_move = lambda moved: heard.append(moved.status["lastMove"]["to"])
    first, then = ({"lastMove": {"to": node, "time": node}} for node in ("n1", "n2"))
    told.caches.put("DuraVIP", vip(1) | {"status": first})
    assert heard == []  # what is listed at the start happened before
    told.caches.put("DuraVIP", vip(2) | {"status": then})
    told.caches.put("DuraVIP", vip(3) | {"status": then | {"flags": "-"}})
    assert heard == ["n2"]


def test_services_are_told_of_statuses_of_generated_objects_alone(told: Told) -> None:
    heard: list[int] = []
    told.caches.on_vip_change = lambda: heard.append(1)
    told.caches.put("DuraVIP", vip(1))
    assert len(heard) == 1
    told.caches.put("DuraVIP", vip(2) | {"status": {"owner": "n1"}})
    assert len(heard) == 1
    owner = {"apiVersion": "v1", "kind": "Service", "name": "web", "uid": "s"}
    made = vip(3, uid="v")
    made["metadata"] |= {"labels": {"duravip.io/service": "web"}, "ownerReferences": [owner]}
    told.caches.put("DuraVIP", made)
    told.caches.put("DuraVIP", made | {"status": {"owner": "n1"}})
    assert len(heard) == 3
    told.caches.remove("DuraVIP", vip(4))
    assert len(heard) == 4
    told.caches.put("NodePlumbing", plumbing(5))
    assert len(heard) == 4


def test_an_older_version_is_not_taken(told: Told) -> None:
    told.caches.put("DuraVIP", vip(9, "10.1.1.9"))
    told.caches.put("DuraVIP", vip(10, "10.1.1.10"))
    told.caches.put("DuraVIP", vip(9, "10.1.1.9"))
    assert told.address() == "10.1.1.10"


def test_versions_that_are_no_numbers_are_taken_as_they_come(told: Told) -> None:
    for version, address in (("b", "10.1.1.1"), ("a", "10.1.1.2")):
        body = vip(1, address)
        body["metadata"]["resourceVersion"] = version
        told.caches.put("DuraVIP", body)
    assert told.address() == "10.1.1.2"


def test_what_was_deleted_does_not_come_back_by_a_late_answer(told: Told) -> None:
    told.caches.put("NodePlumbing", plumbing(1))
    told.caches.remove("NodePlumbing", plumbing(2))
    told.caches.apply_own_write(Plumbing("n1", uid="u", resource_version="3"))
    assert told.caches.plumbings == {}
    told.caches.put("NodePlumbing", plumbing(4, uid="another"))
    assert told.caches.plumbings["n1"].uid == "another"


def test_of_our_own_write_the_status_is_what_a_watch_has_told(told: Told) -> None:
    served = {"status": {"served": ["10.1.1.1"]}}
    told.caches.put("NodePlumbing", plumbing(1))
    before = told.caches.plumbings["n1"]
    told.caches.put("NodePlumbing", plumbing(2) | served)
    told.caches.apply_own_write(replace(before, resource_version="3", generation=3, epoch=5))
    adopted = told.caches.plumbings["n1"]
    assert (adopted.epoch, adopted.served) == (5, {"10.1.1.1"})
    told.caches.put("NodePlumbing", plumbing(3, epoch=5))
    assert told.caches.plumbings["n1"].served == set()


def test_our_own_write_that_the_watch_has_told_of_already_changes_nothing(told: Told) -> None:
    told.caches.put("NodePlumbing", plumbing(1))
    before = told.caches.plumbings["n1"]
    told.caches.put("NodePlumbing", plumbing(3) | {"status": {"served": ["10.1.1.1"]}})
    told.caches.apply_own_write(replace(before, resource_version="3", generation=3))
    assert told.caches.plumbings["n1"].served == {"10.1.1.1"}


def test_the_end_of_an_earlier_object_does_not_end_its_successor(told: Told) -> None:
    told.caches.put("NodePlumbing", plumbing(5, uid="new"))
    told.caches.remove("NodePlumbing", plumbing(4, uid="old"))
    assert "n1" in told.caches.plumbings


def test_caches_are_warm_when_every_kind_was_listed_once(told: Told) -> None:
    for kind in caches.KINDS:
        assert not told.caches.has_synced
        assert told.caches.highest_epoch is None
        told.sweep(kind)
    assert told.caches.has_synced
    assert told.caches.highest_epoch == 0
    told.caches.put("NodePlumbing", plumbing(1, epoch=7))
    assert told.caches.highest_epoch == 7


def test_a_sweep_finds_what_no_event_has_told(told: Told) -> None:
    told.caches.put("DuraVIP", vip(1))
    told.sweep("DuraVIP")
    assert told.caches.vips == {}
    told.sweep("DuraVIP", vip(2, "10.1.1.2", uid="v"))
    assert told.address() == "10.1.1.2"


def test_a_sweep_does_not_undo_what_came_while_it_read(told: Told) -> None:
    told.caches.put("DuraVIP", vip(5))
    before = told.caches.snapshot_versions("DuraVIP")
    told.caches.put("DuraVIP", vip(7, "10.1.1.7"))
    told.caches.put("DuraVIP", vip(8, "10.1.1.8", uid="new"))
    told.caches.replace_all("DuraVIP", before, seen("DuraVIP", before, vip(6, "10.1.1.6")))
    assert {e.address for e in told.caches.vips.values()} == {"10.1.1.7", "10.1.1.8"}
    before = told.caches.snapshot_versions("DuraVIP")
    told.caches.remove("DuraVIP", vip(9))
    told.caches.replace_all("DuraVIP", before, seen("DuraVIP", {}, vip(7)))
    assert "u" not in told.caches.vips


def test_a_sweep_is_believed_when_versions_went_backwards(told: Told) -> None:
    told.caches.put("DuraVIP", vip(500, "10.1.1.5"))
    told.sweep("DuraVIP", vip(20, "10.1.1.2"))
    assert told.address() == "10.1.1.2"
    told.caches.put("DuraVIP", vip(21, "10.1.1.3"))
    assert told.address() == "10.1.1.3"


def test_a_sweep_of_bindings_leaves_the_duravips_alone(told: Told) -> None:
    told.caches.put("DuraVIP", vip(1))
    told.sweep("Binding")
    assert "u" in told.caches.vips


def test_a_plumbing_that_is_read_again_is_taken_or_dropped(told: Told) -> None:
    told.caches.put("NodePlumbing", plumbing(1))
    told.server["n1"] = plumbing(2, epoch=9)
    told.caches.reread("n1")
    assert told.caches.plumbings["n1"].epoch == 9
    del told.server["n1"]
    told.caches.reread("n1")
    assert told.caches.plumbings == {}


@pytest.mark.parametrize("kind", caches.KINDS)
@pytest.mark.parametrize("spec", [{}, {"address": 7}, {"cidr": "x"}, {"interfaces": "all"}])
def test_a_body_of_any_form_costs_nobody_anything(told: Told, kind: Kind, spec: Body) -> None:
    told.caches.put(kind, {})
    told.caches.put(kind, {"metadata": None, "spec": spec})
    metadata = {"name": "a", "uid": "u", "resourceVersion": "1"}
    told.caches.put(kind, {"metadata": metadata, "spec": spec})
    assert told.changes == 1


def test_the_label_that_takes_a_node_out_can_be_ignored_but_for_a_drain() -> None:
    def node(version: int, value: str) -> Body:
        labels = {EXCLUDE_LABEL: value, "rack": "a"}
        return {"metadata": {"name": "n1", "resourceVersion": str(version), "labels": labels}}

    def excluded(*, ignore: bool, value: str) -> bool:
        found = Store(lambda: None, lambda _: None, direct, ignore_exclude_label=ignore)
        found.put("Node", node(1, value))
        assert found.nodes["n1"].labels["rack"] == "a"
        return found.nodes["n1"].excluded

    assert excluded(ignore=False, value="")
    assert not excluded(ignore=True, value="")
    assert excluded(ignore=True, value=DRAINED)


def reported(version: int, *served: str, **more: Any) -> Body:
    """n1's NodePlumbing, with what its agent has reported under generation 1."""
    body = plumbing(version)
    body["metadata"]["generation"] = 1
    return body | {"status": {"observedGeneration": 1, "served": [*served], **more}}


@pytest.mark.parametrize(
    ("kind", "before", "after", "waits"),
    [
        ("DuraVIP", None, vip(1), True),
        ("DuraVIP", vip(1), vip(2, "10.1.1.2"), True),
        ("NodePlumbing", reported(1), reported(2, "10.1.1.1"), True),
        ("NodePlumbing", reported(1, "10.1.1.1"), reported(2), False),
        (
            "NodePlumbing",
            reported(1),
            reported(2, "10.1.1.1", agent={"version": "1", "boot": "b"}),
            False,
        ),
        ("NodePlumbing", None, reported(1), False),
        ("Topology", None, {"metadata": {"name": "lan", "uid": "t"}, "spec": {}}, False),
    ],
)
def test_what_nobody_waits_for_is_told_as_an_edit(
    told: Told, kind: Kind, before: Body | None, after: Body, waits: bool
) -> None:
    edits: list[Kind] = []
    if before:
        told.caches.put(kind, before)
    told.caches.on_edit = lambda: edits.append(kind)
    changes = told.changes
    told.caches.put(kind, after)
    assert (len(edits), told.changes - changes) == ((1, 0) if waits else (0, 1))


def test_an_object_that_was_deleted_is_told_as_an_edit(told: Told) -> None:
    told.caches.put("DuraVIP", vip(1))
    edits: list[int] = []
    told.caches.on_edit = lambda: edits.append(1)
    told.caches.remove("DuraVIP", vip(2))
    assert (edits, told.caches.vips) == ([1], {})
