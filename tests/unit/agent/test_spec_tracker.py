"""Which version of the NodePlumbing counts."""

from typing import Any

from duravip_agent.core.node_spec import parse_node_spec
from duravip_agent.core.spec_tracker import SpecTracker
from duravip_runtime.api_error import MAX_PAUSE_S, pause_after

Body = dict[str, Any]


def plumbing(
    *granted: str, version: int = 1, generation: int = 1, epoch: int = 0, uid: str = "u1"
) -> Body:
    return {
        "metadata": {"uid": uid, "resourceVersion": str(version), "generation": generation},
        "spec": {
            "epoch": epoch,
            "interfaces": [{"name": "eth0", "mask": 32, "granted": list(granted)}],
        },
    }


def tracker_for(body: Body) -> SpecTracker:
    specs = SpecTracker()
    specs.first_report_stored(body)
    assert specs.accept(body)
    return specs


def test_an_object_without_a_spec_grants_nothing() -> None:
    assert parse_node_spec({"metadata": {"resourceVersion": "7"}}).wanted == {}


def test_nothing_is_acted_on_before_the_first_report_was_stored() -> None:
    specs = SpecTracker()
    assert not specs.accept(plumbing("10.1.1.1"))
    specs.first_report_stored(plumbing("10.1.1.1", version=5))
    assert not specs.accept(plumbing("10.1.1.1", version=4))
    assert specs.accept(plumbing("10.1.1.1", version=5))


def test_an_agent_begins_with_nothing() -> None:
    specs = SpecTracker()
    assert not specs.accept(plumbing("10.1.1.1"), requested_at=1.0)
    assert (specs.newest_read, specs.newest_epoch, specs.refusal) == (0, 0, "")
    assert (specs.is_current, specs.pulse, specs.pulse_keys) == (False, (), {})


def test_only_the_first_report_introduces_the_agent() -> None:
    specs = SpecTracker()
    specs.first_report_stored(plumbing(version=50))
    specs.first_report_stored(plumbing(version=40))
    assert not specs.accept(plumbing("10.1.1.1", version=45))


def test_an_answer_counts_if_it_was_asked_for_since_the_introduction() -> None:
    specs = SpecTracker()
    specs.first_report_stored(plumbing(version=4), 5.0)
    assert not specs.accept(plumbing("10.1.1.1", version=5), 6.0, requested_at=4.9)
    assert specs.accept(plumbing("10.1.1.1", version=5), 6.0, requested_at=5.0)


def test_an_object_without_a_spec_has_no_generation_and_no_epoch() -> None:
    specs = tracker_for({"metadata": {"uid": "u1", "resourceVersion": "7"}})
    assert (specs.newest_read, specs.newest_epoch, specs.refusal) == (0, 0, "")


def test_an_older_version_from_a_slower_source_is_ignored() -> None:
    specs = tracker_for(plumbing("10.1.1.1", version=5, generation=2))
    assert not specs.accept(plumbing("10.1.1.9", version=3, generation=1))
    assert not specs.accept(plumbing("10.1.1.9", version=4, generation=1))
    assert set(specs.in_force.wanted) == {"10.1.1.1"}


def test_a_change_of_the_status_alone_is_no_news() -> None:
    specs = tracker_for(plumbing("10.1.1.1", version=5))
    assert not specs.is_newer(plumbing("10.1.1.1", version=6))
    assert specs.is_newer(plumbing("10.1.1.1", version=6, generation=2))


def test_a_lower_epoch_is_refused_and_the_spec_before_stays() -> None:
    specs = tracker_for(plumbing("10.1.1.1", version=5, epoch=3))
    assert specs.accept(plumbing("10.1.1.9", version=6, generation=2, epoch=2))
    assert specs.refusal == "epoch 2 of the spec is lower than 3"
    assert set(specs.in_force.wanted) == {"10.1.1.1"}
    assert (specs.in_force.generation, specs.newest_read, specs.epoch) == (1, 2, 3)
    assert specs.accept(plumbing("10.1.1.9", version=7, generation=3, epoch=3))
    assert not specs.refusal


def test_a_leader_whose_spec_is_refused_is_beaten_to_as_well() -> None:
    """It may prove that it leads, and only by an acknowledgement."""

    def led_by(*pulse: str, **numbers: int) -> Body:
        body = plumbing("10.1.1.1", **numbers)
        keys = [f"key of {where}" for where in pulse]
        body["spec"] |= {"pulse": list(pulse), "pulseKeys": keys}
        return body

    specs = tracker_for(led_by("a:1", "b:1", version=5, epoch=3))
    assert specs.pulse == ("a:1", "b:1")
    assert specs.accept(led_by("b:1", "c:1", version=6, generation=2, epoch=2))
    assert specs.pulse == ("a:1", "b:1", "c:1")
    assert specs.pulse_keys == {where: f"key of {where}" for where in specs.pulse}


def test_the_highest_epoch_outlives_the_agent_in_its_status() -> None:
    body = plumbing("10.1.1.1", version=5, epoch=3)
    body["status"] = {"epoch": 4}
    specs = tracker_for(body)
    assert specs.refusal
    assert specs.in_force.wanted == {}


def test_a_spec_that_is_not_understood_is_refused() -> None:
    specs = tracker_for(plumbing("10.1.1.1", version=5))
    broken = plumbing(version=6, generation=2)
    broken["spec"]["interfaces"] = "many"
    assert specs.accept(broken)
    assert specs.refusal.startswith("the spec is not understood")
    assert set(specs.in_force.wanted) == {"10.1.1.1"}


def test_what_a_deleted_object_granted_stays_until_a_new_one_says_otherwise() -> None:
    specs = tracker_for(plumbing("10.1.1.1", version=5, generation=7))
    assert specs.object_deleted()
    assert not specs.object_deleted()
    assert (set(specs.in_force.wanted), specs.in_force.uid) == ({"10.1.1.1"}, "")
    assert (specs.is_current, specs.newest_read, specs.newest_epoch) == (False, 0, 0)
    assert specs.accept(plumbing("10.1.1.2", version=9, uid="u2"))
    assert set(specs.in_force.wanted) == {"10.1.1.2"}


def test_a_new_object_is_taken_up_even_if_its_predecessor_is_reported_gone_later() -> None:
    specs = tracker_for(plumbing("10.1.1.1", version=5))
    new = plumbing("10.1.1.2", version=9, uid="u2")
    assert specs.accept(new)
    assert specs.object_deleted()
    assert specs.accept(new)


def test_pauses_between_requests_grow_to_a_limit_and_heed_the_server() -> None:
    pauses = [pause_after(failures) for failures in range(1, 40)]
    assert pauses[:4] == [0.05, 0.1, 0.2, 0.4]
    assert pauses == sorted(pauses)
    assert pauses[-1] == MAX_PAUSE_S
    assert pause_after(1, retry_after=7.0) == 7.0
