"""One block on nodes whose interfaces have different names, and a node that has two of them."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from api.objects import apply, duravip
from faults.expected import (
    ADDRESSES,
    OWNERS,
    SOON,
    VICTIM,
    assert_one_owner,
    assert_others_undisturbed,
    home,
    moved,
)
from lab.cluster import Lab
from lab.fleet import Fleet, wait_until
from lab.layout import SEGMENT, Nic

NAMES = {"n1": "eth1", "n2": "ens192", "n3": "enp1s0"}
SPARE = Nic("ens192", SEGMENT, ("10.1.0.113/16", "fd00:1::113/64"))
"""The second card of n3 on the same segment."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    lab = Lab("api")
    for node in lab.nodes:
        control, segment = node.blueprint.nics
        named = replace(segment, name=NAMES[node.name])
        spare = (SPARE,) if node.name == "n3" else ()
        node.blueprint = replace(node.blueprint, nics=(control, named, *spare))
    with lab:
        yield lab


def answer_where_it_is(lab: Lab) -> None:
    """Let each card of n3 answer for its own addresses alone, and nothing leave by a dead one."""
    for setting in ("arp_ignore", "ignore_routes_with_linkdown"):
        lab.machines["n3"].run(["sysctl", "-qw", f"net.ipv4.conf.all.{setting}=1"])


@pytest.fixture(scope="module")
def fleet(lab: Lab) -> Fleet:
    answer_where_it_is(lab)
    fleet = Fleet(lab)
    fleet.start(("cp", "n1"))
    spec = {"cidr": "10.1.0.0/16", "interfaces": ["eth1", "enp1s0", "ens192"]}
    kind = {"apiVersion": "duravip.io/v1alpha1", "kind": "Topology"}
    apply(lab, [{**kind, "metadata": {"name": "lan"}, "spec": spec}])
    apply(lab, [duravip(f"vip-{a[-1]}", a, preference=node) for a, node in OWNERS.items()])
    home(fleet)
    return fleet


def interfaces(lab: Lab) -> dict[str, str]:
    """`{address: the interface that its status names}`."""
    items = json.loads(lab.kubectl("get", "dvip", "-o=json"))["items"]
    return {item["spec"]["address"]: item["status"].get("interface", "") for item in items}


def test_each_node_serves_on_its_own_and_is_witnessed_there(lab: Lab, fleet: Fleet) -> None:
    def is_told() -> bool:
        status = json.loads(lab.kubectl("get", "dvt", "lan", "-o=json"))["status"]
        conditions = {one["type"]: one["status"] for one in status["conditions"]}
        used = dict.fromkeys(NAMES.values(), 1)
        return status["interfaces"] == used and conditions.get("NoWitness", "False") == "False"

    home(fleet)
    wait_until(is_told, "every node has a witness")
    assert interfaces(lab) == {a: NAMES[node] for a, node in OWNERS.items()}


def test_a_crash_moves_the_address_to_an_interface_of_another_name(lab: Lab, fleet: Fleet) -> None:
    with lab.observe(ADDRESSES) as seen:
        when = lab.machines["n3"].crash()
        moved(fleet)
        lab.machines["n3"].power_on()
        answer_where_it_is(lab)
        fleet.start_agent("n3")
        home(fleet)
    assert_one_owner(seen.sight)
    assert_others_undisturbed(seen.sight)
    assert seen.sight.back_after(VICTIM, when) < SOON


def test_an_address_changes_to_the_nodes_other_interface_and_back(lab: Lab, fleet: Fleet) -> None:
    home(fleet)
    for up, name in ((False, "ens192"), (True, "enp1s0")):
        with lab.observe(ADDRESSES) as seen:
            lab.machines["n3"].cable("enp1s0", up=up)
            wait_until(lambda n=name: interfaces(lab)[VICTIM] == n, f"it is on {name}")
            wait_until(lambda: set(lab.who_answers([VICTIM]).values()) == {"n3"}, "n3 answers")
        assert_one_owner(seen.sight)
        assert_others_undisturbed(seen.sight)
        assert {held.machine for held in seen.sight.holdings[VICTIM]} == {"n3"}
        print(f"on {name} after {seen.sight.gap(VICTIM):.2f} s without it")
        assert seen.sight.gap(VICTIM) < SOON
