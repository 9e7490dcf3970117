"""Which Topology an address belongs to, and which nodes are off its subnet."""

from dataclasses import replace
from typing import Any

import pytest

from duravip_api.reasons import Reason
from duravip_operator.core import parsing
from duravip_operator.core.snapshot import Plumbing, Snapshot
from duravip_operator.core.topologies import Blocks, Subnets, build_blocks, is_edge
from unit.operator.admission_world import topology

LAN = topology(cidr="10.2.0.0/16")
NIC = {"name": "eth1", "index": 2, "up": True, "carrier": True}
SIXTY_FOUR = [f"10.1.0.{n}/16" for n in range(1, 65)]


def blocks(**cidrs: str) -> Blocks:
    """Topologies by name, each a second younger than the one before."""
    made = [
        replace(topology(name, cidr), created=f"2026-01-01T00:00:{second:02d}Z")
        for second, (name, cidr) in enumerate(cidrs.items())
    ]
    return build_blocks(reversed(made), "Segment")


def test_the_longest_prefix_wins() -> None:
    found = blocks(wide="10.1.0.0/16", narrow="10.1.1.0/24", v6="fd00::/8")
    wanted = {"10.1.1.9": "narrow", "10.1.2.9": "wide", "fd00::1": "v6", "10.9.0.1": None}
    for address, name in wanted.items():
        block = found.topology_of(address)
        assert (block.name if block else None) == name


def test_of_equal_blocks_the_oldest_counts_and_the_others_are_told_whose_it_is() -> None:
    found = blocks(first="10.1.0.0/16", second="10.1.0.0/16")
    block = found.topology_of("10.1.0.1")
    assert block is not None
    assert block.name == "first"
    rejected = {t.name: t.rejection for t in found.topologies}
    assert rejected["first"] is None
    assert rejected["second"] == (
        Reason.DUPLICATE_CIDR,
        "Topology second: spec.cidr: Topology first has 10.1.0.0/16 already",
    )


def test_a_topology_that_cannot_be_used_takes_no_address_from_another_one() -> None:
    broken = replace(
        topology("older", "10.1.0.0/16"), created="2025", rejection=(Reason.INVALID, "")
    )
    block = build_blocks([broken, topology("lan")], "Segment").topology_of("10.1.0.1")
    assert block is not None
    assert block.name == "lan"


def test_a_topology_that_sets_no_fencing_has_the_default() -> None:
    made = build_blocks([topology("a"), topology("b", "10.2.0.0/16", fencing="Segment")], "Strict")
    fencing = {t.name: t.placement.fencing for t in made.topologies}
    assert fencing == {"a": "Strict", "b": "Segment"}


def test_the_shape_is_that_of_the_blocks_and_of_nothing_else() -> None:
    one = build_blocks([topology("a")], "Segment")
    assert build_blocks([topology("a", cidrmask=24)], "Segment").shape == one.shape
    assert build_blocks([topology("a", "10.1.0.0/17")], "Segment").shape != one.shape


@pytest.mark.parametrize(
    ("cidr", "edges", "inside"),
    [
        ("10.1.0.0/16", ["10.1.0.0", "10.1.255.255"], "10.1.0.255"),
        ("10.1.0.0/31", [], "10.1.0.0"),
        ("10.1.0.1/32", [], "10.1.0.1"),
        ("fd00::/64", [], "fd00::"),
    ],
)
def test_only_wide_ipv4_blocks_have_edges(cidr: str, edges: list[str], inside: str) -> None:
    block = topology(cidr=cidr)
    assert all(is_edge(block, address) for address in edges)
    assert not is_edge(block, inside)


def plumbing(name: str = "n1", **nic: Any) -> Plumbing:
    status = {"nics": [{**NIC, **nic}]}
    return parsing.plumbing({"metadata": {"name": name, "generation": 1}, "status": status})


def foreign(**nic: Any) -> bool:
    snapshot = Snapshot(plumbings={"n1": plumbing(**nic)})
    return "n1" in Subnets(snapshot).off_subnet_nodes(LAN, "10.2.1.1")


def test_a_node_is_foreign_only_if_all_its_networks_are_known() -> None:
    assert foreign(addresses=["10.1.0.11/16"])
    assert foreign(addresses=SIXTY_FOUR, networks=["10.1.0.0/16"])
    assert not foreign(addresses=SIXTY_FOUR, addressesOmitted=9, networks=["10.2.0.0/16"])
    assert not foreign(addresses=SIXTY_FOUR, addressesOmitted=900)
    assert not foreign(addresses=SIXTY_FOUR)  # of an agent that says nothing of the others


def test_a_node_on_a_part_of_the_block_is_off_the_subnet_of_the_rest() -> None:
    part = plumbing("n1", addresses=["10.2.1.11/24"])
    whole = plumbing("n2", addresses=["10.2.0.12/16"])
    subnets = Subnets(Snapshot(plumbings={"n1": part, "n2": whole, "n3": Plumbing("n3")}))
    assert subnets.off_subnet_nodes(LAN, "10.2.1.1") == {"n3"}
    assert subnets.off_subnet_nodes(LAN, "10.2.2.1") == {"n1", "n3"}


def test_where_all_nodes_are_on_the_whole_block_nobody_is_off_any_subnet() -> None:
    everywhere = Subnets(Snapshot(plumbings={"n2": plumbing("n2", addresses=["10.2.0.12/16"])}))
    assert not everywhere.has_off_subnet_nodes(LAN)
    assert Subnets(Snapshot(plumbings={"n1": Plumbing("n1")})).has_off_subnet_nodes(LAN)
