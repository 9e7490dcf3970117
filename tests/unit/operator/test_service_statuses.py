"""What the status of a Service says, and which Events people get."""

from dataclasses import replace
from typing import Any

import pytest

from duravip_api.reasons import Reason
from duravip_operator.core.service_objects import parse_service
from duravip_operator.core.service_statuses import status_patch
from duravip_operator.core.service_vips import ServicePlan
from duravip_operator.core.snapshot import VipObject
from unit.operator.service_world import FOUR, asking, plan, pool, service, settled, topology

NOW = "2026-01-01T00:00:09.5Z"


def ready(reason: str = "Served", status: str = "True", **more: Any) -> dict[str, Any]:
    """The status of a DuraVIP."""
    condition = {"type": "Ready", "status": status, "reason": reason, "message": f"so {reason}"}
    return {"observedGeneration": 1, "state": "Owned", "conditions": [condition], **more}


def with_status(vips: list[VipObject], status: dict[str, Any]) -> list[VipObject]:
    return [replace(vip, status=status) for vip in vips]


def told(found: ServicePlan) -> list[tuple[str, bool]]:
    return [(event.reason, event.is_warning) for event in found.events]


def written(body: dict[str, Any], found: ServicePlan) -> dict[str, Any]:
    """The Service with its status as the plan wants it."""
    patch = status_patch(parse_service(body), found.statuses["default/web"], NOW)
    return body | (patch or {})


def test_an_address_stays_in_the_status_while_nobody_can_hold_it() -> None:
    there = with_status(
        settled([asking("10.1.1.5")]), ready("NoParticipant", "False", state="Unassigned")
    )
    found = plan([asking("10.1.1.5")], there).statuses["default/web"]
    assert found.ingress == ("10.1.1.5",)
    assert found.condition == ("False", "NoParticipant", "so NoParticipant")


def test_a_status_of_an_earlier_generation_says_nothing() -> None:
    broken = ready("NodeAddress", "False", state="Broken", observedGeneration=0)
    found = plan([asking("10.1.1.5")], with_status(settled([asking("10.1.1.5")]), broken))
    assert found.statuses["default/web"].ingress == ("10.1.1.5",)


def test_of_two_families_the_one_that_is_not_ready_is_said() -> None:
    body = service(
        annotations={"duravip.io/addresses": "10.1.1.5,fd00::5"},
        ipFamilies=["IPv4", "IPv6"],
        ipFamilyPolicy="PreferDualStack",
    )
    where = [topology(), topology("six", cidr="fd00::/64")]
    four, six = settled([body], topologies=where)
    vips = [replace(four, status=ready()), replace(six, status=ready("Elected", "False"))]
    found = plan([body], vips, topologies=where).statuses["default/web"]
    assert found.ingress == ("10.1.1.5", "fd00::5")
    assert found.condition == ("False", "Elected", "so Elected")


def test_an_address_that_its_pool_has_no_longer_is_said() -> None:
    there = with_status(settled([service()], pools=[FOUR]), ready())
    for pools in ([pool("10.1.1.90", name="four")], []):
        found = plan([service()], there, pools).statuses["default/web"]
        assert found.ingress == (there[0].address,)
        assert found.condition is not None
        assert (found.condition.status, found.condition.reason) == ("True", Reason.OUT_OF_POOL)


def test_what_is_taken_over_is_never_taken_out_of_the_status() -> None:
    left = service(status={"loadBalancer": {"ingress": [{"ip": "10.1.1.53"}]}})
    assert plan([left], pools=[FOUR]).statuses["default/web"].ingress == ("10.1.1.53",)


def test_a_patch_is_made_only_when_something_differs() -> None:
    body = asking("10.1.1.5")
    there = with_status(settled([body]), ready())
    done = written(body, plan([body], there))
    assert done["status"]["loadBalancer"]["ingress"] == [{"ip": "10.1.1.5", "ipMode": "VIP"}]
    (condition,) = done["status"]["conditions"]
    assert condition["type"] == "duravip.io/Ready"
    assert condition["lastTransitionTime"] == "2026-01-01T00:00:09Z"
    found = plan([done], there)
    assert status_patch(parse_service(done), found.statuses["default/web"], NOW) is None


def test_an_ingress_of_another_mode_is_written_again() -> None:
    body = asking("10.1.1.5")
    there = with_status(settled([body]), ready())
    done = written(body, plan([body], there))
    done["status"]["loadBalancer"]["ingress"][0]["ipMode"] = "Proxy"
    assert written(done, plan([done], there)) != done


def test_the_time_of_the_condition_stays_while_its_status_does() -> None:
    body = asking("10.1.1.5")
    there = settled([body])
    done = written(body, plan([body], with_status(there, ready())))
    found = plan([done], with_status(there, ready("OwnerUnreachable")))
    patch = status_patch(
        parse_service(done), found.statuses["default/web"], "2027-01-01T00:00:00Z"
    )
    assert patch is not None
    assert patch["status"]["conditions"][0]["lastTransitionTime"] == "2026-01-01T00:00:09Z"
    found = plan([done], with_status(there, ready("OwnerLost", "False")))
    patch = status_patch(
        parse_service(done), found.statuses["default/web"], "2027-01-01T00:00:00Z"
    )
    assert patch is not None
    assert patch["status"]["conditions"][0]["lastTransitionTime"] == "2027-01-01T00:00:00Z"


def test_each_change_is_told_once() -> None:
    body = service()
    first = plan([body], pools=[FOUR])
    assert told(first) == []
    there = settled([body], pools=[FOUR])
    second = plan([body], there, [FOUR], last=first)
    assert told(second) == [(Reason.ADDRESS_ASSIGNED, False)]
    assert "AddressPool four" in second.events[0].message
    assert told(plan([body], there, [FOUR], last=second)) == []


def test_a_new_leader_tells_nothing_again() -> None:
    body = service(
        annotations={"metallb.io/loadBalancerIPs": "10.1.1.5", "lbipam.cilium.io/ips": "10.1.1.6"}
    )
    there = with_status(settled([body]), ready())
    found = plan([body], there)
    assert told(found) == [(Reason.ANNOTATION_CONFLICT, True), (Reason.ADDRESS_ASSIGNED, False)]
    assert told(plan([written(body, found)], there)) == []


def test_what_is_ignored_is_told_as_soon_as_it_is_there() -> None:
    quiet = plan([asking("10.1.1.5")])
    found = plan([asking("10.1.1.5", ports=["SCTP/9"])], last=quiet)
    assert told(found) == [(Reason.PORT_IGNORED, True)]


def test_a_refusal_and_an_empty_pool_are_told() -> None:
    assert told(plan([asking("10.9.9.9")])) == [(Reason.ADDRESS_REFUSED, True)]
    assert told(plan([service()], pools=[])) == [(Reason.POOL_EXHAUSTED, True)]


def test_an_address_that_is_lost_is_told() -> None:
    there = settled([asking("10.1.1.5")])
    before = plan([asking("10.1.1.5")], with_status(there, ready()))
    broken = with_status(there, ready("NodeAddress", "False", state="Broken"))
    found = plan([asking("10.1.1.5")], broken, last=before)
    assert told(found) == [(Reason.ADDRESS_REFUSED, True)]
    assert found.events[0].message == "so NodeAddress"


@pytest.mark.parametrize(("cause", "is_warning"), [("NodeLost", True), ("Preference", False)])
def test_a_move_is_told_with_its_cause(cause: str, is_warning: bool) -> None:
    there = settled([asking("10.1.1.5")])
    first = {"to": "n1", "reason": "Elected", "time": "2026-01-01T00:00:00Z"}
    second = {"from": "n1", "to": "n2", "reason": cause, "time": "2026-01-01T00:00:05Z"}
    before = plan([asking("10.1.1.5")], with_status(there, ready(lastMove=first)))
    after = with_status(there, ready(lastMove=second))
    found = plan([asking("10.1.1.5")], after, last=before)
    assert told(found) == [(Reason.MOVED, is_warning)]
    assert "from n1 to n2" in found.events[0].message
    assert told(plan([asking("10.1.1.5")], after, last=found)) == []


def test_that_no_node_has_a_ready_endpoint_is_told() -> None:
    body = asking("10.1.1.5", externalTrafficPolicy="Local")
    there = settled([body])
    before = plan([body], with_status(there, ready()))
    found = plan([body], with_status(there, ready("NoFitNode")), last=before)
    assert told(found) == [(Reason.NO_READY_ENDPOINT, True)]


# --- whose Services are ours


def test_without_a_class_it_is_ours_only_by_default_and_if_nobody_serves_it() -> None:
    mine = service(loadBalancerClass=None)
    assert not plan([mine], pools=[FOUR]).creates
    assert plan([mine], pools=[FOUR], is_default=True).creates
    theirs = mine | {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}
    assert not plan([theirs], pools=[FOUR], is_default=True).creates
    cloud = mine | {"status": {"loadBalancer": {"ingress": [{"hostname": "a.example"}]}}}
    assert not plan([cloud], pools=[FOUR], is_default=True).creates
    left = mine | {"status": {"loadBalancer": {"ingress": [{"ip": "10.1.1.51"}]}}}
    (body,) = plan([left], pools=[FOUR], is_default=True).creates.values()
    assert body["spec"]["address"] == "10.1.1.51"


def test_one_that_is_ours_no_more_gives_its_address_back() -> None:
    body = service(loadBalancerClass=None)
    there = with_status(settled([body], pools=[FOUR], is_default=True), ready())
    done = written(body, plan([body], there, [FOUR], is_default=True))
    found = plan([done], there, [FOUR])
    assert found.deletes == {"default/svc-web"}
    assert found.statuses["default/web"].ingress == ()
    gone = written(done, found)
    assert plan([gone], pools=[FOUR]).statuses == {}


@pytest.mark.parametrize(
    "theirs", [{"ip": "192.0.2.1", "ipMode": "VIP"}, {"hostname": "a.example"}]
)
def test_what_another_controller_gives_after_our_refusal_is_left_as_it_is(
    theirs: dict[str, str],
) -> None:
    body = service(loadBalancerClass=None)
    refused = written(body, plan([body], is_default=True))
    assert refused["status"]["conditions"][0]["reason"] == Reason.POOL_EXHAUSTED
    refused["status"]["loadBalancer"] = {"ingress": [theirs]}
    one = parse_service(refused)
    found = plan([refused], is_default=True).statuses["default/web"]
    patch = status_patch(one, found, "2026-03-01T00:00:00Z")
    assert patch
    assert "loadBalancer" not in patch["status"]
    assert patch["status"]["conditions"][0]["reason"] == Reason.NOT_OURS
    left = written(refused, plan([refused], is_default=True))
    left["status"]["loadBalancer"] = {"ingress": [theirs]}
    assert plan([left], is_default=True).statuses == {}


def test_one_that_is_being_deleted_gives_its_address_back() -> None:
    body = asking("10.1.1.5")
    there = settled([body])
    body["metadata"]["deletionTimestamp"] = "2026-03-01T00:00:00Z"
    found = plan([body], there)
    assert found.deletes == {"default/svc-web"}
    assert found.statuses == {}
