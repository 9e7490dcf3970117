"""Which addresses a Service gets where one of several rules comes close to deciding."""

from dataclasses import replace
from typing import Any

import pytest

from duravip_api.reasons import Reason
from duravip_operator.core.service_addresses import MAX_NEW
from duravip_operator.core.service_objects import ServiceCondition
from duravip_operator.core.service_vips import ServicePlan
from duravip_operator.core.snapshot import Rejection, VipObject
from unit.operator.service_world import (
    BOTH,
    FOUR,
    REQUIRED,
    SIX,
    asking,
    made,
    plan,
    pool,
    service,
    settled,
    topology,
    vip,
)

LAN = topology()
WIDE = pool("10.1.1.100-10.1.1.199", name="wide")


def condition(found: ServicePlan, name: str = "default/web") -> ServiceCondition:
    said = found.statuses[name].condition
    assert said is not None
    return said


def addresses(found: ServicePlan) -> dict[str, str]:
    bodies = {**found.creates, **found.updates}
    return {key: body["spec"]["address"] for key, body in bodies.items()}


def status(*given: str) -> dict[str, Any]:
    return {"loadBalancer": {"ingress": [{"ip": address} for address in given]}}


def created(body: dict[str, Any], **world: Any) -> VipObject:
    """The one DuraVIP that is made for a Service."""
    (found,) = plan([body], **world).creates.values()
    return made(found)


# --- dual stack


def test_who_prefers_both_is_content_with_one_and_with_none_is_told() -> None:
    one = service(**BOTH)
    there = settled([one], pools=[FOUR])
    assert condition(plan([one], there, [FOUR])).reason == Reason.ADDRESS_ASSIGNED
    assert condition(plan([one])).reason == Reason.POOL_EXHAUSTED


def test_what_is_asked_for_and_refused_is_told_also_to_who_prefers_both() -> None:
    asked = {"duravip.io/addresses": "fd99::1"}
    found = plan([service(annotations=asked, **BOTH)], pools=[FOUR])
    assert condition(found).reason == Reason.NO_TOPOLOGY
    assert addresses(found).keys() == {"default/svc-web"}


@pytest.mark.parametrize("uid", ["", "-"])
def test_who_requires_both_and_has_one_keeps_it_and_is_told(uid: str) -> None:
    pools = [FOUR, pool("fd00::50", name="six")]
    bodies = plan([service(**REQUIRED)], (), pools, [LAN, SIX]).creates
    has = made(bodies["default/svc-web"], uid=uid)
    found = plan([service(**REQUIRED)], [has], [FOUR], [LAN, SIX])
    assert (found.creates, found.updates, found.deletes) == ({}, {}, frozenset())
    assert condition(found).reason == Reason.POOL_EXHAUSTED
    there = replace(has, uid="u")
    assert not plan([service(**REQUIRED)], [there], [FOUR], [LAN, SIX]).deletes


# --- names


def test_what_is_on_its_way_for_another_service_of_the_name_is_waited_for() -> None:
    former = created(asking("10.1.1.5", uid="former"))
    found = plan([service()], [replace(former, uid="")], [FOUR])
    assert found.creates == {}
    assert "default/web" not in found.statuses


# --- what is asked for


def test_what_it_has_is_no_reason_to_get_anything_else() -> None:
    found = plan([asking("10.9.9.9")], [created(asking("10.1.1.5"))])
    assert condition(found).reason == Reason.NO_TOPOLOGY
    assert addresses(found) == {}


def test_a_topology_for_other_namespaces_is_none() -> None:
    found = plan([asking("10.1.1.5")], topologies=[topology(namespaces=["a", "b"])])
    assert condition(found).reason == Reason.NO_TOPOLOGY


def test_who_asks_and_has_it_keeps_it_and_who_was_given_it_goes() -> None:
    quiet, loud = service("a-quiet"), asking("10.1.1.50", "loud", ports=["TCP/443"])
    one = pool("10.1.1.50")
    twice = [created(quiet, pools=[one]), created(loud)]
    found = plan([quiet, loud], twice, [one, WIDE])
    assert found.updates.keys() == {"default/svc-a-quiet"}
    assert condition(found, "default/loud").reason == Reason.ADDRESS_ASSIGNED


def test_namespaces_that_are_listed_share_what_one_plan_gives_out() -> None:
    both = [
        asking("10.1.1.9", namespace="a", ports=["TCP/80"]),
        asking("10.1.1.9", namespace="b", ports=["TCP/443"]),
    ]
    assert len(plan(both, topologies=[topology(namespaces=["a", "b"])]).creates) == 2
    assert len(plan(both).creates) == 1


def test_nobody_is_told_the_name_of_another_namespaces_service() -> None:
    listed = [topology(namespaces=["default", "b"])]
    here = [asking("10.1.1.9"), asking("10.1.1.9", "late", created="2026-02-01T00:00:00Z")]
    there = asking("10.1.1.9", "there", namespace="b", created="2026-02-01T00:00:00Z")
    found = plan([*here, there], topologies=listed)
    assert "that of Service web" in condition(found, "default/late").message
    said = condition(found, "b/there").message
    assert "that of another" in said
    assert "Service web" not in said


def test_who_names_a_duravip_is_refused_what_is_refused_there() -> None:
    asked = {"duravip.io/vip": "front"}
    both = [
        service(annotations=asked),
        service("late", annotations=asked, created="2026-02-01T00:00:00Z"),
    ]
    found = plan(both, [vip("front", "10.1.1.5")])
    assert found.creates.keys() == {"default/svc-web"}
    assert condition(found, "default/late").reason == Reason.PORT_TAKEN


def test_why_a_duravip_cannot_be_named_is_said() -> None:
    asked = service("late", annotations={"duravip.io/vip": "svc-web"})
    there = created(asking("10.1.1.5"))
    found = plan([asking("10.1.1.5"), asked], [there])
    assert condition(found, "default/late").message.endswith("svc-web is generated")
    broken = replace(vip("svc-web", "10.1.1.5"), rejection=Rejection(Reason.INVALID, "why"))
    for there in ([], [broken]):
        found = plan([asked], there)
        assert condition(found, "default/late").message.endswith("is not there, or Broken")


# --- what it has


def test_what_a_hand_has_made_unreadable_is_given_anew() -> None:
    there = created(service(), pools=[FOUR])
    broken = replace(
        there, address="10.1.1.300", rejection=Rejection(Reason.INVALID, "no address")
    )
    assert addresses(plan([service()], [broken], [FOUR])) == {"default/svc-web": there.address}
    empty = replace(there, address="")
    assert addresses(plan([service()], [empty], [FOUR])) == {"default/svc-web": there.address}


def test_an_address_that_another_pool_has_by_now_stays_if_that_is_asked_for() -> None:
    here = created(service(), pools=[pool("10.1.1.123", name="old")])
    asked = service(annotations={"duravip.io/pool": "wide"})
    found = plan([asked], [here], [WIDE])
    assert {body["spec"]["address"] for body in found.updates.values()} <= {"10.1.1.123"}
    assert condition(found).reason == Reason.ADDRESS_ASSIGNED


def test_a_pool_that_is_gone_is_told_to_who_asks_for_it_and_has_another() -> None:
    here = created(service(), pools=[FOUR])
    asked = service(annotations={"duravip.io/pool": "gone"})
    assert condition(plan([asked], [here], [FOUR])).reason == Reason.POOL_UNKNOWN
    assert condition(plan([asked], [here], [WIDE])).reason == Reason.POOL_UNKNOWN


def test_a_pool_that_is_refused_gives_nothing() -> None:
    twin = pool("10.1.1.53-10.1.1.60", name="twin", created="2026-06-01T00:00:00Z")
    asked = service(annotations={"duravip.io/pool": "twin"})
    assert condition(plan([asked], pools=[FOUR, twin])).reason == Reason.POOL_UNKNOWN


def test_of_two_that_were_given_one_the_one_whose_duravip_is_there_keeps_it() -> None:
    a, b = service("a"), service("b")
    one = pool("10.1.1.50")
    had = created(b, pools=[one])
    flying = made(plan([a], pools=[one]).creates["default/svc-a"], uid="-")
    found = plan([a, b], [had, flying], [one, WIDE])
    assert found.updates == {}, "what is on its way may not come"


# --- the address of the status


def test_of_two_with_one_address_in_their_status_the_older_gets_it() -> None:
    both = [service("a", status=status("10.1.1.50")), service("b", status=status("10.1.1.50"))]
    found = addresses(plan(both, pools=[FOUR]))
    assert found["default/svc-a"] == "10.1.1.50"
    assert found["default/svc-b"] != "10.1.1.50"


def test_what_a_host_has_is_not_taken_over() -> None:
    left = service(status=status("10.1.1.50"))
    found = plan([left], pools=[FOUR], occupied={"10.1.1.50"})
    assert addresses(found)["default/svc-web"] != "10.1.1.50"


@pytest.mark.parametrize(("asked", "kept"), [("four", True), ("wide", False), ("gone", False)])
def test_what_is_taken_over_is_of_the_pool_that_is_asked_for(asked: str, kept: bool) -> None:
    left = service(annotations={"duravip.io/pool": asked}, status=status("10.1.1.50"))
    found = addresses(plan([left], pools=[FOUR, WIDE]))
    assert (found.get("default/svc-web") == "10.1.1.50") is kept


def test_what_is_in_no_pool_is_not_taken_over_where_one_is_asked_for() -> None:
    left = service(annotations={"duravip.io/pool": "four"}, status=status("10.1.1.9"))
    assert addresses(plan([left], pools=[FOUR])) != {"default/svc-web": "10.1.1.9"}


def test_the_pool_of_what_is_taken_over_is_noted() -> None:
    for address, wanted in (("10.1.1.50", {"duravip.io/pool": "four"}), ("10.1.1.9", {})):
        found = plan([service(status=status(address))], pools=[FOUR])
        assert addresses(found) == {"default/svc-web": address}
        assert found.creates["default/svc-web"]["metadata"]["annotations"] == wanted


def test_what_is_taken_over_counts_as_given_out() -> None:
    many = [service(f"s{n}", status=status(f"10.1.1.{n}")) for n in range(1, MAX_NEW + 20)]
    found = plan(many)
    assert len(found.creates) == MAX_NEW
    assert found.is_partial
