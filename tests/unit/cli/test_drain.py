"""`drain` and `undrain`: one label, and patience."""

import json
from typing import Any

import pytest

from duravip_api import EXCLUDE_LABEL
from duravip_api.annotations import MOVE_TO
from duravip_cli.__main__ import run
from scenarios.world import World
from unit.cli.memory import Memory, memory_of


class Obedient(Memory):
    """A world in memory, whose operator does what a label asks for."""

    def __init__(self, world: World) -> None:
        self.world = world
        super().__init__(**memory_of(world).lists)

    def label_node(self, name: str, label: str, value: str | None) -> None:
        super().label_node(name, label, value)
        self.world.exclude([name])
        self.world.settle()
        self.lists = memory_of(self.world).lists


def alone() -> Obedient:
    """Two nodes; n2 has no eth2, so that n1 alone may hold 10.2.1.1."""
    lan = {"kind": "Topology", "name": "lan", "spec": {"cidr": "10.1.1.0/24", "interface": "eth1"}}
    far = {"kind": "Topology", "name": "far", "spec": {"cidr": "10.2.1.0/24", "interface": "eth2"}}
    vips = [
        {"kind": "DuraVIP", "name": name, "spec": {"address": address, "preference": "n1"}}
        for name, address in (("a", "10.1.1.1"), ("b", "10.2.1.1"))
    ]
    nodes = {"n1": {"interfaces": ["eth1", "eth2"]}, "n2": {"interfaces": ["eth1"]}}
    return Obedient(World({"nodes": nodes, "objects": [lan, far, *vips]}))


class Cluster(Memory):
    """One node with two addresses, which it gives up one a look once it is taken out."""

    def __init__(self, *, obeys: bool = True, **labels: str) -> None:
        super().__init__(
            Node=[{"metadata": {"name": "n1", "labels": labels}}],
            NodePlumbing=[_plumbing(2)],
        )
        self._obeys = obeys

    def read(self, kind: Any, name: str) -> Any:
        found = super().read(kind, name)
        if kind == "NodePlumbing" and self._obeys and EXCLUDE_LABEL in self.labels:
            left = self.lists["NodePlumbing"][0]["spec"]["grantedCount"]
            self.lists["NodePlumbing"] = [_plumbing(max(0, left - 1))]
        return found

    @property
    def labels(self) -> dict[str, str]:
        found: dict[str, str] = self.lists["Node"][0]["metadata"]["labels"]
        return found


def _plumbing(count: int) -> dict[str, Any]:
    return {
        "metadata": {"name": "n1", "generation": 1},
        "spec": {"grantedCount": count},
        "status": {"observedGeneration": 1, "servedCount": count},
    }


def test_a_drain_waits_until_nothing_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    cluster = Cluster()
    assert run(["drain", "n1"], lambda _: cluster, lambda _: None) == 0
    assert cluster.labels == {EXCLUDE_LABEL: "duravip"}
    said = capsys.readouterr().out.splitlines()
    assert said[1:] == [
        "n1 has 2 addresses left",
        "n1 has 1 address left",
        "n1 holds no address any more",
    ]


def test_a_drain_that_gets_nowhere_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    cluster = Cluster(obeys=False)
    assert run(["drain", "n1", "--timeout", "0"], lambda _: cluster, lambda _: None) == 1
    assert "n1 has 2" in capsys.readouterr().err
    assert run(["drain", "n1", "--no-wait", "-o", "json"], lambda _: cluster, lambda _: None) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {
        "node": "n1", "granted": 2, "served": 2, "label": {EXCLUDE_LABEL: "duravip"},
        "lost": [],
    }  # fmt: skip


def test_several_nodes_are_taken_out_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    cluster = Cluster()
    words = ["drain", "node/n1", "n1", "--timeout", "9", "-o", "json"]
    assert run(words, lambda _: cluster, lambda _: None) == 0
    assert json.loads(capsys.readouterr().out)["node"] == "n1"
    cluster.lists["Node"].append({"metadata": {"name": "n2", "labels": {}}})
    words = ["drain", "n1", "n2", "--no-wait", "-o", "json"]
    assert run(words, lambda _: cluster, lambda _: None) == 0
    assert [one["node"] for one in json.loads(capsys.readouterr().out)] == ["n1", "n2"]
    assert run(["undrain", "n1", "n2", "-o", "json"], lambda _: cluster) == 0
    assert all(one["changed"] for one in json.loads(capsys.readouterr().out))
    assert not any(node["metadata"]["labels"] for node in cluster.lists["Node"])


def test_a_label_of_somebody_else_stays_unless_forced(capsys: pytest.CaptureFixture[str]) -> None:
    cluster = Cluster(**{EXCLUDE_LABEL: ""})
    assert run(["drain", "n1", "--no-wait"], lambda _: cluster, lambda _: None) == 0
    assert run(["undrain", "n1"], lambda _: cluster, lambda _: None) == 1
    assert cluster.labels == {EXCLUDE_LABEL: ""}
    assert "remove it with --force" in capsys.readouterr().err
    assert run(["undrain", "n1", "--force"], lambda _: cluster, lambda _: None) == 0
    assert cluster.labels == {}


def test_undrain_is_the_reverse_and_may_be_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    cluster = Cluster(**{EXCLUDE_LABEL: "duravip"})
    assert run(["undrain", "n1"], lambda _: cluster, lambda _: None) == 0
    assert cluster.labels == {}
    assert run(["undrain", "n1"], lambda _: cluster, lambda _: None) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "n1 was not taken out"


def test_a_node_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("drain", "undrain"):
        assert run([verb, "n9"], lambda _: Cluster()) == 1
    assert capsys.readouterr().err == 2 * "kubectl-duravip: there is no node n9\n"


def test_an_address_that_loses_its_only_node_is_named_before_and_after(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["drain", "n1"], lambda _: alone(), lambda _: None) == 1
    first, why, *_, headline, again = capsys.readouterr().out.splitlines()
    assert first == "nobody else may hold 1 address, which will have no owner:"
    assert why.startswith("  10.2.1.1: NoParticipant: no node may hold it: InterfaceMissing on n2")
    assert headline == "nobody holds 1 address now:"
    assert again.startswith("  10.2.1.1: NoParticipant: ")


@pytest.mark.parametrize("waits", ["--wait", "--no-wait"])
def test_a_program_is_told_what_is_lost(waits: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["drain", "n1", waits, "-o", "json"], lambda _: alone(), lambda _: None) == 1
    (lost,) = json.loads(capsys.readouterr().out)["lost"]
    assert (lost["address"], lost["reason"]) == ("10.2.1.1", "NoParticipant")


def test_what_was_held_on_the_node_is_held_there_no_more() -> None:
    cluster = alone()
    cluster.world.apply([{"kind": "DuraVIP", "name": "c", "spec": {"address": "10.1.1.3"},
                          "annotations": {MOVE_TO: "n1@now"}}])  # fmt: skip
    cluster.world.settle()
    cluster.lists = memory_of(cluster.world).lists
    run(["drain", "n1"], lambda _: cluster, lambda _: None)
    (body,) = [b for b in cluster.lists["DuraVIP"] if b["metadata"]["name"] == "c"]
    assert body["status"]["owner"] == "n2"
    assert body["metadata"]["annotations"] == {}
