"""Services of another controller are taken over with the addresses that they have.

The other controller is a stand-in in MetalLB's form: it has written the Service's status, and a
program on one of the nodes answers ARP for an address that no interface has. What comes in there
is translated, as kube-proxy does it.

Charts that know only the words of other controllers get what they ask for as well.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from api.objects import address_pool, apply, status, topology
from api.plugin import called, told
from lab import strangers
from lab.cluster import Lab
from lab.fleet import Fleet, wait_until
from lab.processes import Process

LAB = "takeover"
CHARTS: Final = Path(__file__).with_name("charts")
ADDRESS: Final = "10.1.1.240"
TRANSLATED: Final = f"""
table ip others {{
    chain nat {{
        type nat hook prerouting priority dstnat
        ip daddr {ADDRESS} dnat to 10.1.0.11
    }}
}}
"""
PLANNED_MOVE: Final = 0.025 + 0.5
"""Seconds that a planned move may take, and what a busy machine may add."""
POOL: Final = {
    "apiVersion": "duravip.io/v1alpha1",
    "kind": "AddressPool",
    "metadata": {"name": "theirs"},
    "spec": {"ranges": ["10.1.1.240-10.1.1.250"]},
}


def theirs(name: str, annotations: dict[str, str]) -> dict[str, Any]:
    """A Service without a class, as charts have it."""
    metadata = {"name": name, "namespace": "default", "annotations": annotations}
    spec = {"type": "LoadBalancer", "ports": [{"port": 80}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def give(lab: Lab, name: str, address: str) -> None:
    """Write an address into the Service's status, as another controller does."""
    patch = {"status": {"loadBalancer": {"ingress": [{"ip": address, "ipMode": "VIP"}]}}}
    lab.kubectl(
        "patch", "service", name, "--subresource=status", "--type=merge", "-p", json.dumps(patch)
    )


def ingress(lab: Lab, name: str) -> list[str]:
    found = json.loads(lab.kubectl("get", "service", name, "-o=json"))["status"]
    return [item["ip"] for item in found["loadBalancer"].get("ingress", [])]


@pytest.fixture(scope="module")
def default(lab: Lab) -> Fleet:
    """An operator that takes over Services without a class, where another has served one."""
    fleet = Fleet(lab)
    fleet.start_operator("n1", "--default-load-balancer")
    for node in lab.nodes:
        fleet.start_agent(node.name)
    wait_until(lambda: fleet.leader() == "n1", "it leads")
    apply(lab, [topology()])
    return fleet


@pytest.fixture
def served(lab: Lab, default: Fleet) -> Iterator[None]:
    """A Service that the other controller serves. Until it did, ours has said what it lacks."""
    assert default.leader()
    asked = {"metallb.io/address-pool": "theirs", "duravip.io/preference": "n2"}
    apply(lab, [theirs("web", asked)])
    give(lab, "web", ADDRESS)
    yield
    lab.kubectl("delete", "service/web", "addresspool/theirs", "--ignore-not-found")
    wait_until(lambda: not default.owners(), "its DuraVIP is gone")


@pytest.fixture
def speaker(lab: Lab) -> Iterator[Process]:
    """What answers for the address on n1, until it is stopped."""
    lab.machines["n1"].run(["nft", "-f", "-"], TRANSLATED)
    running = strangers.answering(lab.machines["n1"], ADDRESS)
    yield running
    running.terminate()
    lab.machines["n1"].run(["nft", "delete", "table", "ip", "others"])


@pytest.mark.usefixtures("served")
def test_a_service_keeps_its_address_through_every_step(
    lab: Lab, default: Fleet, speaker: Process
) -> None:
    not_ours = "as long as no pool has its address it is not ours"
    wait_until(lambda: told(lab, "services") == [], not_ours)
    assert ingress(lab, "web") == [ADDRESS]

    with lab.observe([ADDRESS]) as seen:
        apply(lab, [POOL])
        in_use = "the new owner has asked, and waits"
        wait_until(lambda: "AddressInUse" in _reason(lab), in_use)
        assert ingress(lab, "web") == [ADDRESS]
        assert not default.owners()[ADDRESS]

        speaker.terminate()
        wait_until(lambda: default.owners()[ADDRESS] == "n2", "n2 has taken it")
    gap = seen.sight.gap(ADDRESS)
    print(f"the client went without it for {gap * 1000:.0f} ms")
    assert gap < PLANNED_MOVE
    assert seen.sight.double_owners == 0
    wait_until(lambda: not told(lab, "services")[0]["problems"], "nothing is wrong any more")
    (row,) = told(lab, "services")
    assert (row["addresses"], row["owners"], row["pools"]) == ([ADDRESS], ["n2"], ["theirs"])
    assert called(lab, "doctor")[1].count("all 1 have their addresses") == 1


def _reason(lab: Lab) -> str:
    """What is said of the generated DuraVIP."""
    found = lab.kubectl("get", "duravip", "svc-web", "--ignore-not-found", "-o=name")
    if not found:
        return ""
    conditions = status(lab, "duravip", "svc-web").get("conditions", [])
    return " ".join(str(c["reason"]) for c in conditions)


def test_charts_that_know_only_other_controllers_get_what_they_ask_for(
    lab: Lab, default: Fleet
) -> None:
    apply(
        lab,
        [
            topology("six", "fd00:1::/64"),
            address_pool("front", "10.1.1.230-10.1.1.239", autoAssign=False),
        ],
    )
    files = sorted(CHARTS.glob("*.yaml"))
    for file in files:
        lab.kubectl("apply", "-f", str(file))
    wanted = {
        "ingress-controller": {"10.1.1.230"},
        "dns": {"10.1.1.231", "fd00:1::231"},
        "sinkhole-tcp": {"10.1.1.232"},
        "sinkhole-udp": {"10.1.1.232"},
    }

    def are_served() -> bool:
        owners = default.owners()
        return all(
            set(ingress(lab, name)) == addresses and all(map(owners.get, addresses))
            for name, addresses in wanted.items()
        )

    wait_until(are_served, "every chart has its addresses, and nodes serve them")
    for file in files:
        lab.kubectl("delete", "-f", str(file))
    lab.kubectl("delete", "addresspool/front", "topology/six")
    wait_until(lambda: not default.owners(), "their DuraVIPs are gone")
