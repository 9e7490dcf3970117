"""The addresses that Services may get without asking for one."""

from typing import Any

import pytest

from duravip_api.addresses import Range, parse_range
from duravip_api.reasons import Reason
from duravip_operator.core.address_pools import AddressPool, PoolTable, parse_pool
from duravip_operator.core.snapshot import Topology
from duravip_operator.core.topologies import build_blocks
from unit.operator.service_world import topology


def pool(name: str = "front", created: str = "2026-01-01T00:00:00Z", **spec: Any) -> AddressPool:
    meta = {"name": name, "creationTimestamp": created}
    return parse_pool({"metadata": meta, "spec": spec})


def test_ranges_blocks_and_addresses_are_read() -> None:
    found = pool(ranges=["10.1.1.50-10.1.1.59", "10.1.2.0/30", "10.1.1.60", "fd00::/126"])
    assert found.rejection is None
    assert found.ranges == (
        parse_range("10.1.1.50-10.1.1.60"),
        parse_range("10.1.2.0-10.1.2.3"),
        parse_range("fd00::-fd00::3"),
    )


@pytest.mark.parametrize(
    "ranges",
    [
        ["10.1.1.9-10.1.1.1"],
        ["10.1.1.1-fd00::1"],
        ["10.1.1.1/24"],
        ["somewhere"],
        ["10.1.1.1-"],
        [],
        None,
        [7],
    ],
)
def test_what_cannot_be_read_names_the_object_and_the_field(ranges: Any) -> None:
    found = pool(ranges=ranges)
    assert found.rejection is not None
    assert found.rejection.reason is Reason.INVALID
    assert found.rejection.message.startswith("AddressPool front: spec.ranges")
    assert found.ranges == ()


def test_a_range_of_any_size_is_read_as_two_numbers() -> None:
    assert pool(ranges=["fd00::/8"]).ranges == (Range(6, 0xFD << 120, (0xFE << 120) - 1),)


def table(*pools: AddressPool, topologies: tuple[Topology, ...] = ()) -> PoolTable:
    found = PoolTable(pools, build_blocks(topologies or (topology(),), "Segment"))
    found.take(())
    return found


def everything(
    where: PoolTable, namespace: str = "a", family: int = 4, asked: str = ""
) -> set[str]:
    """All that Services of a namespace could get."""
    found: set[str] = set()
    while one := where.choose(namespace, f"s{len(found)}", family, asked):
        where.claim(one[0])
        found.add(one[0])
    return found


def test_edges_reserved_addresses_and_other_blocks_are_not_given_out() -> None:
    lan = topology(reserved=["10.1.1.1", "10.1.1.4-10.1.1.250"])
    inner = topology("inner", cidr="10.1.1.252/30")
    where = table(pool(ranges=["10.1.1.0/24", "10.9.0.0/30"]), topologies=(lan, inner))
    assert everything(where) == {f"10.1.1.{n}" for n in (2, 3, 251, 253, 254)}


def test_buggy_addresses_are_avoided_when_asked() -> None:
    wide = topology(cidr="10.1.0.0/16")
    where = table(pool(ranges=["10.1.1.254-10.1.2.1"], avoidBuggyIPs=True), topologies=(wide,))
    assert everything(where) == {"10.1.1.254", "10.1.2.1"}
    where = table(pool(ranges=["10.1.1.254-10.1.2.1"]), topologies=(wide,))
    assert len(everything(where)) == 4


def test_namespaces_of_the_pool_and_of_the_topology_must_both_admit() -> None:
    where = table(pool(ranges=["10.1.1.8/31"], namespaces=["a", "b"]))
    assert everything(where, "c") == set()
    assert len(everything(where, "b")) == 2
    lan = topology(namespaces=["b"])
    where = table(pool(ranges=["10.1.1.8/31"], namespaces=["a", "b"]), topologies=(lan,))
    assert everything(where, "a") == set()
    assert len(everything(where, "b")) == 2


def test_the_lowest_priority_comes_first_then_the_name() -> None:
    where = table(
        pool("b", ranges=["10.1.1.2"]),
        pool("a", ranges=["10.1.1.1"]),
        pool("z", ranges=["10.1.1.3"], priority=0),
    )
    order = []
    while one := where.choose("a", "web", 4, ""):
        where.claim(one[0])
        order.append(one[1])
    assert order == ["z", "a", "b"]


def test_a_pool_that_is_not_given_out_by_itself_is_asked_for_by_name() -> None:
    where = table(pool(ranges=["10.1.1.1"], autoAssign=False))
    assert where.choose("a", "web", 4, "") is None
    assert where.choose("a", "web", 4, "front") == ("10.1.1.1", "front")


def test_of_two_pools_that_overlap_the_older_counts() -> None:
    old = pool("old", ranges=["10.1.1.1-10.1.1.9"])
    new = pool("new", "2026-03-01T00:00:00Z", ranges=["10.1.1.20", "10.1.1.5-10.1.1.12"])
    states = table(new, old).take(())
    assert states["old"].reason is Reason.ACCEPTED
    assert states["new"].reason is Reason.OVERLAP
    assert "AddressPool old has 10.1.1.5" in states["new"].message
    assert everything(table(new, old)) == {f"10.1.1.{n}" for n in range(1, 10)}


def test_the_status_counts_what_can_be_given_out_and_what_objects_name() -> None:
    where = PoolTable(
        [pool(ranges=["10.1.1.0/29", "fd00::/64"])],
        build_blocks([topology(), topology("six", cidr="fd00::/48")], "Segment"),
    )
    state = where.take(["10.1.1.3", "10.1.1.0", "10.1.1.77", "fd00::7"], ["10.1.1.4"])["front"]
    assert (state.total4, state.used4) == (7, 1)
    assert (state.total6, state.used6) == (2**64, 1)
    assert "10.1.1.4" not in everything(where)
    assert len(everything(where)) == 0


def test_a_range_outside_all_blocks_is_said_and_the_rest_is_used() -> None:
    state = table(pool(ranges=["10.1.1.1", "10.77.0.1"])).take(())["front"]
    assert state.reason is Reason.NO_TOPOLOGY
    assert "10.77.0.1" in state.message
    assert state.total4 == 1


@pytest.mark.parametrize(
    ("address", "name"),
    [("10.1.1.1", "front"), ("10.1.1.9", "front"), ("10.1.1.10", None), ("fd00::1", None)],
)
def test_an_address_belongs_to_one_pool(address: str, name: str | None) -> None:
    found = table(pool(ranges=["10.1.1.1-10.1.1.9", "fd00::2"])).pool_of(address)
    assert (found and found.name) == name
