"""What is decided where a report says, or may mean, that it is not whole."""

from dataclasses import replace
from typing import Any

import pytest

from duravip_operator.core import decision, node_addresses, parsing, quarantine, releases
from duravip_operator.core.releases import ConfirmedReleases
from duravip_operator.core.snapshot import Plumbing, Snapshot
from duravip_operator.core.subnets import Subnets
from unit.operator.admission_world import topology
from unit.operator.clusters import cluster, vip

LAN = topology(cidr="10.2.0.0/16")
NIC = {"name": "eth1", "index": 2, "up": True, "carrier": True}
SIXTY_FOUR = [f"10.1.0.{n}/16" for n in range(1, 65)]


def said(**status: Any) -> Plumbing:
    body = {"metadata": {"name": "n1", "generation": 1}, "status": status}
    return parsing.plumbing(body)


def foreign(**nic: Any) -> bool:
    snapshot = Snapshot(plumbings={"n1": said(nics=[{**NIC, **nic}])})
    return "n1" in Subnets(snapshot).off_subnet_nodes(LAN, "10.2.1.1")


def test_a_node_is_foreign_only_if_all_its_networks_are_known() -> None:
    assert foreign(addresses=["10.1.0.11/16"])
    assert foreign(addresses=SIXTY_FOUR, networks=["10.1.0.0/16"])
    assert not foreign(addresses=SIXTY_FOUR, addressesOmitted=9, networks=["10.2.0.0/16"])
    assert not foreign(addresses=SIXTY_FOUR, addressesOmitted=900)
    assert not foreign(addresses=SIXTY_FOUR)  # of an agent that says nothing of the others


@pytest.mark.parametrize(
    ("own", "claimed"),
    [
        (["10.1.1.1"], True),
        (["10.1.0.250-10.1.1.4"], True),
        (["10.1.0.0-10.1.255.255"], True),
        (["10.1.1.2", "fd00::1-fd00::ffff:ffff"], False),
        (["nonsense", "10.1.1.1,x"], True),
    ],
)
def test_an_address_in_a_range_of_own_ones_is_a_nodes_own(own: list[str], claimed: bool) -> None:
    found = node_addresses.node_claims(Snapshot(plumbings={"n1": said(own=own)}), {"10.1.1.1"})
    assert ("10.1.1.1" in found.nodes) is claimed


@pytest.mark.parametrize(
    "status",
    [
        {"ownOmitted": 1},
        {"own": ["nonsense"]},
        {"own": 7},
        {"nics": [{**NIC, "addresses": SIXTY_FOUR}]},
    ],
)
def test_where_a_node_may_have_more_addresses_others_ask_first(status: dict[str, Any]) -> None:
    found = said(**status)
    assert not found.lists_all_own
    snapshot = cluster((vip(1, preference="n2"),), ("n1", "n2"))
    for tells_all in (True, False):
        plumbings = {
            **snapshot.plumbings,
            "n1": replace(snapshot.plumbings["n1"], lists_all_own=tells_all),
        }
        seen = replace(snapshot, plumbings=plumbings)
        records = releases.update_records({}, seen)
        released = ConfirmedReleases(released=frozenset({vip(1).address}))
        records["n1"] = replace(records["n1"], confirmed=released)
        plan = decision.decide(seen, records).plans["n2"]
        assert bool(plan.contested) is not tells_all


def test_what_fails_beyond_the_list_is_given_up_too() -> None:
    interface = {"name": "eth1", "mask": 32, "granted": ["10.1.1.1-10.1.1.3"]}
    failures = [{"address": "10.1.1.1", "message": "no"}]
    body = {
        "metadata": {"name": "n1", "generation": 1},
        "spec": {"epoch": 1, "interfaces": [interface], "grantedCount": 3},
        "status": {"served": ["10.1.1.2"], "failures": failures, "failuresOmitted": 1},
    }
    known = quarantine.update_failures({}, {"n1": parsing.plumbing(body)}, 0.0, 10.0)
    assert {address for _, address in known} == {"10.1.1.1", "10.1.1.3"}
