"""Services of type LoadBalancer on a real API server: from the Service to an address that answers.

Nothing but our operator runs beside the API server: what it does not do, nobody does.
"""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client

from api.objects import Body, address_pool, apply, delete_all, duravip, service
from lab.cluster import Lab
from lab.errors import LabError
from lab.fleet import Fleet, wait_until

LAB = "fleet"
CROWD = 100
CONDITION = "duravip.io/Ready"


class Services:
    """The Services of the namespace default, by a client that stays connected."""

    def __init__(self, lab: Lab, fleet: Fleet) -> None:
        self.lab, self.fleet = lab, fleet
        self._core = client.CoreV1Api(lab.api())
        self._custom = client.CustomObjectsApi(lab.api())

    def get(self, name: str) -> Body:
        found = self._core.read_namespaced_service(name, "default", _preload_content=False)
        body: Body = json.loads(found.data)
        return body

    def ingress(self) -> dict[str, list[str]]:
        """By Service: the addresses of its status, all of mode VIP."""
        listed = self._core.list_namespaced_service("default", _preload_content=False)
        found = {}
        for body in json.loads(listed.data)["items"]:
            if body["spec"]["type"] == "LoadBalancer":
                items = body["status"]["loadBalancer"].get("ingress", [])
                assert all(item["ipMode"] == "VIP" for item in items)
                found[body["metadata"]["name"]] = [item["ip"] for item in items]
        return found

    def reason(self, name: str) -> str:
        """The reason of its condition; empty: it has none."""
        conditions = self.get(name).get("status", {}).get("conditions", ())
        return next((str(c["reason"]) for c in conditions if c["type"] == CONDITION), "")

    def vips(self) -> dict[str, Body]:
        listed = self._custom.list_namespaced_custom_object(
            "duravip.io", "v1alpha1", "default", "duravips"
        )
        return {body["metadata"]["name"]: body for body in listed["items"]}

    def pool(self, name: str) -> Body:
        found: Body = self._custom.get_cluster_custom_object(
            "duravip.io", "v1alpha1", "addresspools", name
        )
        return found

    def until_served(self, wanted: dict[str, str]) -> None:
        """Wait until these Services have these addresses, and nodes serve them."""

        def are_served() -> bool:
            ingress, owners = self.ingress(), self.fleet.owners()
            return all(
                ingress.get(name) == [address] and owners.get(address)
                for name, address in wanted.items()
            )

        wait_until(are_served, f"served: {wanted}")


@pytest.fixture
def services(lab: Lab, fleet: Fleet) -> Iterator[Services]:
    """None at first, and none is left."""
    services = Services(lab, fleet)
    yield services
    for name in services.ingress():
        lab.kubectl("delete", "service", name, "--wait=false")
    lab.kubectl("delete", "addresspools", "--all", "--wait=false")
    delete_all(lab)
    wait_until(lambda: not fleet.owners() and not services.vips(), "all is released")


def test_a_service_gets_the_address_that_it_asks_for_and_a_node_serves_it(
    lab: Lab, services: Services
) -> None:
    apply(lab, [service("web", "10.1.1.51")])
    services.until_served({"web": "10.1.1.51"})
    made = services.vips()["svc-web"]
    assert made["spec"]["address"] == "10.1.1.51"
    assert made["spec"]["expose"] == "Declared"
    assert made["spec"]["services"] == [{"name": "http", "port": 80, "protocol": "TCP"}]
    owner = made["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["uid"]) == ("Service", services.get("web")["metadata"]["uid"])
    wait_until(lambda: services.reason("web") == "Served", "its condition says so")


def test_nothing_is_written_while_nothing_changes(lab: Lab, services: Services) -> None:
    apply(lab, [service("web", "10.1.1.51"), service("dns", "10.1.1.52")])
    services.until_served({"web": "10.1.1.51", "dns": "10.1.1.52"})

    def versions() -> str:
        path = "-o=jsonpath={.items[*].metadata.resourceVersion}"
        return lab.kubectl("get", "services,duravips,dvt,dvn,dvap", "-A", path)

    def is_still() -> bool:
        before = versions()
        time.sleep(12)
        return versions() == before

    wait_until(is_still, "nothing is written any more")


def test_a_deleted_service_gives_its_address_back(lab: Lab, services: Services) -> None:
    apply(lab, [service("web", "10.1.1.51"), service("dns", "10.1.1.52")])
    services.until_served({"web": "10.1.1.51", "dns": "10.1.1.52"})
    lab.kubectl("delete", "service", "web")
    wait_until(lambda: set(services.fleet.owners()) == {"10.1.1.52"}, "one is left")
    assert set(services.vips()) == {"svc-dns"}


def test_what_is_deleted_while_no_operator_runs_is_given_back_by_the_next(
    lab: Lab, services: Services
) -> None:
    apply(lab, [service("web", "10.1.1.51"), service("dns", "10.1.1.52")])
    services.until_served({"web": "10.1.1.51", "dns": "10.1.1.52"})
    fleet = services.fleet
    for operator in fleet.operators.values():
        operator.kill()
    lab.kubectl("delete", "service", "web")
    for machine in list(fleet.operators):
        fleet.start_operator(machine)
    wait_until(lambda: set(fleet.owners()) == {"10.1.1.52"}, "one is left", 60)

    def is_plumbed() -> bool:
        return any("10.1.1.51" in listed for listed in fleet.served().values())

    wait_until(lambda: not is_plumbed(), "no node has it")
    assert set(services.vips()) == {"svc-dns"}


def test_a_service_of_another_type_or_class_is_left_alone(lab: Lab, services: Services) -> None:
    others = service("other", "10.1.1.53", loadBalancerClass="example.org/other")
    apply(lab, [service("web", "10.1.1.51"), others])
    services.until_served({"web": "10.1.1.51"})
    assert services.ingress()["other"] == []
    apply(lab, [service("web", "10.1.1.51", type="ClusterIP", loadBalancerClass=None)])
    wait_until(lambda: not services.fleet.owners(), "its address is gone")
    assert not services.vips()
    wait_until(lambda: services.reason("web") == "", "nothing is said of it any more")
    assert services.reason("other") == ""


def test_an_edit_moves_the_service_to_another_address(lab: Lab, services: Services) -> None:
    apply(lab, [service("web", "10.1.1.51")])
    services.until_served({"web": "10.1.1.51"})
    uid = services.vips()["svc-web"]["metadata"]["uid"]
    lab.kubectl("annotate", "duravip", "svc-web", "example.org/note=mine")
    apply(lab, [service("web", "10.1.1.54")])
    services.until_served({"web": "10.1.1.54"})
    assert set(services.fleet.owners()) == {"10.1.1.54"}
    meta = services.vips()["svc-web"]["metadata"]
    assert meta["uid"] == uid
    assert meta["annotations"]["example.org/note"] == "mine"


def test_what_a_hand_changes_of_a_generated_object_is_put_back(
    lab: Lab, services: Services
) -> None:
    apply(lab, [service("web", "10.1.1.51")])
    services.until_served({"web": "10.1.1.51"})
    patch = json.dumps({"spec": {"address": "10.1.1.59", "services": None}})
    lab.kubectl("patch", "duravip", "svc-web", "--type=merge", f"--patch={patch}")
    lab.kubectl("wait", "duravip", "svc-web", "--for=jsonpath={.spec.address}=10.1.1.51")
    services.until_served({"web": "10.1.1.51"})
    lab.kubectl("delete", "duravip", "svc-web")
    services.until_served({"web": "10.1.1.51"})


def test_a_foreign_object_of_the_name_is_neither_taken_nor_changed(
    lab: Lab, services: Services
) -> None:
    apply(lab, [duravip("svc-web", "10.1.1.70")])
    wait_until(lambda: services.fleet.owners().get("10.1.1.70", "") != "", "it is served")
    apply(lab, [service("web", "10.1.1.51")])
    wait_until(lambda: services.reason("web") == "NameTaken", "it is told")
    assert services.ingress()["web"] == []
    assert services.vips()["svc-web"]["spec"]["address"] == "10.1.1.70"
    lab.kubectl("delete", "duravip", "svc-web")
    services.until_served({"web": "10.1.1.51"})


def test_conditions_of_others_stay(lab: Lab, services: Services) -> None:
    apply(lab, [service("web", "10.1.1.51")])
    services.until_served({"web": "10.1.1.51"})
    theirs = {
        "type": "example.org/Checked",
        "status": "True",
        "reason": "Fine",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    patch = json.dumps({"status": {"conditions": [theirs]}})
    lab.kubectl("patch", "service", "web", "--subresource=status", f"--patch={patch}")
    apply(lab, [service("web", "10.1.1.55")])
    services.until_served({"web": "10.1.1.55"})
    wait_until(lambda: services.reason("web") == "Served", "its condition is there")
    kinds = {c["type"] for c in services.get("web")["status"]["conditions"]}
    assert kinds == {CONDITION, "example.org/Checked"}


def test_a_pool_gives_addresses_until_it_is_exhausted_and_goes_on_when_it_grows(
    lab: Lab, services: Services
) -> None:
    names = ("one", "two", "three")
    apply(lab, [address_pool("lan", "10.1.1.60-10.1.1.61")])
    apply(lab, [service(name) for name in names])

    def served() -> set[str]:
        return {address for found in services.ingress().values() for address in found}

    wait_until(lambda: served() == {"10.1.1.60", "10.1.1.61"}, "two have an address")
    (left,) = (name for name, found in services.ingress().items() if not found)
    wait_until(lambda: services.reason(left) == "PoolExhausted", "the third is told")
    wait_until(lambda: services.pool("lan").get("status", {}).get("used4") == 2, "it counts")
    assert services.pool("lan")["status"]["total4"] == 2
    apply(lab, [address_pool("lan", "10.1.1.60-10.1.1.62")])
    wait_until(lambda: served() == {f"10.1.1.{n}" for n in (60, 61, 62)}, "all have one")
    wait_until(lambda: all(services.fleet.owners().get(a) for a in served()), "all are served")


def test_a_service_that_is_made_again_gets_its_old_address(lab: Lab, services: Services) -> None:
    apply(lab, [address_pool("lan", "10.1.1.100-10.1.1.200"), service("web"), service("dns")])
    wait_until(lambda: all(services.ingress().values()), "both have one")
    before = services.ingress()
    lab.kubectl("delete", "service", "web")
    wait_until(lambda: set(services.vips()) == {"svc-dns"}, "it is gone")
    apply(lab, [service("web")])
    wait_until(lambda: bool(services.ingress()["web"]), "it has one")
    assert services.ingress() == before


def test_two_services_of_a_namespace_share_an_address_unless_a_port_clashes(
    lab: Lab, services: Services
) -> None:
    def dns(name: str, protocol: str) -> Body:
        return service(name, "10.1.1.53", ports=[{"port": 53, "protocol": protocol}])

    apply(lab, [dns("tcp", "TCP")])
    services.until_served({"tcp": "10.1.1.53"})
    time.sleep(1.1)  # which of them is older is told in seconds
    apply(lab, [dns("udp", "UDP"), dns("clash", "TCP")])
    services.until_served({"tcp": "10.1.1.53", "udp": "10.1.1.53"})
    wait_until(lambda: services.reason("clash") == "PortTaken", "the younger is told")
    lab.kubectl("delete", "service", "tcp")
    services.until_served({"clash": "10.1.1.53", "udp": "10.1.1.53"})


def test_a_hundred_at_once_get_different_addresses(lab: Lab, services: Services) -> None:
    apply(lab, [address_pool("lan", "10.1.70.0/24")])
    began = time.monotonic()
    apply(lab, [service(f"crowd-{n}") for n in range(CROWD)])

    def addresses() -> list[str]:
        return [address for found in services.ingress().values() for address in found]

    wait_until(lambda: len(addresses()) == CROWD, "all have an address")
    print(f"{CROWD} Services: an ingress for all after {time.monotonic() - began:.1f} s")
    assert len(set(addresses())) == CROWD
    wait_until(lambda: all(services.fleet.owners().get(a) for a in addresses()), "served")


def test_operators_that_are_killed_in_mid_churn_give_out_nothing_twice(
    lab: Lab, services: Services
) -> None:
    fleet = services.fleet
    apply(lab, [address_pool("lan", "10.1.71.0/27")])
    for turn in range(3):
        apply(lab, [service(f"churn-{turn}-{n}") for n in range(8)])
        if turn:
            lab.kubectl("delete", "service", *(f"churn-{turn - 1}-{n}" for n in range(0, 8, 2)))
        leader = fleet.leader()
        if leader:
            fleet.operators[leader].kill()
            time.sleep(0.3)
            fleet.start_operator(leader)

    def is_settled() -> bool:
        """Every Service has one address that is served, and no other is."""
        found = services.ingress()
        given = [address for addresses in found.values() for address in addresses]
        owners = fleet.owners()
        is_whole = all(len(addresses) == 1 for addresses in found.values())
        return is_whole and set(given) == set(owners) and all(owners.values())

    wait_until(is_settled, "every Service is served")
    given = [address for addresses in services.ingress().values() for address in addresses]
    assert len(set(given)) == len(given)
    assert set(services.vips()) == {f"svc-{name}" for name in services.ingress()}


def test_pools_that_overlap_are_told(lab: Lab, services: Services) -> None:
    apply(lab, [address_pool("lan", "10.1.1.60-10.1.1.69")])
    time.sleep(1.1)
    apply(lab, [address_pool("twin", "10.1.1.69-10.1.1.79")])

    def message() -> str:
        conditions: list[Any] = services.pool("twin").get("status", {}).get("conditions", [])
        return next((c["message"] for c in conditions if c["type"] == "Ready"), "")

    wait_until(lambda: "lan" in message(), "the younger is told")


def test_columns_of_pools(lab: Lab, services: Services) -> None:
    apply(lab, [address_pool("lan", "10.1.1.60-10.1.1.69"), service("web")])
    wait_until(lambda: services.pool("lan").get("status", {}).get("used4") == 1, "it counts")
    head, line = lab.kubectl("get", "dvap").splitlines()
    assert head.split() == ["NAME", "RANGES", "AUTO", "USED4", "TOTAL4", "USED6", "TOTAL6", "AGE"]
    assert line.split()[:5] == ["lan", '["10.1.1.60-10.1.1.69"]', "true", "1", "10"]


def test_a_pool_of_nonsense_is_refused(lab: Lab, services: Services) -> None:
    assert services
    for wrong in ("10.1.1.60-", "10.1.1.7/24", "010.1.1.1", "lan"):
        with pytest.raises(LabError, match=r"spec\.ranges"):
            apply(lab, [address_pool("wrong", wrong)])
