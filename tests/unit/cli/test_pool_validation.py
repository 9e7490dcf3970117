"""`validate`: AddressPools beside each other and beside Topologies; DuraVIPs of Services."""

from pathlib import Path

import pytest

from scenarios.world import World
from unit.cli.files import LAN, Body, body, said
from unit.cli.memory import Memory, memory_of
from unit.cli.test_services import vip


def pool(name: str, *ranges: str, **fields: object) -> Body:
    return body("AddressPool", name, {"ranges": list(ranges), **fields})


@pytest.mark.parametrize(
    ("ranges", "wanted"),
    [
        ([], "spec.ranges: must be at least 1 items"),
        (["xx"], "spec.ranges[0]: must be an address, a range of two or a block"),
        (["10.1.1.7/24"], "spec.ranges[0]: must have no bits set after its prefix"),
        (["FD00::1"], "spec.ranges[0]: must be in canonical form"),
        (["10.1.1.9-10.1.1.1"], "spec.ranges: not an address, a range or a block: cannot read"),
    ],
)
def test_ranges_are_judged_as_the_server_and_the_operator_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ranges: list[str], wanted: str
) -> None:
    (line,) = said(tmp_path, capsys, body("AddressPool", "a", {"ranges": ranges}))
    assert line.startswith(f"AddressPool a: {wanted}")


def test_of_two_pools_that_share_an_address_the_second_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (line,) = said(
        tmp_path, capsys, pool("a", "10.1.1.0/24"), pool("b", "10.1.1.250-10.1.2.9", "fd00::1")
    )
    assert line == (
        "AddressPool b: spec.ranges: AddressPool a has 10.1.1.250-10.1.1.255 already: no two may "
        "share an address"
    )


def test_a_pool_in_the_cluster_counts_with_live(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    live = memory_of(
        World({"nodes": ["n1"], "objects": [{"kind": "Topology", "name": "lan", "spec": LAN}]})
    )
    live.lists["AddressPool"] = [pool("old", "10.1.1.0/24")]
    assert said(tmp_path, capsys, pool("old", "10.1.1.0-10.1.1.99"), live=live) == []
    (line,) = said(tmp_path, capsys, pool("new", "10.1.1.9"), live=live)
    assert line.startswith("AddressPool new: spec.ranges: AddressPool old has 10.1.1.9 already")


def test_a_pool_wants_a_topology_that_admits_its_namespaces(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lan = body("Topology", "lan", {**LAN, "namespaces": ["shop"]})
    assert said(tmp_path, capsys, lan, pool("a", "10.1.1.9", namespaces=["shop"])) == []
    assert said(tmp_path, capsys, pool("a", "10.9.1.9")) == [], "it may be in the cluster"
    lines = said(
        tmp_path,
        capsys,
        lan,
        pool("a", "10.1.255.250-10.2.0.9", namespaces=["shop", "bank"]),
        pool("b", "10.1.1.9"),
    )
    assert lines == [
        "warning: AddressPool a: spec.ranges: no Topology covers 10.2.0.0-10.2.0.9: nobody gets "
        "them (NoTopology)",
        "warning: AddressPool a: spec.namespaces: Topology lan does not admit bank",
        "warning: AddressPool b: spec.namespaces: Topology lan admits shop alone",
    ]


def test_what_is_generated_for_a_service_is_edited_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = vip("web", "10.1.1.9")
    live = Memory(
        DuraVIP=[there], Topology=[body("Topology", "lan", LAN)], Node=[], NodePlumbing=[]
    )
    edited = body("DuraVIP", "svc-web", {"address": "10.1.1.9", "preference": "n1"}, "shop")
    lines = said(tmp_path, capsys, edited, live=live)
    wanted = "DuraVIP shop/svc-web: is generated for Service shop/web: edit that instead"
    assert wanted in lines
    exported = {**edited, "metadata": there["metadata"]}
    assert wanted in said(tmp_path, capsys, exported)
