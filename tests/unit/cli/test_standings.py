"""`why`: every node's standing, and what is taken for its hearing."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from duravip_api.annotations import MOVE_TO, format_time
from duravip_api.reasons import Reason
from duravip_cli.__main__ import run
from duravip_cli.explain.inferred_snapshot import infer_snapshot
from duravip_cli.objects import ObjectLists
from duravip_operator.core import lease_annotations
from duravip_operator.core.snapshot import Liveness
from scenarios.world import World
from unit.cli.memory import Memory, memory_of
from unit.cli.test_services import vip

LAN = {"kind": "Topology", "name": "lan", "spec": {"cidr": "10.1.0.0/16", "interface": "eth1"}}
NODES: dict[str, dict[str, Any]] = {
    "n1": {},
    "n2": {},
    "n3": {"labels": {"zone": "b"}},
    "n4": {"interfaces": ["eth0"]},
    "n5": {},
}


def _world(**spec: Any) -> World:
    body = {"kind": "DuraVIP", "name": "a", "spec": {"address": "10.1.1.1", **spec}}
    return World({"nodes": NODES, "objects": [LAN, body]})


def _why(world: World, capsys: pytest.CaptureFixture[str]) -> dict[str, tuple[str, str, str]]:
    assert run(["why", "10.1.1.1", "-o", "json"], lambda _: memory_of(world)) == 0
    found = json.loads(capsys.readouterr().out)["nodes"]
    return {n["node"]: (n["standing"], n["reason"], n["sentence"]) for n in found}


def test_a_request_is_named_as_the_cause(capsys: pytest.CaptureFixture[str]) -> None:
    world = _world()
    (body,) = [body for (kind, *_), body in world.objects.items() if kind == "DuraVIP"]
    body["metadata"]["annotations"] = {MOVE_TO: "n2@2030-01-01T00:00:00Z"}
    world.settle()
    found = _why(world, capsys)
    assert found["n2"] == ("owner", "Served", "somebody has asked for it to be held here")
    assert found["n1"][2] == "somebody has asked for it to be held on n2"


def test_a_node_that_failed_to_hold_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    world = _world(preference="n2")
    world.fail({"n2": ["10.1.1.1"]})
    world.settle()
    world.wait(11)
    world.settle()
    (body,) = [body for (kind, *_), body in world.objects.items() if kind == "DuraVIP"]
    body["status"]["lastMove"]["time"] = format_time(datetime.now(UTC))
    found = _why(world, capsys)
    assert found["n2"][:2] == ("may not", "RepairFailed")


def test_each_node_is_told_why_it_is_not_the_owner(capsys: pytest.CaptureFixture[str]) -> None:
    world = _world(preference="n2")
    world.exclude(["n5"])
    world.unplug({"n3": "eth1"})
    world.settle()
    found = _why(world, capsys)
    assert found["n2"] == ("owner", "Served", "it is the preferred node")
    assert found["n1"] == ("may take it", "", "the preference names n2")
    assert found["n3"][:2] == ("may not", "InterfaceDown")
    assert found["n4"] == ("may not", "InterfaceMissing",
                           f"{Reason.INTERFACE_MISSING.sentence} (eth1)")  # fmt: skip
    assert found["n5"][:2] == ("may not", "NodeExcluded")
    assert "external-load-balancers=true" in found["n5"][2]


SERVED_BY_WEB = {
    "kind": "DuraVIP",
    "name": "a",
    "spec": {"address": "10.1.1.1", "readiness": {"endpointsOf": "web"}},
}


def test_an_unfit_node_says_what_it_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    endpoints = {"web": {"n2": "ready"}}
    world = World({"nodes": NODES, "endpoints": endpoints, "objects": [LAN, SERVED_BY_WEB]})
    found = _why(world, capsys)
    assert found["n2"][:2] == ("owner", "Served")
    assert found["n1"][:2] == ("may not", "NoReadyEndpoint")
    assert "unfit: no ready endpoint of Service web" in found["n1"][2]
    assert found["n4"][:2] == ("may not", "InterfaceMissing")


def test_where_no_node_is_fit_the_warning_says_it(capsys: pytest.CaptureFixture[str]) -> None:
    world = World({"nodes": NODES, "objects": [LAN, SERVED_BY_WEB]})
    assert run(["why", "10.1.1.1"], lambda _: memory_of(world)) == 0
    shown = capsys.readouterr().out
    assert "  served by n1 on eth1, though no node is fit for it (NoFitNode)" in shown
    assert "  no node that may take it is fit, so it stays on n1: " in shown
    assert "(NoFitNode, ServiceUnknown)" in shown
    assert "Service web has no EndpointSlice" in shown


def test_slices_that_may_not_be_read_are_admitted(capsys: pytest.CaptureFixture[str]) -> None:
    world = World({"nodes": NODES, "objects": [LAN, SERVED_BY_WEB]})
    memory = memory_of(world)
    memory.slices = None
    assert run(["why", "10.1.1.1"], lambda _: memory) == 0
    assert "EndpointSlices cannot be read" in capsys.readouterr().out


def test_where_nodes_choose_an_interface_it_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    nodes = {
        "n1": {"interfaces": ["eth1", "eth2"]},
        "n2": {"interfaces": ["eth2"]},
        "n3": {"interfaces": ["eth0"]},
        "n4": {"interfaces": ["eth1", "eth2"]},
    }
    lan = {
        "kind": "Topology",
        "name": "lan",
        "spec": {"cidr": "10.1.1.0/24", "interfaces": ["eth1", "eth2"]},
    }
    vip = {"kind": "DuraVIP", "name": "a", "spec": {"address": "10.1.1.1", "preference": "n1"}}
    world = World({"nodes": nodes, "objects": [lan, vip]})
    world.unplug({"n1": "eth1", "n4": "eth1"})
    world.unplug({"n4": "eth2"})
    world.settle()
    found = _why(world, capsys)
    assert found["n1"][2] == (
        "it is the preferred node; its interface is eth2 (eth1 has no carrier)"
    )
    assert found["n2"][2].endswith("; its interface is eth2 (eth1 is not there)")
    assert found["n3"][1:] == (
        "InterfaceMissing",
        f"{Reason.INTERFACE_MISSING.sentence} (eth1,eth2)",
    )
    assert found["n4"][1] == "InterfaceDown"


def test_several_interfaces_in_the_subnet_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    own = {"eth2": ["10.1.0.9/16"]}
    world = World(
        {
            "nodes": {"n1": {"interfaces": ["eth1", "eth2"], "addresses": own}, "n2": {}},
            "objects": [
                {
                    "kind": "Topology",
                    "name": "lan",
                    "spec": {"cidr": "10.1.1.0/24", "bySubnet": True},
                },
                {"kind": "DuraVIP", "name": "a", "spec": {"address": "10.1.1.1"}},
            ],
        }
    )
    world.settle()
    found = _why(world, capsys)
    assert found["n1"][1] == "InterfaceAmbiguous"
    assert found["n1"][2].endswith("(by subnet: eth1, eth2)")
    assert found["n2"][2].endswith("; its interface is eth1")


def test_a_selector_that_does_not_match_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    found = _why(_world(nodeSelector={"zone": "b"}), capsys)
    assert found["n3"][0] == "owner"
    assert "DuraVIP default/a wants zone=b" in found["n1"][2]


def test_stickiness_and_load_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    world = _world()
    owner = world.objects["DuraVIP", "default", "a"]["status"]["owner"]
    others = {name: row for name, row in _why(world, capsys).items() if name != owner}
    assert others["n4"][0] == "may not"
    assert {row[2] for name, row in others.items() if name != "n4"} == {
        f"{owner} has it, and nothing moves without a cause"
    }


def test_a_new_address_goes_where_the_fewest_are(capsys: pytest.CaptureFixture[str]) -> None:
    world = _world()
    owner = world.objects["DuraVIP", "default", "a"]["status"]["owner"]
    world.apply([{"kind": "DuraVIP", "name": "b", "spec": {"address": "10.1.1.2"}}])
    assert run(["why", "b", "-o", "json"], lambda _: memory_of(world)) == 0
    found = json.loads(capsys.readouterr().out)["nodes"]
    said = {row["node"]: row["sentence"] for row in found}
    assert said[owner].endswith("has fewer addresses (0, here 1)")
    assert any("the order of names decides" in text for text in said.values())


def test_a_follower_needs_a_node_that_may_hold_both(capsys: pytest.CaptureFixture[str]) -> None:
    far = {"kind": "Topology", "name": "far", "spec": {"cidr": "10.2.0.0/16", "interface": "eth0",
           "nodeSelector": {"zone": "b"}}}  # fmt: skip
    out = {"kind": "Binding", "name": "out", "spec": {"address": "10.2.1.1"}}
    body = {"kind": "DuraVIP", "name": "a", "spec": {"address": "10.1.1.1", "follow": "out"}}
    found = _why(World({"nodes": NODES, "objects": [LAN, far, out, body]}), capsys)
    assert found["n3"][0] == "owner"
    assert "Topology far wants zone=b" in found["n1"][2]


def test_a_broken_address_is_refused_everywhere_with_its_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    own = {"kind": "DuraVIP", "name": "own", "spec": {"address": "10.1.0.11"}}
    world = World({"nodes": NODES, "objects": [LAN, own]})
    assert run(["why", "own"], lambda _: memory_of(world)) == 0
    shown = capsys.readouterr().out
    assert shown.count(f"may not    NodeAddress   {Reason.NODE_ADDRESS.sentence}") == 5
    assert "Note: whom the operator hears is inferred" in shown


def test_hearing_is_inferred_from_what_the_api_tells() -> None:
    world = _world(preference="n1")
    world.crash(["n1"])  # its grant was revoked, and it never acts on that
    world.stop_agent(["n3"])
    world.settle()
    memory = memory_of(world)
    memory.lists["NodePlumbing"][4]["status"]["conditions"][0]["reason"] = "AgentStarting"
    memory.lists["Node"][3]["status"] = {"conditions": [{"type": "Ready", "status": "Unknown"}]}
    kinds = ("DuraVIP", "Binding", "Topology", "Node", "NodePlumbing")
    seen = infer_snapshot(ObjectLists(*(tuple(memory.lists[kind]) for kind in kinds)))
    assert {name: heard.state for name, heard in seen.liveness.items()} == {
        "n1": Liveness.SUSPECT,
        "n2": Liveness.ALIVE,
        "n3": Liveness.UNKNOWN,
        "n4": Liveness.SUSPECT,
        "n5": Liveness.WARMING_UP,
    }
    assert seen.snapshot.plumbings["n3"].stopped
    assert seen.snapshot.suspicions["n1"].unreachable_on == {"eth0", "eth1"}


def test_an_owner_that_the_operator_does_not_hear_keeps_its_address(
    capsys: pytest.CaptureFixture[str],
) -> None:
    world = _world(preference="n1")
    world.silence({"n1": {"answering": ["eth1"]}})
    world.settle()
    standing, reason, sentence = _why(world, capsys)["n1"]
    assert (standing, reason) == ("owner", "OwnerUnreachable")
    assert "gets nothing new: NodeSilent" in sentence


def _published(memory: Memory, given_up: Any = None, **settings: Any) -> Memory:
    told = {"maxAliases": 10240, "fencing": "Segment", **settings}
    notes = {
        lease_annotations.SETTINGS_ANNOTATION: lease_annotations.format_settings(told),
        lease_annotations.QUARANTINE_ANNOTATION: lease_annotations.format_quarantine(
            given_up or {}, {}, ()
        ),
    }
    memory.held = [{"metadata": {"name": "duravip-operator", "annotations": notes}}]
    return memory


def test_the_leaders_settings_and_quarantines_decide(capsys: pytest.CaptureFixture[str]) -> None:
    world = _world(preference="n1")
    spec = {"address": "10.1.1.2", "preference": "n2"}
    world.apply([{"kind": "DuraVIP", "name": "b", "spec": spec}])
    world.settle()
    memory = _published(memory_of(world), {"10.1.1.1": frozenset({"n3"})}, maxAliases=1)
    assert run(["why", "a", "-o", "json"], lambda _: memory) == 0
    found = json.loads(capsys.readouterr().out)
    rows = {row["node"]: (row["standing"], row["reason"]) for row in found["nodes"]}
    assert rows["n1"][0] == "owner"
    assert rows["n2"] == ("may not", "CapacityExceeded")
    assert rows["n3"] == ("may not", "RepairFailed")
    assert "Lease" not in found["hearing"]["note"]
    assert run(["simulate", "--drain", "n1", "-o", "json"], lambda _: memory) == 0
    (move,) = json.loads(capsys.readouterr().out)["moves"]
    assert move["to"] == "n5", "the only one with room that it was not given up on"


def test_without_the_lease_it_says_that_defaults_are_taken(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["why", "a"], lambda _: memory_of(_world())) == 0
    assert "the leader's Lease cannot be read" in capsys.readouterr().out


def test_what_is_let_in_is_said_where_only_declared_ports_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    services = [{"name": "smtp", "port": 25}, {"name": "dns", "port": 53, "protocol": "UDP"}]
    world = _world(expose="Declared", services=services)
    assert run(["why", "10.1.1.1"], lambda _: memory_of(world)) == 0
    said = capsys.readouterr().out
    assert "expose: Declared: lets in TCP/25, UDP/53, ICMP, and replies" in said
    assert run(["show", "10.1.1.1", "-o", "wide"], lambda _: memory_of(world)) == 0
    assert " Declared " in capsys.readouterr().out


def test_an_address_of_a_service_says_whose_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    memory = memory_of(_world())
    of_service = vip("web", "10.1.1.1")["metadata"]
    for body in memory.lists["DuraVIP"]:
        body["metadata"] |= {
            key: of_service[key] for key in ("labels", "annotations", "ownerReferences")
        }
    assert run(["why", "10.1.1.1"], lambda _: memory) == 0
    assert "  for Service default/web, from AddressPool lan: edit that Service" in (
        capsys.readouterr().out.splitlines()
    )
