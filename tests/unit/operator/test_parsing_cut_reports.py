"""What is decided where a report says, or may mean, that it is not whole."""

from dataclasses import replace
from typing import Any

import pytest

from duravip_operator.core import decision, parsing, quarantine, releases
from duravip_operator.core.releases import ConfirmedReleases
from duravip_operator.core.snapshot import Plumbing
from unit.operator.clusters import cluster, vip

NIC = {"name": "eth1", "index": 2, "up": True, "carrier": True}
SIXTY_FOUR = [f"10.1.0.{n}/16" for n in range(1, 65)]


def said(**status: Any) -> Plumbing:
    body = {"metadata": {"name": "n1", "generation": 1}, "status": status}
    return parsing.plumbing(body)


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
