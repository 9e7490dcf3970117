"""Which addresses a Service gets."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from duravip_api.reasons import Reason
from duravip_operator.core import service_addresses
from duravip_operator.core.service_vips import ServicePlan
from duravip_operator.core.snapshot import VipObject
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


def got(vips: Iterable[VipObject]) -> dict[str, str]:
    """`{namespace/name: address}` of the generated ones."""
    return {f"{v.namespace}/{v.name}": v.address for v in vips if v.origin}


def why(found: ServicePlan, name: str = "default/web") -> str:
    condition = found.statuses[name].condition
    assert condition is not None
    return condition.reason


# --- what is asked for


def test_an_address_that_is_asked_for_needs_no_pool_and_comes_before_one() -> None:
    assert got(settled([asking("10.1.1.9")])) == {"default/svc-web": "10.1.1.9"}
    assert got(settled([asking("10.1.1.9")], pools=[FOUR])) == {"default/svc-web": "10.1.1.9"}


@pytest.mark.parametrize(
    ("address", "wanted"),
    [
        ("10.9.1.1", Reason.NO_TOPOLOGY),
        ("10.1.1.255", Reason.BLOCK_EDGE),
        ("10.1.1.20", Reason.RESERVED),
        ("10.1.1.60", Reason.NAMESPACE_NOT_ADMITTED),
    ],
)
def test_what_nobody_of_the_namespace_can_have_is_refused(address: str, wanted: Reason) -> None:
    world: Any = {
        "topologies": [topology(reserved=["10.1.1.20"])],
        "pools": [pool("10.1.1.60", namespaces=["other"])],
    }
    found = plan([asking(address)], **world)
    assert not found.creates
    assert why(found) == wanted


def test_what_it_has_stays_though_it_could_not_get_it_now() -> None:
    there = settled([asking("10.1.1.9")])
    found = plan([asking("10.1.1.9")], there, topologies=[])
    assert not found.deletes
    assert found.statuses["default/web"].ingress == ("10.1.1.9",)


def test_a_request_that_cannot_be_read_takes_nothing_away() -> None:
    there = settled([asking("10.1.1.9")])
    found = plan([asking("10.1.1.900")], there)
    assert not found.deletes
    assert found.statuses["default/web"].ingress == ("10.1.1.9",)
    assert why(found) == Reason.INVALID


# --- duravip.io/vip


def named(name: str = "web", *, vips: str = "front", **more: Any) -> dict[str, Any]:
    return service(name, annotations={"duravip.io/vip": vips}, **more)


def test_a_duravip_that_people_have_made_keeps_who_prefers_and_who_may_hold_it() -> None:
    front = vip("front", "10.1.1.9", nodeSelector={"rack": "a"}, preference="n1")
    (made_for,) = [v for v in settled([named()], vips=[front]) if v.origin]
    assert made_for.address == "10.1.1.9"
    assert made_for.selector == (("rack", "a"),)
    assert not made_for.enabled
    assert not made_for.is_guarded
    assert made_for.preference == ""


def test_it_follows_when_that_duravip_is_edited() -> None:
    there = settled([named()], vips=[vip("front", "10.1.1.9")])
    moved = [vip("front", "10.1.1.8"), *(v for v in there if v.origin)]
    assert got(settled([named()], vips=moved)) == {"default/svc-web": "10.1.1.8"}


@pytest.mark.parametrize(
    "others", [[], [vip("front", "10.1.1.9", namespace="other")], [vip("front", "10.1.1.900")]]
)
def test_one_that_is_not_there_is_said(others: list[VipObject]) -> None:
    found = plan([named()], others)
    assert not found.creates
    assert why(found) == Reason.VIP_UNKNOWN


def test_a_generated_one_cannot_be_named() -> None:
    there = settled([asking("10.1.1.9", "api")])
    found = plan([asking("10.1.1.9", "api"), named(vips="svc-api")], there)
    assert why(found) == Reason.VIP_UNKNOWN


# --- pools


def test_a_service_that_asks_for_nothing_gets_one_of_a_pool_and_keeps_it() -> None:
    there = settled([service()], pools=[FOUR])
    (address,) = got(there).values()
    assert there[0].origin is not None
    assert there[0].origin.pool == "four"
    bigger = [FOUR, pool("10.1.1.80", name="first", priority=0)]
    assert got(settled([service()], vips=there, pools=bigger)) == {"default/svc-web": address}


def test_what_is_deleted_and_made_again_gets_its_address_back() -> None:
    names = ["a", "b", "c"]
    there = settled(map(service, names), pools=[FOUR])
    others = [v for v in there if v.name != "svc-b"]
    again = [service("a"), service("b", uid="new"), service("c")]
    assert got(settled(again, vips=others, pools=[FOUR])) == got(there)


def test_it_waits_for_the_duravip_of_its_former_self_to_go() -> None:
    there = settled([service()], pools=[FOUR])
    again = service(uid="new")
    found = plan([again], there, pools=[FOUR])
    assert found.deletes == {"default/svc-web"}
    assert not found.creates
    assert "default/web" not in found.statuses
    assert got(settled([again], vips=there, pools=[FOUR])) == got(there)


def test_a_pool_that_is_empty_is_said_and_once_it_grows_the_service_gets_its_address() -> None:
    five = [service(f"s{n}", created=f"2026-01-0{n}T00:00:00Z") for n in range(1, 6)]
    there = settled(five, pools=[FOUR])
    assert len(set(got(there).values())) == 4
    found = plan(five, there, pools=[FOUR])
    assert why(found, "default/s5") == Reason.POOL_EXHAUSTED
    larger = pool("10.1.1.50-10.1.1.60", name="four")
    after = got(settled(five, vips=there, pools=[larger]))
    assert len(set(after.values())) == 5
    assert got(there).items() <= after.items()


def test_another_pool_that_is_asked_for_is_moved_to() -> None:
    pools = [FOUR, pool("10.1.1.90", name="other", autoAssign=False)]
    there = settled([service()], pools=pools)
    asks = service(annotations={"duravip.io/pool": "other"})
    assert got(settled([asks], vips=there, pools=pools)) == {"default/svc-web": "10.1.1.90"}


def test_a_pool_that_shrinks_takes_nothing_away() -> None:
    asks = service(annotations={"duravip.io/pool": "four"})
    there = settled([asks], pools=[FOUR])
    shrunk = [pool("10.1.1.99", name="four")]
    found = plan([asks], there, pools=shrunk)
    assert not found.updates
    assert not found.deletes


@pytest.mark.parametrize("asked", ["nowhere", "closed"])
def test_a_pool_that_is_not_for_it_is_said(asked: str) -> None:
    pools = [FOUR, pool("10.1.1.90", name="closed", namespaces=["other"])]
    found = plan([service(annotations={"duravip.io/pool": asked})], pools=pools)
    assert not found.creates
    assert why(found) == Reason.POOL_UNKNOWN


def test_addresses_of_objects_and_of_other_hosts_are_not_given_out() -> None:
    found = settled([service()], vips=[vip("x", "10.1.1.50"), vip("y", "10.1.1.51")], pools=[FOUR])
    assert got(found)["default/svc-web"] in {"10.1.1.52", "10.1.1.53"}


def test_what_is_being_created_is_taken() -> None:
    tiny = [pool("10.1.1.50-10.1.1.51")]
    first = plan([service("a")], pools=tiny).creates["default/svc-a"]
    flying = [made(first, uid="-")]
    found = plan([service("a"), service("b")], flying, pools=tiny).creates
    assert found.keys() == {"default/svc-b"}
    assert found["default/svc-b"]["spec"]["address"] != first["spec"]["address"]


def test_a_plan_gives_out_so_many_and_says_that_there_is_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service_addresses, "MAX_NEW", 2)
    three = [service(name) for name in "abc"]
    found = plan(three, pools=[FOUR])
    assert len(found.creates) == 2
    assert found.is_partial
    assert len(got(settled(three, pools=[FOUR]))) == 3


# --- the address of the status


def lb(*addresses: str) -> dict[str, Any]:
    return {"loadBalancer": {"ingress": [{"ip": address} for address in addresses]}}


def test_what_another_controller_gave_it_it_keeps() -> None:
    left = service(status=lb("10.1.1.53"))
    assert got(settled([left], pools=[FOUR])) == {"default/svc-web": "10.1.1.53"}


@pytest.mark.parametrize("address", ["10.9.9.9", "nonsense", "10.1.1.255", "fd00::1"])
def test_what_no_topology_has_is_not_kept(address: str) -> None:
    (found,) = got(settled([service(status=lb(address))], pools=[FOUR])).values()
    assert found.startswith("10.1.1.5")


def test_what_somebody_else_has_meanwhile_is_not_kept() -> None:
    left = service(status=lb("10.1.1.53"))
    found = settled([left], vips=[vip("x", "10.1.1.53")], pools=[FOUR])
    assert got(found)["default/svc-web"] != "10.1.1.53"


# --- sharing


def test_services_of_one_namespace_that_ask_for_it_share_an_address() -> None:
    dns = [
        asking("10.1.1.9", "udp", ports=["UDP/53"]),
        asking("10.1.1.9", "tcp", ports=["TCP/53"]),
    ]
    assert got(settled(dns)) == {"default/svc-udp": "10.1.1.9", "default/svc-tcp": "10.1.1.9"}


def test_the_younger_waits_for_a_port_until_the_older_is_gone() -> None:
    old = asking("10.1.1.9", "old", created="2025-01-01T00:00:00Z")
    new = asking("10.1.1.9", "new")
    there = settled([new, old])
    assert got(there) == {"default/svc-old": "10.1.1.9"}
    found = plan([new, old], there)
    assert why(found, "default/new") == Reason.PORT_TAKEN
    assert got(settled([new], vips=there)) == {"default/svc-new": "10.1.1.9"}


def test_who_has_a_port_keeps_it_though_an_older_service_asks_for_it_now() -> None:
    old = asking("10.1.1.9", "old", created="2025-01-01T00:00:00Z", ports=["TCP/80"])
    new = asking("10.1.1.9", "new", ports=["TCP/443"])
    there = settled([old, new])
    assert len(got(there)) == 2
    edited = asking("10.1.1.9", "old", created="2025-01-01T00:00:00Z", ports=["TCP/80", "TCP/443"])
    assert got(settled([edited, new], vips=there)) == {"default/svc-new": "10.1.1.9"}


def test_an_address_that_was_given_out_unasked_is_not_shared() -> None:
    one = [pool("10.1.1.50")]
    there = settled([service()], pools=one)
    late = asking("10.1.1.50", "late", ports=["TCP/443"])
    found = plan([service(), late], there, pools=one)
    assert why(found, "default/late") == Reason.ADDRESS_TAKEN
    assert not found.deletes


def test_of_two_that_got_one_address_the_younger_gets_another() -> None:
    here = plan([service("a")], pools=[FOUR]).creates["default/svc-a"]
    there = plan([service("b")], pools=[FOUR]).creates["default/svc-b"]
    there["spec"]["address"] = here["spec"]["address"]
    twice = [
        made(here, created="2026-05-01T00:00:00Z"),
        made(there, created="2026-04-01T00:00:00Z"),
    ]
    found = got(settled([service("a"), service("b")], vips=twice, pools=[FOUR]))
    assert found["default/svc-b"] == here["spec"]["address"]
    assert found["default/svc-a"] != here["spec"]["address"]


def test_namespaces_share_only_what_the_topology_lists_for_both() -> None:
    both = [
        asking("10.1.1.9", namespace="a", ports=["TCP/80"]),
        asking("10.1.1.9", namespace="b", ports=["TCP/443"], created="2026-02-01T00:00:00Z"),
    ]
    assert got(settled(both)) == {"a/svc-web": "10.1.1.9"}
    listed = [topology(namespaces=["a", "b"])]
    assert len(got(settled(both, topologies=listed))) == 2


def test_an_object_that_people_have_made_on_the_address_shares_it() -> None:
    binding = vip("out", "10.1.1.9", kind="Binding")
    assert got(settled([asking("10.1.1.9")], vips=[binding])) == {"default/svc-web": "10.1.1.9"}


def test_a_binding_on_an_address_from_a_pool_moves_nothing() -> None:
    there = settled([service()], pools=[FOUR])
    binding = vip("out", there[0].address, kind="Binding")
    assert not plan([service()], [*there, binding], pools=[FOUR]).updates


def test_an_older_object_of_another_namespace_makes_a_pool_give_another_one() -> None:
    there = settled([service()], pools=[FOUR])
    theirs = vip("x", there[0].address, "2020-01-01T00:00:00Z", namespace="other")
    found = got(settled([service()], vips=[*there, theirs], pools=[FOUR]))
    assert found["default/svc-web"] != theirs.address


# --- dual stack


def test_each_family_has_a_duravip_of_its_own() -> None:
    pools = [FOUR, pool("fd00::50-fd00::5f", name="six")]
    there = settled([service(**BOTH)], pools=pools, topologies=[LAN, SIX])
    assert got(there).keys() == {"default/svc-web", "default/svc-web-v6"}
    assert not plan([service(**BOTH)], there, pools, [LAN, SIX]).updates


def test_prefer_takes_what_there_is_and_require_all_or_nothing() -> None:
    assert got(settled([service(**BOTH)], pools=[FOUR])).keys() == {"default/svc-web"}
    found = plan([service(**REQUIRED)], pools=[FOUR])
    assert not found.creates
    assert why(found) == Reason.POOL_EXHAUSTED


def test_require_holds_no_address_for_what_it_cannot_get() -> None:
    one = [pool("10.1.1.50")]
    both = [service("a", **REQUIRED), service("b", created="2026-02-01T00:00:00Z")]
    assert got(settled(both, pools=one)) == {"default/svc-b": "10.1.1.50"}


def test_what_it_has_it_keeps_when_it_comes_to_require_both() -> None:
    there = settled([service()], pools=[FOUR])
    found = plan([service(**REQUIRED)], there, pools=[FOUR])
    assert not found.deletes
    assert found.statuses["default/web"].ingress == (there[0].address,)


def test_a_family_that_is_dropped_goes() -> None:
    pools = [FOUR, pool("fd00::50-fd00::5f", name="six")]
    there = settled([service(**BOTH)], pools=pools, topologies=[LAN, SIX])
    assert plan([service()], there, pools).deletes == {"default/svc-web-v6"}


def test_one_family_may_be_asked_for_and_the_other_come_from_a_pool() -> None:
    pools = [FOUR, pool("fd00::50", name="six")]
    body = service(annotations={"duravip.io/addresses": "10.1.1.9"}, **BOTH)
    assert got(settled([body], pools=pools, topologies=[LAN, SIX])) == {
        "default/svc-web": "10.1.1.9",
        "default/svc-web-v6": "fd00::50",
    }


def test_two_services_whose_duravips_would_have_one_name_do_not_fight() -> None:
    pools = [FOUR, pool("fd00::50-fd00::5f", name="six")]
    pair = [service(**BOTH), service("web-v6", created="2026-02-01T00:00:00Z")]
    there = settled(pair, pools=pools, topologies=[LAN, SIX])
    found = plan(pair, there, pools, [LAN, SIX])
    assert why(found, "default/web-v6") == Reason.NAME_TAKEN
    assert not found.deletes


def test_an_address_that_another_host_has_is_exchanged_unless_it_was_served() -> None:
    there = settled([service()], pools=[FOUR])
    moved = [replace(v, status={"lastMove": {"to": "n1"}}) for v in there]
    for vips, is_kept in ((there, False), (moved, True)):
        found = plan([service()], vips, [FOUR], occupied={there[0].address})
        assert bool(found.updates) is not is_kept
