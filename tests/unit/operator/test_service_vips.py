"""What Services of type LoadBalancer get, and what their statuses say."""

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duravip_api.duravip import DuraVIPSpec
from duravip_api.reasons import Reason
from duravip_operator.core.service_objects import ServiceStatus, parse_service
from duravip_operator.core.service_statuses import status_patch
from duravip_operator.core.service_vips import ServicePlan, ServiceSettings, plan_services
from unit.operator.service_world import (
    asking,
    made,
    parsed,
    plan,
    pool,
    service,
    settled,
    topology,
    vip,
)

SERVED: dict[str, Any] = {
    "observedGeneration": 1,
    "state": "Owned",
    "conditions": [{"type": "Ready", "status": "True", "reason": "Served", "message": "by n1"}],
}
BROKEN: dict[str, Any] = {
    "observedGeneration": 1,
    "state": "Broken",
    "conditions": [{"type": "Ready", "status": "False", "reason": "NodeAddress", "message": "n2"}],
}


NOTHING = ({}, {}, frozenset())


def writes(found: ServicePlan) -> Any:
    return found.creates, found.updates, found.deletes


def addresses(found: ServicePlan) -> dict[str, str]:
    return {key: body["spec"]["address"] for key, body in found.creates.items()}


def reason(status: ServiceStatus) -> str:
    assert status.condition is not None
    return status.condition.reason


def test_a_requested_address_is_carried_by_a_duravip() -> None:
    found = plan([asking("10.1.1.5")])
    assert addresses(found) == {"default/svc-web": "10.1.1.5"}
    assert found.statuses["default/web"].ingress == ()


def test_the_status_has_the_address_as_soon_as_the_duravip_is_there() -> None:
    found = plan([asking("10.1.1.5")], settled([asking("10.1.1.5")]))
    assert writes(found) == NOTHING
    assert found.statuses["default/web"].ingress == ("10.1.1.5",)
    assert reason(found.statuses["default/web"]) == Reason.ADDRESS_ASSIGNED


def test_one_that_is_being_created_is_neither_created_again_nor_published() -> None:
    body = plan([asking("10.1.1.5")]).creates["default/svc-web"]
    found = plan([asking("10.1.1.5")], [made(body, uid="-")])
    assert writes(found) == NOTHING
    assert found.statuses["default/web"].ingress == ()


def test_the_condition_is_that_of_the_duravip() -> None:
    body = plan([asking("10.1.1.5")]).creates["default/svc-web"]
    found = plan([asking("10.1.1.5")], [made(body, **SERVED)])
    assert found.statuses["default/web"].condition == ("True", "Served", "by n1")
    found = plan([asking("10.1.1.5")], [made(body, **BROKEN)])
    assert found.statuses["default/web"].ingress == ()
    assert reason(found.statuses["default/web"]) == "NodeAddress"


def test_another_class_is_none_of_our_business() -> None:
    found = plan([asking("10.1.1.5", loadBalancerClass="example.com/lb")])
    assert writes(found) == NOTHING
    assert not found.statuses


def test_what_no_service_asks_for_is_deleted() -> None:
    there = settled([asking("10.1.1.5"), asking("10.1.1.6", "api")])
    assert plan([asking("10.1.1.6", "api")], there).deletes == {"default/svc-web"}
    again = asking("10.1.1.5", uid="another")
    assert plan([asking("10.1.1.6", "api"), again], there).creates == {}


def test_what_people_have_made_is_never_changed_or_deleted() -> None:
    theirs = vip("svc-web", "10.1.1.5")
    found = plan([asking("10.1.1.5")], [theirs])
    assert writes(found) == NOTHING
    assert reason(found.statuses["default/web"]) == Reason.NAME_TAKEN


def test_an_edited_request_changes_the_duravip() -> None:
    found = plan([asking("10.1.1.7")], settled([asking("10.1.1.5")]))
    assert found.updates["default/svc-web"]["spec"]["address"] == "10.1.1.7"
    assert found.statuses["default/web"].ingress == ()


@pytest.mark.parametrize(
    ("body", "wanted"),
    [(asking("10.9.1.5"), Reason.NO_TOPOLOGY), (asking("10.1.1.300"), Reason.INVALID)],
)
def test_a_refusal_is_said(body: dict[str, Any], wanted: Reason) -> None:
    found = plan([body])
    assert not found.creates
    assert reason(found.statuses["default/web"]) == wanted


def test_no_namespace_takes_the_address_of_another_one() -> None:
    found = plan([asking("10.1.1.5", namespace="a"), asking("10.1.1.5", namespace="b")])
    assert addresses(found) == {"a/svc-web": "10.1.1.5"}
    assert reason(found.statuses["b/web"]) == Reason.NAMESPACE_CONFLICT
    found = plan([asking("10.1.1.5")], [vip("theirs", "10.1.1.5", namespace="b")])
    assert not found.creates


def test_the_patch_has_what_differs_and_keeps_the_time() -> None:
    body = asking("10.1.1.5")
    there = [made(plan([body]).creates["default/svc-web"], **SERVED)]
    status = plan([body], there).statuses["default/web"]
    patch = status_patch(parse_service(body), status, "2026-01-01T00:00:09.5Z")
    assert patch is not None
    assert patch["status"]["loadBalancer"] == {"ingress": [{"ip": "10.1.1.5", "ipMode": "VIP"}]}
    body["status"] = patch["status"]
    assert status_patch(parse_service(body), status, "2026-01-01T00:00:19.5Z") is None


def test_a_service_without_a_request_gets_nothing_without_a_pool() -> None:
    assert not plan([service()]).creates


ANY = (
    st.none() | st.booleans() | st.integers(-1, 70000) | st.sampled_from(["TCP", "SCTP", "x", ""])
)
PORTS = st.lists(st.none() | st.fixed_dictionaries({}, optional={"port": ANY, "protocol": ANY}))
LISTS = st.lists(st.sampled_from(["IPv4", "IPv6", "x", 4, None]), max_size=3) | ANY


@given(ports=PORTS | ANY, families=LISTS, policy=LISTS)
@settings(max_examples=300)
def test_whatever_a_service_says_what_is_created_keeps_to_the_schema(
    ports: Any, families: Any, policy: Any
) -> None:
    body = asking("10.1.1.5")
    body["spec"] |= {"ports": ports, "ipFamilies": families, "ipFamilyPolicy": policy}
    for made_of in plan([body], pools=[pool("10.1.1.7")]).creates.values():
        DuraVIPSpec.model_validate(made_of["spec"])


MANY = 1000


@pytest.mark.parametrize("is_shared", [True, False])
def test_a_plan_of_many_services_takes_no_longer_than_there_are_services(is_shared: bool) -> None:
    """A bound that only what grows with their square breaks: 30 ms on a quiet machine."""
    names = [f"s{n}" for n in range(MANY)]
    wide = [topology(cidr="10.1.0.0/16")]
    bodies = [
        asking(
            "10.1.1.9" if is_shared else f"10.1.{n >> 8}.{n & 255 or 1}",
            name,
            ports=[f"TCP/{n + 1}"],
        )
        for n, name in enumerate(names)
    ]
    there = settled(bodies, topologies=wide)
    assert len(there) > MANY * 0.9
    services = parsed(*bodies)
    began = time.thread_time()
    plan_services(services, [], there, wide, ServiceSettings())
    assert time.thread_time() - began < 0.5


def test_pools_and_topologies_are_read_once() -> None:
    services = parsed(service())
    pools, topologies = iter([pool("10.1.1.50")]), iter([topology()])
    found = plan_services(services, pools, (), topologies, ServiceSettings())
    assert addresses(found) == {"default/svc-web": "10.1.1.50"}
