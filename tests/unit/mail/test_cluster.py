"""Objects of a cluster, read as the Bindings of mail."""

from typing import Any

from duravip_mail.cluster import read_objects
from duravip_mail.core.world import MailBinding


def body(name: str, spec: Any, namespace: str = "default", **status: Any) -> dict[str, Any]:
    meta = {"name": name, "namespace": namespace, "creationTimestamp": "2026-01-01T00:00:00Z"}
    return {"metadata": meta, "spec": spec, "status": status}


def test_every_field_of_a_binding_that_concerns_mail_is_read() -> None:
    spec = {
        "address": "10.1.1.1", "group": "bulk", "suspend": True, "enableDuravip": False,
        "preference": "n1", "failback": "Always",
    }  # fmt: skip
    found, problems = read_objects([body("x", spec, state="Broken")], [], {})
    assert found == (
        MailBinding("x", "10.1.1.1", "bulk", is_suspended=True, is_broken=True, is_managed=False),
    )
    assert problems == []


def test_a_binding_without_anything_has_no_address_and_no_status() -> None:
    found, _ = read_objects([{"metadata": {"name": "x", "namespace": "a"}}], [], {})
    assert found == (MailBinding("x"),)


def test_who_serves_an_address_is_not_taken_from_a_status() -> None:
    known = body("x", {"address": "10.1.1.1"})
    owned = body("x", {"address": "10.1.1.1"}, state="Owned", owner="n1")
    assert read_objects([known], [], {}) == read_objects([owned], [], {})


def test_what_is_wrong_with_one_object_harms_no_other() -> None:
    bad = [body("x", {"address": "nowhere"}), body("y", {"group": ["a"]}), body("default", {})]
    found, problems = read_objects([*bad, body("good", {})], [body("z", {
        "address": "10.1.1", "follow": "good",
    })], {})  # fmt: skip
    assert found == (MailBinding("good"),)
    assert [problem.partition(" is ignored: ")[0] for problem in problems] == [
        "binding x of default",
        "binding y of default",
        "binding default of default",
        "duravip z of default",
    ]


def test_a_duravip_that_follows_a_binding_gives_its_mail_that_binding() -> None:
    duravips = [
        body("in", {"address": "fd00::0:9", "follow": "x"}),
        body("alone", {"address": "10.1.1.8"}),
        body("broken", {"address": "10.1.1.7", "follow": "x"}, state="Broken"),
        body("by-address", {"address": "10.1.1.6", "follow": "10.1.1.1"}),
    ]
    found, _ = read_objects([body("x", {"address": "10.1.1.1"})], duravips, {})
    assert found == (MailBinding("x", "10.1.1.1", listeners=("fd00::9",)),)
