"""`validate`: the operator's admission, asked before anything is written."""

from pathlib import Path

import pytest

from scenarios.world import World
from unit.cli.files import LAN, body, said
from unit.cli.memory import memory_of


def test_what_would_be_refused_is_said_in_the_words_of_the_refusal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    objects = [
        {"kind": "Topology", "name": "lan", "spec": LAN},
        {"kind": "Topology", "name": "own", "spec": {**LAN, "cidr": "10.2.0.0/16",
                                                     "namespaces": ["x"]}},
        {"kind": "Binding", "name": "out", "namespace": "x", "spec": {"address": "10.1.1.2"}},
    ]  # fmt: skip
    live = memory_of(World({"nodes": ["n1"], "objects": objects}))
    assert said(
        tmp_path,
        capsys,
        body("Topology", "twin", LAN),
        body("Binding", "out", {"address": "10.1.1.3"}, "y"),
        body("DuraVIP", "own", {"address": "10.1.0.11", "preference": "n7"}, "y"),
        body("DuraVIP", "taken", {"address": "10.1.1.2"}, "y"),
        body("DuraVIP", "strange", {"address": "10.2.0.1"}, "y"),
        body("DuraVIP", "pair", {"address": "10.1.1.2", "follow": "out"}, "x"),
        live=live,
    ) == [
        "Topology twin: spec.cidr: Topology lan has 10.1.0.0/16 already; edit that Topology, or "
        "write another block (DuplicateCidr)",
        "Binding y/out: spec.address: Binding name out stands for several addresses: an older "
        "Binding has another one; write the address that the name has already, or choose another "
        "name (NameMismatch)",
        "DuraVIP y/own: spec.address: 10.1.0.11 is an address of node n1; choose an address that "
        "no node has as its own (NodeAddress)",
        "DuraVIP y/taken: spec.address: 10.1.1.2 belongs to another namespace; choose an "
        "address that no other namespace uses, or ask for a Topology whose spec.namespaces lists "
        "both (NamespaceConflict)",
        "DuraVIP y/strange: spec.address: Topology own does not admit namespace y; choose an "
        "address of a block that the namespace may use, or ask for the namespace in the "
        "Topology's spec.namespaces (NoTopology)",
        "DuraVIP x/pair: spec.follow: 'out' has this very address; write two different addresses: "
        "one that leads, one that follows (FollowSameAddress)",
    ]


@pytest.mark.parametrize("first", ["a", "z"])
def test_of_two_files_that_cannot_both_be_applied_the_second_one_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], first: str
) -> None:
    second = "z" if first == "a" else "a"
    pairs = [
        body("Topology", first, LAN),
        body("Topology", second, LAN),
        body("DuraVIP", "v", {"address": "10.1.1.1"}, first),
        body("DuraVIP", "v", {"address": "10.1.1.1"}, second),
        body("Binding", "b", {"address": "10.1.1.2"}, first),
        body("Binding", "b", {"address": "10.1.1.3"}, second),
    ]
    lines = said(tmp_path, capsys, *pairs)
    assert [line.split(": ")[0] for line in lines if "warning" not in line] == [
        f"Topology {second}", f"DuraVIP {second}/v", f"Binding {second}/b",
    ]  # fmt: skip


def test_an_edit_of_an_older_object_takes_nothing_from_a_younger_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    objects = [
        {"kind": "Topology", "name": "lan", "spec": LAN},
        {"kind": "DuraVIP", "name": "old", "namespace": "x", "spec": {"address": "10.1.1.1"}},
        {"kind": "DuraVIP", "name": "young", "namespace": "y", "spec": {"address": "10.1.1.2"}},
    ]
    live = memory_of(World({"nodes": ["n1"], "objects": objects}))
    edited = body("DuraVIP", "old", {"address": "10.1.1.2"}, "x")
    (line,) = said(tmp_path, capsys, edited, live=live)
    assert line.startswith("DuraVIP x/old: spec.address: 10.1.1.2 belongs to another namespace; ")
    freed = body("DuraVIP", "young", {"address": "10.1.1.3"}, "y")
    assert said(tmp_path, capsys, freed, edited, live=live) == []  # as kubectl would write them
