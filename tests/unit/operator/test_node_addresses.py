"""What it is worth that a node calls an address its own."""

from dataclasses import replace
from typing import Any

import pytest

from duravip_api.reasons import State
from duravip_operator.core import node_addresses, parsing
from duravip_operator.core.node_addresses import NodeClaims
from duravip_operator.core.snapshot import Node, Placement, Plumbing, Snapshot
from unit.operator.clusters import vip

A = vip(1).address
GRANTS = {Placement("eth1", 32): frozenset({A})}
SERVED = {"observedGeneration": 1, "state": State.OWNED, "lastMove": {"to": "n2"}}


def said(**status: Any) -> Plumbing:
    return parsing.plumbing({"metadata": {"name": "n1"}, "status": status})


def claims(*plumbings: Plumbing, **fields: Any) -> NodeClaims:
    seen = Snapshot(plumbings={one.node: one for one in plumbings}, **fields)
    return node_addresses.node_claims(seen, {A})


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
    assert (A in claims(said(own=own)).nodes) is claimed


def test_an_address_of_an_interface_or_of_the_node_object_is_a_nodes_own() -> None:
    nic = {"name": "eth1", "index": 2, "addresses": [f"{A}/16"]}
    listed = {"n2": Node("n2", addresses=frozenset({A, "10.9.9.9"}))}
    found = claims(said(nics=[nic]), nodes=listed)
    assert found.nodes == {A: {"n1", "n2"}}
    assert found.in_service == frozenset()


def test_what_nobody_names_is_nobodys_business() -> None:
    assert claims(said(own=["10.9.9.9"])) is node_addresses.NO_CLAIMS


def test_what_a_node_serves_under_its_grant_is_in_service() -> None:
    owner = Plumbing("n2", grants=GRANTS, served=frozenset({A}))
    assert claims(said(own=[A]), owner).in_service == {A}
    assert claims(said(own=[A]), replace(owner, grants={})).in_service == frozenset()
    assert claims(said(own=[A]), replace(owner, served=frozenset())).in_service == frozenset()


@pytest.mark.parametrize(
    ("status", "is_in_service"),
    [
        (SERVED, True),
        ({**SERVED, "state": State.UNASSIGNED}, True),
        ({**SERVED, "state": State.BROKEN}, False),
        ({**SERVED, "observedGeneration": 0}, False),
        ({**SERVED, "lastMove": None}, False),
    ],
)
def test_the_status_of_the_object_remembers_that_it_was_served(
    status: dict[str, Any], is_in_service: bool
) -> None:
    found = claims(said(own=[A]), vips=(replace(vip(1), status=status),))
    assert (A in found.in_service) is is_in_service


def test_the_addresses_of_hosts_are_those_of_nodes_routers_and_the_api_server() -> None:
    nic = {"name": "eth1", "index": 2, "addresses": ["10.1.0.11/16"]}
    one = said(nics=[nic], own=["10.1.0.30-10.1.0.31", "10.2.0.0-10.2.255.255"])
    seen = Snapshot(
        plumbings={"n1": replace(one, next_hops=frozenset({"10.1.0.1"}))},
        nodes={"n1": Node("n1", addresses=frozenset({"10.77.0.11"}))},
        api_hosts=frozenset({"10.77.0.2"}),
    )
    assert node_addresses.host_addresses(seen) == {
        "10.1.0.11", "10.1.0.30", "10.1.0.31", "10.1.0.1", "10.77.0.11", "10.77.0.2",
    }  # fmt: skip
