"""What is refused when it is written: the rules of a pass, and who is let through all the same."""

from dataclasses import replace

import pytest

from duravip_operator.core.address_pools import AddressPool, parse_pool
from duravip_operator.core.admission import pool_refusal
from duravip_operator.core.snapshot import VipObject
from unit.operator.admission_world import binding, duravip, refusal, topology, world


@pytest.mark.parametrize("address", ["10.77.0.11", "10.1.0.11", "fd00:1::11"])
def test_an_address_that_a_node_has_itself_is_refused(address: str) -> None:
    said = refusal(world(), duravip("a/own", address))
    assert said == (
        f"DuraVIP a/own: spec.address: {address} is an address of node n1; "
        "choose an address that no node has as its own"
    )


def test_a_second_topology_with_the_same_block_is_refused_and_others_are_not() -> None:
    assert refusal(world(), topology("more")) == (
        "Topology more: spec.cidr: Topology lan has 10.1.0.0/16 already; "
        "edit that Topology, or write another block"
    )
    assert refusal(world(), topology("more", "10.1.1.0/24")) == ""
    changed = topology(interface="eth2")
    assert refusal(world(), changed, topology()) == ""


def test_an_edited_topology_does_not_take_the_block_of_a_younger_one() -> None:
    younger = replace(topology("young", "10.2.0.0/16"), created="2026-02-01T00:00:00Z")
    known = world(topologies=(topology(), younger))
    assert "has 10.2.0.0/16 already" in refusal(known, topology(cidr="10.2.0.0/16"), topology())


def test_what_is_wrong_in_itself_is_refused() -> None:
    said = refusal(world(), duravip("a/v", "127.0.0.1"))
    assert said.startswith("DuraVIP a/v: spec.address: '127.0.0.1' is multicast, loopback")
    assert "write one that a host can have" in said
    assert "spec.cidr" in refusal(world(), topology("odd", "10.1.1.7/24"))


@pytest.mark.parametrize("name", ["default", "#mmove"])
def test_reserved_names_are_refused(name: str) -> None:
    said = refusal(world(), binding(f"a/{name}", "10.1.1.1"))
    assert said == f"Binding a/{name}: metadata.name: {name!r} is reserved: choose another one"


def test_the_edge_of_a_block_is_refused() -> None:
    assert "is the network or broadcast address" in refusal(world(), duravip("a/v", "10.1.0.0"))


@pytest.mark.parametrize("place", ["a", "b"])
def test_a_name_has_one_address_in_the_whole_cluster(place: str) -> None:
    known = world(binding("a/mail-1", "10.1.1.1"))
    assert refusal(known, binding(f"{place}/mail-1", "10.1.1.2")) == (
        f"Binding {place}/mail-1: spec.address: Binding name mail-1 stands for several addresses: "
        "an older Binding has another one; write the address that the name has already, or "
        "choose another name"
        if place == "b"
        else ""  # it is the same object, with another address
    )
    assert refusal(known, binding("b/mail-1", "")) == ""
    assert refusal(known, duravip("b/mail-1", "10.1.1.2")) == ""


def test_who_joins_the_others_of_a_broken_name_is_let_in() -> None:
    one, other = binding("a/mail-1", "10.1.1.1"), binding("b/mail-1", "10.1.1.2")
    third = binding("a-b/mail-1", "10.1.1.3")
    known = world(one, other, third, topologies=(topology(namespaces=["a", "b", "a-b"]),))
    assert refusal(known, binding("b/mail-1", "10.1.1.1"), other) == ""
    assert "several addresses" in refusal(known, binding("b/mail-1", "10.1.1.4"), other)


def test_a_follower_and_what_it_follows_never_share_an_address() -> None:
    leader, follower = binding("a/mail-1", "10.1.1.1"), duravip("a/s", "10.1.1.2", follow="mail-1")
    assert refusal(world(leader), follower) == ""
    said = refusal(world(leader), duravip("a/s", "10.1.1.1", follow="mail-1"))
    assert said.startswith("DuraVIP a/s: spec.follow: 'mail-1' has this very address; write two")
    said = refusal(world(leader, follower), binding("a/mail-1", "10.1.1.2"), leader)
    assert said.startswith(
        "Binding a/mail-1: spec.address: 10.1.1.2 is that of its own follower, DuraVIP a/s; write"
    )
    selfish = duravip("a/s", "10.1.1.2", follow="10.1.1.2")
    assert "has this very address" in refusal(world(leader), selfish)


@pytest.mark.parametrize(
    "early",
    [
        duravip("a/no-topology-yet", "172.16.0.1"),
        duravip("a/no-leader-yet", "10.1.1.2", follow="mail-1"),
        duravip("a/no-address-yet", "10.1.1.2", follow="10.1.1.9"),
        duravip("a/no-node-yet", "10.1.1.2", preference="n9"),
        binding("a/no-address-at-all", ""),
    ],
    ids=lambda vip: str(vip.name),
)
def test_what_may_still_become_right_is_let_in(early: VipObject) -> None:
    assert refusal(world(), early) == ""


def test_a_broken_object_can_be_mended_and_labelled_but_not_made_worse() -> None:
    broken = duravip("a/own", "10.1.0.11")
    known = world(broken)
    assert refusal(known, broken, broken) == ""
    assert refusal(known, duravip("a/own", "10.1.0.11", preference="n2"), broken) == ""
    assert refusal(known, duravip("a/own", "10.1.1.1"), broken) == ""
    assert "node n1" in refusal(known, duravip("a/own", "10.77.0.11"), broken)


def test_a_legitimate_owner_is_not_locked_out_by_an_intruder_that_slipped_past() -> None:
    mine, theirs = duravip("a/smtp", "10.1.1.1"), duravip("b/smtp", "10.1.1.1")
    known = world(mine, theirs)
    assert refusal(known, duravip("a/smtp", "10.1.1.1", preference="n2"), mine) == ""
    assert refusal(known, duravip("a/smtp", "10.1.1.2"), mine) == ""


def pool(name: str, *ranges: str, created: str = "2026-01-01T00:00:00Z") -> AddressPool:
    meta = {"name": name, "uid": name, "creationTimestamp": created}
    return parse_pool({"metadata": meta, "spec": {"ranges": list(ranges)}})


def test_a_pool_takes_no_address_of_another_one_however_old_it_is() -> None:
    lan = pool("lan", "10.1.1.0/28", created="2026-06-01T00:00:00Z")
    said = pool_refusal([lan], pool("old", "10.1.1.15-10.1.1.20"))
    assert said
    assert said.message == (
        "AddressPool old: spec.ranges: AddressPool lan has 10.1.1.15 already; "
        "write ranges that no other AddressPool has"
    )
    assert pool_refusal([lan], pool("old", "10.1.1.16-10.1.1.20")) is None
    assert pool_refusal([lan], pool("lan", "10.1.1.0/24"), lan) is None


def test_a_pool_that_overlaps_already_can_be_changed_in_other_ways() -> None:
    lan, twin = pool("lan", "10.1.1.0/28"), pool("twin", "10.1.1.0/28")
    assert pool_refusal([lan, twin], twin._replace(priority=5), twin) is None
    assert pool_refusal([lan, twin], pool("twin", "10.1.1.0/27"), twin)


def test_a_pool_that_cannot_be_read_is_refused() -> None:
    said = pool_refusal([], pool("odd", "10.1.1.9-10.1.1.1"))
    assert said
    assert said.message.startswith("AddressPool odd: spec.ranges: ")
