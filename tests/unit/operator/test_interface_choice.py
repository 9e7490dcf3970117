"""Which interface of a node carries a Topology's addresses, and what follows for its grants."""

from dataclasses import replace
from typing import Any

import pytest

from duravip_api.nodeplumbing import Nic
from duravip_api.reasons import Reason
from duravip_operator.core import parsing
from duravip_operator.core.election import Assignment
from duravip_operator.core.eligible import Eligible
from duravip_operator.core.handover import plan_grants
from duravip_operator.core.interface_choice import nic_fault
from duravip_operator.core.snapshot import Node, Placement, Plumbing, Snapshot, Topology
from duravip_operator.core.units import Unit

OWN = "10.1.0.11/16"
A = "10.1.1.1"


def nic(name: str, *addresses: str, up: bool = True, carrier: bool = True, **more: Any) -> Nic:
    return Nic(name=name, index=2, up=up, carrier=carrier, addresses=list(addresses), **more)


def topology(**spec: Any) -> Topology:
    return parsing.topology({"metadata": {"name": "lan"}, "spec": {"cidr": "10.1.1.0/24", **spec}})


def chosen(made: Topology, *nics: Nic) -> tuple[str, Reason | None]:
    return tuple(made.candidates.choose({each.name: each for each in nics}))


TWO = topology(interfaces=["eth1", "ens192"])
SUBNET = topology(bySubnet=True)
DOWN, CUT = nic("eth1", up=False), nic("eth1", carrier=False)


def test_people_read_what_a_topology_names_and_what_is_wrong_with_an_interface() -> None:
    assert (TWO.candidates.label, SUBNET.candidates.label) == ("eth1,ens192", "by subnet")
    port = nic("eth1", unusable="a port", unusableIpv4="off")
    told = [nic_fault(one, 4) for one in (port, nic("eth1", unusableIpv4="off"), nic("eth1"))]
    assert told == ["a port", "off", ""]


def test_an_ipv4_network_does_not_contain_an_ipv6_block_of_the_same_numbers() -> None:
    block = topology(bySubnet=True, cidr="::10.1.1.0/120")
    assert chosen(block, nic("eth1", OWN)) == ("", Reason.INTERFACE_MISSING)
    assert chosen(block, nic("eth1", "::10.1.1.9/120")) == ("eth1", None)


def test_the_last_address_of_a_network_is_on_it() -> None:
    assert chosen(SUBNET, nic("eth1", "10.1.1.0/32")) == ("eth1", None)


@pytest.mark.parametrize(
    ("nics", "wanted"),
    [
        ([nic("eth1"), nic("ens192")], ("eth1", None)),
        ([nic("ens192"), nic("eth1")], ("eth1", None)),
        ([nic("ens192")], ("ens192", None)),
        ([DOWN, nic("ens192")], ("ens192", None)),
        ([CUT, nic("ens192")], ("ens192", None)),
        ([nic("eth1", unusable="a port"), nic("ens192")], ("ens192", None)),
        ([nic("eth1", unusableIpv6="off"), nic("ens192")], ("eth1", None)),
        ([CUT, nic("ens192", unusable="a port")], ("ens192", Reason.INTERFACE_UNUSABLE)),
        ([CUT, nic("ens192", up=False)], ("eth1", Reason.INTERFACE_DOWN)),
        ([nic("ens192", up=False)], ("ens192", Reason.INTERFACE_DOWN)),
        ([nic("eth0")], ("eth1", Reason.INTERFACE_MISSING)),
        ([], ("eth1", Reason.INTERFACE_MISSING)),
    ],
)
def test_of_several_it_is_the_first_that_works(
    nics: list[Nic], wanted: tuple[str, Reason | None]
) -> None:
    assert chosen(TWO, *nics) == wanted


@pytest.mark.parametrize(
    ("nics", "wanted"),
    [
        ([nic("eth0", "10.77.0.11/24"), nic("x9", OWN)], ("x9", None)),
        ([nic("x9", "10.1.1.7/24")], ("x9", None)),
        ([nic("x9", networks=["10.1.0.0/16"])], ("x9", None)),
        ([nic("x9", OWN, carrier=False)], ("x9", Reason.INTERFACE_DOWN)),
        ([nic("x9", "10.1.1.129/25")], ("", Reason.INTERFACE_MISSING)),
        ([nic("x9", "fd00::1/64"), nic("y", "nonsense")], ("", Reason.INTERFACE_MISSING)),
        ([nic("x9", OWN), nic("y", "10.1.0.12/16")], ("", Reason.INTERFACE_AMBIGUOUS)),
        ([nic("x9", OWN), nic("y", "10.1.0.12/16", up=False)], ("", Reason.INTERFACE_AMBIGUOUS)),
    ],
)
def test_by_subnet_it_is_the_only_one_with_an_address_in_the_blocks_network(
    nics: list[Nic], wanted: tuple[str, Reason | None]
) -> None:
    assert chosen(SUBNET, *nics) == wanted


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"interfaces": []},
        {"bySubnet": False},
        {"interface": "eth1", "interfaces": ["eth1"]},
        {"interface": "eth1", "bySubnet": True},
        {"interfaces": ["eth1"], "bySubnet": True},
    ],
)
def test_exactly_one_way_to_choose_must_be_given(spec: dict[str, Any]) -> None:
    rejection = topology(**spec).rejection
    assert rejection
    assert rejection.reason is Reason.INVALID


def test_one_interface_beside_a_by_subnet_that_is_off_is_one() -> None:
    assert topology(interface="eth1", bySubnet=False).rejection is None


def test_a_choice_is_made_once_in_a_snapshot_and_anew_in_the_next() -> None:
    two = {"eth1": nic("eth1"), "ens192": nic("ens192")}
    made = Snapshot(plumbings={"n1": Plumbing("n1", nics=two)})
    assert made.interface_on("n1", TWO) is made.interface_on("n1", TWO)
    unplugged = {"eth1": CUT, "ens192": nic("ens192")}
    later = replace(made, plumbings={"n1": Plumbing("n1", nics=unplugged)})
    assert later.interface_on("n1", TWO).name == "ens192"
    assert made.interface_on("n1", TWO).name == "eth1"


def plan(made: Topology, plumbing: Plumbing) -> dict[Placement, frozenset[str]]:
    facts = Snapshot(nodes={"n1": Node("n1")}, plumbings={"n1": plumbing})
    unit = Unit(A, (), topology=made)
    none: frozenset[str] = frozenset()
    owned = Assignment("n1", Eligible(none, none, none, none, none, {}))
    plans, _ = plan_grants({A: unit}, {A: owned}, facts, {})
    return dict(plans["n1"].grants)


def test_a_change_of_interface_is_one_write_that_takes_it_off_the_former_one() -> None:
    before = Placement("eth1", 32, fencing="Segment")
    moved = Plumbing(
        "n1",
        generation=1,
        observed_generation=1,
        grants={before: frozenset({A})},
        served=frozenset({A}),
        nics={"eth1": CUT, "ens192": nic("ens192")},
    )
    (where,) = plan(TWO, moved)
    assert where.interface == "ens192"


def test_nothing_is_granted_where_no_interface_can_be_told() -> None:
    both = {"x": nic("x", OWN), "y": nic("y", "10.1.0.12/16")}
    assert plan(SUBNET, Plumbing("n1", nics=both)) == {}
