"""`validate`: what an API server would refuse, and what the core says of files taken together."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from duravip_api.manifest import KINDS
from duravip_cli.__main__ import run
from duravip_cli.manifests.cel_rules import RULES
from duravip_cli.manifests.schema import schema_of
from scenarios.world import World
from unit.cli.files import LAN, Body, body, said
from unit.cli.memory import memory_of


def _rules(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        for rule in schema.get("x-kubernetes-validations", ()):
            yield rule["rule"]
        for part in schema.values():
            yield from _rules(part)


def test_every_rule_of_the_schema_can_be_asked() -> None:
    in_use = {rule for kind in KINDS for rule in _rules(schema_of(kind.model.__name__))}
    assert in_use == set(RULES)


@pytest.mark.parametrize(
    ("kind", "spec", "wanted"),
    [
        ("DuraVIP", {}, "spec.address: is required"),
        ("DuraVIP", {"address": 7}, "spec.address: must be of type string, not 7"),
        ("DuraVIP", {"address": "x"}, "spec.address: must be an IPv4 or IPv6 address"),
        ("DuraVIP", {"address": "FD00::1"}, "spec.address: must be in canonical form"),
        ("DuraVIP", {"address": "224.0.0.1"}, "spec.address: must be an address that one host"),
        ("DuraVIP", {"address": "10.1.1.1", "adress": "x"}, "spec.adress: no such field"),
        ("DuraVIP", {"address": "10.1.1.1", "preference": "N1"}, "spec.preference: must be the"),
        ("DuraVIP", {"address": "10.1.1.1", "follow": "b", "preference": "n1"},
         "spec: preference cannot be set together with follow"),
        ("DuraVIP", {"address": "10.1.1.1", "follow": "10.1.1.1"},
         "spec: follow must not be the address itself"),
        ("DuraVIP", {"address": "10.1.1.1", "services": [{"name": "a", "port": "25"}]},
         "spec.services[0].port: must be of type integer, not '25'"),
        ("DuraVIP", {"address": "10.1.1.1", "services": [{"name": "a", "port": 99999}]},
         "spec.services[0].port: must be at most 65535"),
        ("DuraVIP", {"address": "10.1.1.1", "services": 2 * [{"name": "a", "port": 25}]},
         "spec.services[1]: another one has the same port and protocol"),
        ("DuraVIP", {"address": "10.1.1.1", "nodeSelector": {"a": True}},
         "spec.nodeSelector.a: must be of type string, not True"),
        ("DuraVIP", {"address": "10.1.1.1", "nodeSelector": {"k" * 318: ""}},
         "spec.nodeSelector: the key of a label has at most 317 characters"),
        ("Binding", {"nodeSelector": {f"{n:0>240}/{n:0>59}": "" for n in range(7)}},
         "spec.nodeSelector: must have at most 2048 characters in all"),
        ("DuraVIP", {"address": "10.1.1.1", "nodeSelector": {"a b": "c"}},
         "spec.nodeSelector: must be labels that a Node can have"),
        ("DuraVIP", {"address": "10.1.1.1", "nodeSelector": {"a": "-"}},
         "spec.nodeSelector: must be labels that a Node can have"),
        ("DuraVIP", {"address": "10.1.1.1", "preference": "a..b"},
         "spec.preference: must be the name of a Node"),
        ("DuraVIP", {"address": "10.1.1.1", "follow": "A"},
         "spec.follow: must be the name of a Binding, or an address"),
        ("DuraVIP", {"address": "10.1.1.1", "follow": "default"}, "spec.follow: no Binding can"),
        ("Topology", {**LAN, "cidr": "224.0.0.0/4"}, "spec: cidr must be a block of addresses"),
        ("Topology", {**LAN, "interface": "lo"}, "spec.interface: must be an interface on"),
        ("Topology", {**LAN, "interface": "eth 1"}, "spec.interface: must be a name that an"),
        ("Topology", {**LAN, "interface": "é" * 8}, "spec.interface: must be a name that an"),
        ("Topology", {**LAN, "namespaces": ["a.b"]}, "spec.namespaces[0]: must be the name of a"),
        ("Binding", {"enableDuravip": "yes"}, "spec.enableDuravip: must be of type boolean"),
        ("Binding", {"group": ""}, "spec.group: must be at least 1 characters"),
        ("Topology", {**LAN, "cidr": "10.1.1.7/24"}, "spec.cidr: must have no bits set"),
        ("Topology", {**LAN, "reserved": ["10.1.1.1-"]}, "spec.reserved[0]: must be an address"),
        ("Topology", {**LAN, "cidrmask": 64}, "spec: cidrmask must be at most 32"),
        ("Topology", {**LAN, "cidrmask": 8}, "spec: cidrmask must not be below the prefix"),
        ("Topology", {**LAN, "bySubnet": True}, "spec: exactly one of interface, interfaces and"),
        ("Topology", {"cidr": "10.1.1.0/24"}, "spec: exactly one of interface, interfaces and"),
        ("Topology", {"cidr": "10.1.1.0/24", "interfaces": ["a", "a"]},
         "spec.interfaces: must not name an interface twice"),
        ("Topology", {**LAN, "fencing": "Loose"}, "spec.fencing: must be one of Segment, Strict"),
        ("Topology", {**LAN, "interface": "eth1234567890123"}, "spec.interface: must be at most"),
        ("NodePlumbing", {}, "kind: a NodePlumbing is written by"),
        ("DuraVip", {}, "kind: there is no kind 'DuraVip' in duravip.io"),
    ],
)  # fmt: skip
def test_what_an_api_server_would_refuse_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, spec: Body, wanted: str
) -> None:
    (line,) = said(tmp_path, capsys, body(kind, "a", spec))
    where = "a" if kind == "Topology" else "default/a"
    assert line.startswith(f"{kind} {where}: {wanted}")


def test_a_reserved_or_impossible_name_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = said(tmp_path, capsys, body("Binding", "default", {}), body("Binding", "A_b", {}))
    assert "metadata.name: the name 'default' is reserved" in lines[0]
    assert "metadata.name: must be lower-case" in lines[1]


def test_what_is_no_manifest_is_said_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "vips" / "bad.yaml"
    file.parent.mkdir()
    file.write_text("kind: DuraVIP\nmetadata: {name: [}\n")
    (tmp_path / "vips" / "other.yaml").write_text("apiVersion: v1\nkind: Service\n")
    assert run(["validate", str(tmp_path / "vips")]) == 1
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{file}: line 2: ")
    assert "1 of other kinds not looked at" in last
    assert run(["validate", str(tmp_path / "nothing")]) == 2


def test_good_manifests_have_no_problems(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    services = {"services": [{"name": "a", "port": 25}, {"name": "b", "port": 25,
                "protocol": "UDP"}]}  # fmt: skip
    lines = said(
        tmp_path,
        capsys,
        body("Topology", "lan", {**LAN, "arpTargets": ["10.1.0.1"], "namespaces": ["mail"]}),
        body("Binding", "out", {"address": "10.1.1.1", "preference": "n1"}, "mail"),
        body("DuraVIP", "in", {"address": "10.1.1.2", "follow": "out", **services}, "mail"),
    )
    assert lines == []


CLASHES: list[tuple[list[Body], str]] = [
    ([body("DuraVIP", "a", {"address": "10.1.1.1"}, "x"),
      body("DuraVIP", "b", {"address": "10.1.1.1"}, "y")], "(NamespaceConflict)"),
    ([body("Binding", "a", {"address": "10.1.1.1"}, "x"),
      body("Binding", "a", {"address": "10.1.1.2"}, "y")], "(NameMismatch)"),
    ([body("Topology", "a", LAN), body("Topology", "b", LAN)], "(DuplicateCidr)"),
    ([body("DuraVIP", "a", {"address": "10.1.1.1"}), body("DuraVIP", "a", {"address":
      "10.1.1.2"})], "is already in"),
    ([body("DuraVIP", "a", {"address": "10.1.1.1", "preference": "n1"}),
      body("DuraVIP", "b", {"address": "10.1.1.1", "preference": "n2"})], "(PreferencesDiffer)"),
    ([body("DuraVIP", "a", {"address": "10.1.1.1", "follow": "10.1.1.2"}),
      body("DuraVIP", "b", {"address": "10.1.1.2", "follow": "10.1.1.1"})], "(FollowInvalid)"),
    ([body("Topology", "a", LAN), body("DuraVIP", "a", {"address": "10.1.0.0"})], "(BlockEdge)"),
]  # fmt: skip


@pytest.mark.parametrize(("bodies", "wanted"), CLASHES, ids=[wanted for _, wanted in CLASHES])
def test_clashes_between_files_are_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], bodies: list[Body], wanted: str
) -> None:
    lines = said(tmp_path, capsys, *bodies)
    assert lines
    assert all(wanted in line and "warning" not in line for line in lines)


def test_what_may_be_in_the_cluster_is_a_warning_until_it_is_looked_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    follower = body("DuraVIP", "a", {"address": "10.1.1.1", "follow": "out"})
    (line,) = said(tmp_path, capsys, follower)
    assert line.startswith("warning: DuraVIP default/a: spec.follow: ")
    world = World({"nodes": ["n1"], "objects": [{"kind": "Topology", "name": "lan", "spec": LAN}]})
    (line,) = said(tmp_path, capsys, follower, live=memory_of(world))
    assert line.startswith("DuraVIP default/a: spec.follow: ")
    leader = {"kind": "Binding", "name": "out", "spec": {"address": "10.1.1.2"}}
    world.apply([leader])
    assert said(tmp_path, capsys, follower, live=memory_of(world)) == []


def test_what_would_harm_an_object_in_the_cluster_is_a_problem(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lan = {"kind": "Topology", "name": "lan", "spec": LAN}
    old = {"kind": "DuraVIP", "name": "a", "spec": {"address": "10.1.1.2", "preference": "n1"}}
    world = World({"nodes": ["n1", "n2"], "objects": [lan, old]})
    new = body("DuraVIP", "b", {"address": "10.1.1.2", "preference": "n2"})
    mine, theirs = said(tmp_path, capsys, new, live=memory_of(world))
    assert "(PreferencesDiffer)" in mine
    because = "in the cluster: DuraVIP default/a: spec.preference: because of these files: "
    assert theirs.startswith(because)


def test_an_object_that_is_already_there_does_not_clash_with_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lan = {"kind": "Topology", "name": "lan", "spec": LAN}
    old = {"kind": "Binding", "name": "out", "spec": {"address": "10.1.1.2"}}
    live = memory_of(World({"nodes": ["n1"], "objects": [lan, old]}))
    edited = body("Binding", "out", {"address": "10.1.1.3"})
    assert said(tmp_path, capsys, edited, body("Topology", "lan", LAN), live=live) == []


def test_problems_can_be_read_by_programs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "f.json"
    file.write_text(json.dumps(body("DuraVIP", "a", {"address": "x"})))
    assert run(["validate", "-o", "json", str(file)]) == 1
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["severity"], found["object"]) == ("problem", "DuraVIP default/a")
    assert (found["file"], found["field"]) == (str(file), "spec.address")


@pytest.mark.parametrize(
    ("metadata", "wanted"),
    [
        ("{name: 123}", "metadata.name: must be of type string, not 123: put it in quotes"),
        ("{name: y}", "metadata.name: must be of type string, not True: put it in quotes"),
        ("{name: a, namespace: 1e3}", "metadata.namespace: must be of type string, not 1000"),
        ("{name: a, namespace: A}", "metadata.namespace: must be lower-case letters"),
        ("{name: a.}", "metadata.name: must be lower-case letters"),
        ("{name: a, labels: {b: 1}}", "metadata.labels.b: must be of type string, not 1"),
        ("{name: a, labels: {b c: d}}", "metadata.labels: b c=d is no label"),
        ("{name: a, annotations: {b c: d}}", "metadata.annotations: 'b c' is no key"),
        ("{name: a, strange: 1}", "metadata.strange: no such field"),
        ("[]", "metadata: must be of type object, not []"),
        ("d", "metadata: must be of type object, not 'd'"),
        ("{}", "metadata.name: is required"),
    ],
)
def test_metadata_is_checked_as_the_server_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], metadata: str, wanted: str
) -> None:
    file = tmp_path / "f.yaml"
    file.write_text(
        f"{{apiVersion: duravip.io/v1alpha1, kind: Binding, metadata: {metadata}, spec: {{}}}}"
    )
    assert run(["validate", str(file)]) == 1
    assert wanted in capsys.readouterr().out.splitlines()[0]
