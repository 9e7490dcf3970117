"""How the agent parses its NodePlumbing."""

from typing import Any

import pytest

from duravip_agent.core.fencing import InterfaceShare
from duravip_agent.core.node_spec import Placement, parse_node_spec

Body = dict[str, Any]


def plumbing(
    *granted: str, version: int = 1, generation: int = 1, epoch: int = 0, uid: str = "u1"
) -> Body:
    return {
        "metadata": {"uid": uid, "resourceVersion": str(version), "generation": generation},
        "spec": {
            "epoch": epoch,
            "interfaces": [{"name": "eth0", "mask": 32, "granted": list(granted)}],
        },
    }


def test_ranges_are_expanded_and_keep_their_placement() -> None:
    grant = parse_node_spec(plumbing("10.1.1.1-10.1.1.3", "10.1.1.9"))
    where = Placement("eth0", 32)
    assert grant.wanted == dict.fromkeys(("10.1.1.1", "10.1.1.2", "10.1.1.3", "10.1.1.9"), where)


def test_contested_addresses_are_wanted_too_and_are_told_apart() -> None:
    body = plumbing("10.1.1.1", "10.1.1.2")
    body["spec"]["interfaces"][0]["contested"] = ["10.1.1.2-10.1.1.3"]
    grant = parse_node_spec(body)
    assert set(grant.wanted) == {"10.1.1.1", "10.1.1.2", "10.1.1.3"}
    assert grant.shares == (
        InterfaceShare("eth0", frozenset({"10.1.1.1"}), frozenset({"10.1.1.2", "10.1.1.3"})),
    )


def test_an_interface_is_strict_when_all_of_its_entries_are() -> None:
    body = plumbing("10.1.1.1")
    strict = body["spec"]["interfaces"][0] | {"fencing": "Strict"}
    body["spec"]["interfaces"] = [strict, strict | {"name": "eth1"}, {"name": "eth1", "mask": 128}]
    grant = parse_node_spec(body)
    assert grant.strict == ("eth0",)
    assert [share.is_strict for share in grant.shares] == [True, True, False]


@pytest.mark.parametrize(
    "bad", ["10.1.1", "10.1.1.9-10.1.1.1", "0.0.0.0-255.255.255.255", "10.1.1.1-fd00::1"]
)
def test_an_entry_that_cannot_be_read_costs_only_itself(bad: str) -> None:
    grant = parse_node_spec(plumbing("10.1.1.1", bad))
    assert set(grant.wanted) == {"10.1.1.1"}
    assert set(grant.failures) == {bad}


def test_a_mask_that_does_not_fit_is_named() -> None:
    body = plumbing("10.1.1.1")
    body["spec"]["interfaces"][0]["mask"] = 64
    assert parse_node_spec(body).failures == {
        "10.1.1.1": "the entry is not understood: a mask of 64 does not fit the address"
    }
