"""What `simulate` says comes to pass: the same core, on what the API server tells."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from duravip_cli.__main__ import run
from duravip_cli.explain.forecast import forecast, with_drained, with_failed
from duravip_cli.explain.inferred_snapshot import infer_snapshot
from duravip_cli.objects import ObjectLists
from scenarios.world import World
from unit.cli.memory import Memory, memory_of

LAN = {"kind": "Topology", "name": "lan", "spec": {"cidr": "10.1.0.0/16", "interface": "eth1"}}


def _lists(world: World) -> ObjectLists:
    found = memory_of(world).lists
    kinds = ("DuraVIP", "Binding", "Topology", "Node", "NodePlumbing")
    return ObjectLists(*(tuple(found[kind]) for kind in kinds))


def _owners(world: World) -> dict[str, str]:
    return {
        body["spec"]["address"]: body["status"].get("owner", "")
        for (kind, *_), body in world.objects.items()
        if kind != "Topology"
    }


def _random_world(chance: random.Random) -> World:
    nodes = {f"n{n}": {"labels": {"zone": chance.choice("ab")}} for n in range(1, 6)}
    objects: list[dict[str, Any]] = [LAN]
    for n in range(1, chance.randint(8, 30)):
        spec: dict[str, Any] = {"address": f"10.1.1.{n}"}
        if chance.random() < 0.4:
            spec["preference"] = chance.choice([*nodes, "n9"])
        if chance.random() < 0.2:
            spec["nodeSelector"] = {"zone": chance.choice("abc")}
        objects.append({"kind": "Binding", "name": f"b{n}", "spec": spec})
        if chance.random() < 0.3:
            follower = {"address": f"10.1.2.{n}", "follow": f"b{n}"}
            objects.append({"kind": "DuraVIP", "name": f"d{n}", "spec": follower})
    world = World({"nodes": nodes, "objects": objects})
    for node in chance.sample(sorted(nodes), chance.randint(0, 2)):
        chance.choice([world.crash, world.exclude, world.stop_agent])([node])
        world.settle()
    return world


@pytest.mark.parametrize("seed", range(40))
def test_a_simulated_failure_agrees_with_the_one_that_follows(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 (nothing is to be kept secret)
    world = _random_world(chance)
    before = infer_snapshot(_lists(world)).snapshot
    victim = chance.choice(sorted(world.machines))
    is_crash = chance.random() < 0.5
    after = (with_failed if is_crash else with_drained)(before, [victim])
    said = _owners(world) | {c.address: c.after for c in forecast(before, after).changes}
    (world.crash if is_crash else world.exclude)([victim])
    world.settle()
    assert said == _owners(world)


def test_the_reason_is_the_one_that_the_status_then_gives(
    capsys: pytest.CaptureFixture[str],
) -> None:
    objects = [LAN, *({"kind": "DuraVIP", "name": f"d{n}", "spec": {"address": f"10.1.1.{n}"}}
                      for n in range(1, 7))]  # fmt: skip
    world = World({"nodes": ["n1", "n2", "n3"], "objects": objects})
    code, found = _said(world, capsys, "--fail", "n1")
    assert (code, len(found["moves"]), found["unchanged"]) == (0, 2, 4)
    assert {(m["from"], m["reason"]) for m in found["moves"]} == {("n1", "NodeLost")}
    _, found = _said(world, capsys, "--drain", "n1", "--fail", "n2")
    assert {m["reason"] for m in found["moves"]} == {"Drain", "NodeLost"}
    assert found["load"] == {"n1": 0, "n2": 0, "n3": 6}


def test_addresses_that_would_be_lost_are_a_problem(capsys: pytest.CaptureFixture[str]) -> None:
    only = {"kind": "DuraVIP", "name": "a", "spec": {"address": "10.1.1.1"}}
    world = World({"nodes": ["n1"], "objects": [LAN, only]})
    code, found = _said(world, capsys, "--drain", "n1")
    (move,) = found["moves"]
    assert (code, move["to"], move["reason"]) == (1, "", "NoParticipant")
    assert "NodeExcluded on n1" in move["message"]


def test_manifests_are_tried_out(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    old = {"kind": "DuraVIP", "name": "a", "spec": {"address": "10.1.1.1", "preference": "n1"}}
    world = World({"nodes": ["n1", "n2"], "objects": [LAN, old]})
    head = {"apiVersion": "duravip.io/v1alpha1", "kind": "DuraVIP"}
    moved = {**head, "metadata": {"name": "a"}, "spec": {**old["spec"], "preference": "n2"}}  # type: ignore[dict-item]
    new = {**head, "metadata": {"name": "b"}, "spec": {"address": "10.1.1.2"}}
    file = tmp_path / "new.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [moved]}))
    other = tmp_path / "other.json"
    other.write_text(json.dumps(new))
    _, found = _said(world, capsys, "--apply", str(file), str(other))
    said = {m["address"]: (m["from"], m["to"], m["reason"]) for m in found["moves"]}
    assert said == {
        "10.1.1.1": ("n1", "n2", "Preference"),
        "10.1.1.2": ("", "n1", "Elected"),
    }


def test_what_would_be_refused_is_named_and_left_out(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    old = {"kind": "DuraVIP", "name": "a", "spec": {"address": "10.1.1.1"}}
    world = World({"nodes": ["n1", "n2"], "objects": [LAN, old]})
    head = {"apiVersion": "duravip.io/v1alpha1", "kind": "DuraVIP"}
    theft = {**head, "metadata": {"name": "a", "namespace": "other"}, "spec": old["spec"]}
    new = {**head, "metadata": {"name": "b"}, "spec": {"address": "10.1.1.2"}}
    file = tmp_path / "both.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [theft, new]}))
    code, found = _said(world, capsys, "--apply", str(file))
    assert (code, [m["address"] for m in found["moves"]]) == (1, ["10.1.1.2"])
    (why,) = found["refused"].values()
    assert "DuraVIP other/a: spec.address: 10.1.1.1 belongs to another namespace" in why


def test_what_cannot_be_simulated_is_said_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    memory = Memory(Node=[])
    assert run(["simulate"], lambda _: memory) == 2
    assert run(["simulate", "--fail", "n7"], lambda _: memory) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "kubectl-duravip: say what to simulate: --fail, --drain or --apply",
        "kubectl-duravip: there is no node n7",
    ]


def _said(
    world: World, capsys: pytest.CaptureFixture[str], *options: str
) -> tuple[int, dict[str, Any]]:
    code = run(["simulate", "-o", "json", *options], lambda _: memory_of(world))
    return code, json.loads(capsys.readouterr().out)
