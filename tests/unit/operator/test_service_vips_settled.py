"""What one plan takes over from the last: all that is settled, and nothing that differs."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from duravip_api.reasons import Reason
from duravip_operator.core.address_pools import AddressPool
from duravip_operator.core.service_addresses import MAX_NEW
from duravip_operator.core.service_vips import ServicePlan, ServiceSettings, plan_services
from duravip_operator.core.snapshot import VipObject
from unit.operator.service_world import asking, made, parsed, pool, service, topology, vip

SERVED: dict[str, Any] = {
    "observedGeneration": 1,
    "state": "Owned",
    "conditions": [{"type": "Ready", "status": "True", "reason": "Served", "message": "by n1"}],
}
BOTH = (asking("10.1.1.5"), asking("10.1.1.6", name="api"))


class Kept:
    """A cluster whose objects stay the very same ones from plan to plan, as in the caches."""

    def __init__(self, *bodies: Mapping[str, Any], pools: tuple[AddressPool, ...] = ()) -> None:
        self.services = parsed(*bodies)
        self.pools, self.topologies = pools, [topology()]
        self.vips: dict[str, VipObject] = {}
        self.last: ServicePlan | None = None

    def planned(self) -> ServicePlan:
        """The next plan; nothing of it is done yet."""
        self.last = plan_services(
            self.services,
            self.pools,
            self.vips.values(),
            self.topologies,
            ServiceSettings(),
            last=self.last,
        )
        return self.last

    def done(self) -> ServicePlan:
        """The next plan, and what it writes is there, and served."""
        found = self.planned()
        for key, body in {**found.creates, **found.updates}.items():
            self.vips[key] = made(body, **SERVED)
        return found

    def settled(self) -> set[str]:
        """The uids of what the last plan has for settled."""
        assert self.last
        assert self.last.memory
        return set(self.last.memory.settled)


def addresses(bodies: Mapping[str, Any]) -> dict[str, str]:
    return {key: body["spec"]["address"] for key, body in bodies.items()}


def kept(*bodies: Mapping[str, Any], **world: Any) -> Kept:
    """One in which all have what they ask for."""
    found = Kept(*bodies, **world)
    found.done()
    found.planned()
    return found


def test_what_is_settled_says_the_same_and_writes_nothing() -> None:
    cluster = kept(*BOTH)
    first = cluster.last
    assert first
    assert first.memory
    assert first.events
    for _ in range(2):
        found = cluster.planned()
        assert (found.creates, found.updates, found.deletes) == ({}, {}, frozenset())
        assert found.statuses == first.statuses
        assert found.events == ()
        assert found.memory
        assert found.memory.told == first.memory.told
        assert found.memory.pools is first.memory.pools, "it is not built anew"
        assert all(found.memory.settled[u] is one for u, one in first.memory.settled.items())
    assert cluster.settled() == {"uid-default-web", "uid-default-api"}


def test_a_service_that_differs_is_planned_anew() -> None:
    cluster = kept(*BOTH)
    cluster.services |= parsed(asking("10.1.1.7"))
    assert addresses(cluster.planned().updates) == {"default/svc-web": "10.1.1.7"}
    assert cluster.settled() == {"uid-default-api"}


def test_a_duravip_that_differs_is_put_right_and_one_that_is_gone_made_again() -> None:
    cluster = kept(*BOTH)
    right = cluster.vips["default/svc-web"]
    cluster.vips["default/svc-web"] = replace(right, address="10.1.1.9")
    assert addresses(cluster.planned().updates) == {"default/svc-web": "10.1.1.5"}
    cluster.vips["default/svc-web"] = right
    cluster.planned()
    cluster.planned()
    del cluster.vips["default/svc-web"]
    assert addresses(cluster.planned().creates) == {"default/svc-web": "10.1.1.5"}


def test_what_it_says_follows_its_duravip() -> None:
    cluster = kept(*BOTH)
    moving = {**SERVED, "conditions": [{**SERVED["conditions"][0], "reason": "Moving"}]}
    was = cluster.vips["default/svc-web"]
    cluster.vips["default/svc-web"] = replace(was, status=moving)
    condition = cluster.planned().statuses["default/web"].condition
    assert condition
    assert condition.reason == "Moving"


def test_an_address_that_something_else_names_as_well_is_looked_at_again() -> None:
    cluster = kept(service(), pools=(pool("10.1.1.50-10.1.1.51"),))
    had = cluster.vips["default/svc-web"].address
    older = vip("theirs", had, created="2020-01-01T00:00:00Z", namespace="b")
    cluster.vips["b/theirs"] = older
    other = {"10.1.1.50": "10.1.1.51", "10.1.1.51": "10.1.1.50"}[had]
    assert addresses(cluster.planned().updates) == {"default/svc-web": other}


def test_what_shares_an_address_is_not_settled() -> None:
    cluster = kept(asking("10.1.1.5"), asking("10.1.1.5", name="api", ports=["TCP/81"]))
    assert cluster.settled() == set()


def test_what_is_refused_is_not_settled_and_gets_it_once_it_can() -> None:
    cluster = kept(
        asking("10.1.1.5"), asking("10.1.1.5", name="api", created="2026-03-03T00:00:00Z")
    )
    assert cluster.settled() == {"uid-default-web"}
    del cluster.services["default/web"], cluster.vips["default/svc-web"]
    assert addresses(cluster.planned().creates) == {"default/svc-api": "10.1.1.5"}


def test_who_keeps_what_it_has_while_it_is_refused_is_not_settled() -> None:
    cluster = kept(asking("10.1.1.5"))
    cluster.services = parsed(asking("10.9.9.9"))
    cluster.planned()
    cluster.planned()
    assert cluster.settled() == set()


def test_who_names_a_duravip_follows_it() -> None:
    cluster = Kept(service(annotations={"duravip.io/vip": "front"}))
    cluster.vips["default/front"] = vip("front", "10.1.1.5")
    cluster.done()
    cluster.planned()
    assert cluster.settled() == set()
    cluster.vips["default/front"] = vip("front", "10.1.1.6")
    assert addresses(cluster.planned().updates) == {"default/svc-web": "10.1.1.6"}


def test_another_pool_is_heeded_by_those_that_were_settled() -> None:
    cluster = kept(service(), pools=(pool("10.1.1.50"),))
    assert cluster.settled() == {"uid-default-web"}
    cluster.pools = (pool("10.1.1.60"),)
    condition = cluster.planned().statuses["default/web"].condition
    assert condition
    assert condition.reason == Reason.OUT_OF_POOL


def test_what_is_being_changed_is_neither_changed_again_nor_settled() -> None:
    cluster = kept(asking("10.1.1.5"))
    was = cluster.vips["default/svc-web"]
    cluster.vips["in flight"] = replace(was, uid="")
    found = cluster.planned()
    assert (found.creates, found.updates) == ({}, {})
    assert cluster.settled() == set()
    cluster.vips["in flight"] = replace(was, uid="", address="10.1.1.9")
    cluster.planned()
    assert cluster.settled() == set(), "it is on its way to another address"


def test_a_duravip_that_is_named_may_come_to_have_an_address_of_the_family() -> None:
    asked = {"duravip.io/vip": "front", "duravip.io/addresses": "10.1.1.5"}
    cluster = Kept(service(annotations=asked))
    cluster.vips["default/front"] = vip("front", "fd00::1")
    assert addresses(cluster.done().creates) == {"default/svc-web": "10.1.1.5"}
    cluster.planned()
    cluster.vips["default/front"] = vip("front", "10.1.1.6")
    assert addresses(cluster.planned().updates) == {"default/svc-web": "10.1.1.6"}


def test_what_has_to_wait_is_told_the_same_later() -> None:
    cluster = Kept(*(service(f"s{n}") for n in range(MAX_NEW + 1)), pools=(pool("10.1.1.0/24"),))
    found = cluster.planned()
    assert found.is_partial
    assert found.memory
    assert len(found.memory.told) == MAX_NEW + 1


def test_a_service_of_another_class_loses_what_it_has_from_us_and_nothing_else() -> None:
    cluster = kept(asking("10.1.1.5"), asking("10.1.1.6", name="api"))
    ready = {"type": "duravip.io/Ready", "status": "True", "reason": "Served", "message": ""}
    ingress = [{"ip": a, "ipMode": "VIP"} for a in ("10.1.1.5", "10.1.1.6", "192.0.2.1")]
    status = {"loadBalancer": {"ingress": ingress}, "conditions": [ready]}
    cluster.vips["default/mine"] = vip("mine", "192.0.2.1")
    left = asking("10.1.1.5", loadBalancerClass="example.com/lb", status=status)
    cluster.services |= parsed(left)
    found = cluster.planned()
    assert found.statuses["default/web"].ingress == ("10.1.1.6", "192.0.2.1")
    assert found.deletes == {"default/svc-web"}
    del cluster.vips["default/svc-web"]
    leaving = parsed(left)["default/web"]._replace(is_leaving=True)
    cluster.services["default/web"] = leaving
    assert "default/web" not in cluster.planned().statuses, "nothing is said to who goes"


def test_what_was_told_it_counts_as_given_though_its_duravip_is_gone() -> None:
    cluster = kept(asking("10.1.1.5"))
    ready = {"type": "duravip.io/Ready", "status": "True", "reason": "Served", "message": ""}
    ingress = [{"ip": "10.1.1.5", "ipMode": "VIP"}]
    status = {"loadBalancer": {"ingress": ingress}, "conditions": [ready]}
    cluster.services = parsed(
        asking("10.1.1.5", loadBalancerClass="example.com/lb", status=status)
    )
    del cluster.vips["default/svc-web"]
    assert cluster.planned().statuses["default/web"].ingress == ()


def test_by_default_an_address_of_any_duravip_is_reason_enough() -> None:
    ingress = {"loadBalancer": {"ingress": [{"ip": "10.1.1.5", "ipMode": "VIP"}]}}
    services = parsed(service(loadBalancerClass=None, status=ingress))
    by_default = ServiceSettings(is_default=True)
    there = vip("front", "10.1.1.5")
    found = plan_services(services, (), [there], [topology()], by_default)
    assert "default/web" in found.statuses
    assert not plan_services(services, (), [], [topology()], by_default).statuses
