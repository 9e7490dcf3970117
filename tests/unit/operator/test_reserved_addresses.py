"""Addresses that other hosts have for sure: refused, or said where one of ours serves them."""

from dataclasses import replace
from typing import Any

import pytest

from duravip_api.reasons import Reason
from duravip_operator.core import decision
from duravip_operator.core.snapshot import Liveness, Placement, Plumbing, Snapshot, Topology
from duravip_operator.watch.informers import api_addresses
from unit.operator.admission_world import NIC, duravip, refusal, topology, world

GATEWAY, API, OTHER = "10.1.0.1", "10.1.0.2", "10.1.1.1"
ETH1 = Placement("eth1", 32, fencing="Segment")


def known(*names: str, served: str = "", **status: Any) -> Snapshot:
    """A cluster whose node has routes over the gateway, and may serve one address already."""
    vips = tuple(replace(duravip(f"a/v{n}", name), status=status) for n, name in names_of(names))
    n1 = Plumbing(
        "n1",
        nics={"eth1": NIC},
        next_hops=frozenset({GATEWAY}),
        observed_generation=1,
        generation=1,
    )
    if served:
        n1 = replace(n1, grants={ETH1: frozenset({served})}, served=frozenset({served}))
    return replace(
        world(*vips),
        plumbings={"n1": n1},
        liveness={"n1": Liveness.ALIVE},
        api_hosts=frozenset({API}),
        witnessed={"n1": frozenset({"eth1"})},
    )


def names_of(names: tuple[str, ...]) -> list[tuple[int, str]]:
    return list(enumerate(names))


def reserving(*listed: str) -> Topology:
    return topology(reserved=list(listed))


@pytest.mark.parametrize(
    ("address", "reason", "why"),
    [
        (GATEWAY, Reason.NEXT_HOP, "is a next hop of node n1: a router has it"),
        (API, Reason.API_SERVER, "is an address of the API server"),
    ],
)
def test_what_a_router_or_the_api_server_has_is_broken(
    address: str, reason: Reason, why: str
) -> None:
    decided = decision.decide(known(address, OTHER), {})
    unit = decided.units[address]
    assert unit.broken == (reason, f"DuraVIP a/v0: spec.address: {address} {why}")
    assert decided.address_statuses[address].flags == "Broken"
    assert decided.plans["n1"].addresses == {OTHER}


@pytest.mark.parametrize("address", [GATEWAY, API])
def test_it_is_refused_when_it_is_written(address: str) -> None:
    said = refusal(known(), duravip("a/new", address))
    assert said.startswith(f"DuraVIP a/new: spec.address: {address} is ")
    assert said.endswith("; choose an address that no other host has")
    assert refusal(known(), duravip("a/new", OTHER)) == ""


@pytest.mark.parametrize("address", [GATEWAY, API])
def test_what_one_of_ours_serves_stays_and_is_said(address: str) -> None:
    snapshot = known(address, served=address)
    decided = decision.decide(snapshot, {})
    assert decided.plans["n1"].addresses == {address}
    advice = decided.status_of(snapshot.vips[0]).advisories
    assert [(kind, str(reason)) for kind, reason, _ in advice if kind == "Reserved"] == [
        ("Reserved", "NextHop" if address == GATEWAY else "ApiServer")
    ]


def test_what_was_served_stays_while_it_is_on_its_way_to_another_node() -> None:
    told = {"state": "Moving", "observedGeneration": 1, "lastMove": {"to": "n2"}}
    assert not decision.decide(known(GATEWAY, **told), {}).units[GATEWAY].broken
    refused = {**told, "state": "Broken"}
    assert decision.decide(known(GATEWAY, **refused), {}).units[GATEWAY].broken


def test_a_next_hop_that_is_reported_later_changes_the_next_decision() -> None:
    snapshot = known(GATEWAY)
    before = replace(snapshot, plumbings={"n1": replace(snapshot.plumbings["n1"], next_hops=())})
    last = decision.decide(before, {})
    assert not last.units[GATEWAY].broken
    assert decision.decide(snapshot, {}, last).units[GATEWAY].broken
    again = decision.decide(before, {}, decision.decide(snapshot, {}, last))
    assert not again.units[GATEWAY].broken


@pytest.mark.parametrize("served", ["", OTHER])
def test_what_a_topology_reserves_is_broken_whoever_has_it(served: str) -> None:
    snapshot = replace(
        known(OTHER, "10.1.1.9", "10.1.1.10", served=served),
        topologies=(reserving("10.1.1.10-10.1.2.0", "10.1.1.1", "10.1.1.3-10.1.1.5"),),
    )
    units = decision.decide(snapshot, {}).units
    assert units[OTHER].broken == (
        Reason.RESERVED,
        f"DuraVIP a/v0: spec.address: {OTHER} is reserved by spec.reserved of Topology lan",
    )
    assert not units["10.1.1.9"].broken
    assert units["10.1.1.10"].broken


def test_a_reserved_address_is_refused_when_it_is_written() -> None:
    snapshot = replace(known(), topologies=(reserving("10.1.1.0-10.1.1.7", "fd00:1::1"),))
    said = refusal(snapshot, duravip("a/new", OTHER))
    assert said.endswith("spec.reserved of Topology lan; choose an address that is not reserved")
    assert refusal(snapshot, duravip("a/new", "10.1.1.8")) == ""


@pytest.mark.parametrize(
    "item", ["10.1.1.9-10.1.1.1", "10.1.1.1-fd00::1", "gateway", "10.1.1.0/24"]
)
def test_a_topology_that_reserves_what_cannot_be_read_is_refused(item: str) -> None:
    message = refusal(known(), reserving(item))
    assert message.startswith("Topology lan: spec.reserved: not an address")


def test_a_range_is_never_spelled_out() -> None:
    assert len(reserving("::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff").reserved) == 1


def test_the_api_server_is_where_its_endpoints_and_our_own_connection_say() -> None:
    slices = [{"endpoints": [{"addresses": ["10.77.0.10", "fd00::a"]}, {}]}, {"endpoints": None}]
    assert set(api_addresses(slices, "https://10.96.0.1:443")) == {
        *("10.77.0.10", "fd00::a", "10.96.0.1")
    }
    assert list(api_addresses([], "https://api.example:6443")) == []
    assert list(api_addresses([], "https://[fd00::1]:6443")) == ["fd00::1"]
