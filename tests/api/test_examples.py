"""The manual's listings, translated in docs/examples, applied as they are: they do as it says."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from api.objects import topology
from api.real_world import RealWorld
from lab.cluster import Lab
from lab.fleet import PROGRAMS

LAB = "world"
EXAMPLES = Path(__file__).parents[2] / "docs/examples"
NODES = {name: {"interfaces": ["eth1", "eth2"]} for name in ("n1", "n2")}
"""The examples name these."""


def begin(world: RealWorld, name: str) -> None:
    """Apply an example to a cluster that is empty."""
    world.begin({"nodes": NODES})
    world.lab.kubectl("apply", "-f", str(EXAMPLES / f"{name}.yaml"))


def test_every_example_is_tried() -> None:
    tried = {"first", "seed", "preference", "follow", "same-address", "groups", "unsafe"}
    assert {file.stem for file in EXAMPLES.glob("*.yaml")} == tried


def aliases(world: RealWorld) -> dict[str, set[str]]:
    """`{node: what is plumbed on its eth1 beside its own address}`."""
    found = {}
    for name in NODES:
        argv = ["ip", "-4", "-o", "addr", "show", "dev", "eth1"]
        words = world.lab.machines[name].run(argv).split()
        found[name] = {word for word in words if word.endswith("/32")}
    return found


@pytest.mark.timeout(900)
def test_two_listeners_and_two_bindings_have_one_owner_each(world: RealWorld) -> None:
    begin(world, "seed")
    first = {"state": "Owned", "owner": "n1", "interface": "eth1", "flags": "-"}
    second = {**first, "owner": "n2"}
    world.expect(
        {
            "DuraVIP smtp-1": first,
            "Binding duravip-1": first,
            "DuraVIP smtp-2": second,
            "Binding duravip-2": second,
            "Topology example": {"mask": 32, "nodes": 2, "addresses": 2},
        }
    )
    assert aliases(world) == {"n1": {"10.1.1.1/32"}, "n2": {"10.1.1.2/32"}}
    world.crash(["n1"])
    world.expect({"Binding duravip-1": {"owner": "n2", "moved": "NodeLost"}})
    world.boot(["n1"])
    world.expect({"DuraVIP smtp-1": first, "DuraVIP smtp-2": second})


def preferred(owner: str) -> dict[str, dict[str, str]]:
    """What the example of a preference shows while this node has the address."""
    return {"DuraVIP smtp-preferred": {"owner": owner}, "Binding preferred": {"owner": owner}}


@pytest.mark.timeout(900)
def test_the_preferred_node_has_it_whenever_it_can(world: RealWorld) -> None:
    begin(world, "preference")
    world.expect(preferred("n1"))
    world.exclude(["n1"])
    world.expect(preferred("n2"))
    world.include(["n1"])
    world.expect(preferred("n1"))


@pytest.mark.timeout(900)
def test_the_listener_follows_the_binding_to_another_node(world: RealWorld) -> None:
    begin(world, "follow")
    owned = {"state": "Owned"}
    world.expect({"Binding followed": owned, "DuraVIP smtp-following": owned})
    had = world.look("Binding followed")["owner"]
    assert world.look("DuraVIP smtp-following")["owner"] == had
    world.crash([had])
    other = "n2" if had == "n1" else "n1"
    leader = {"owner": other, "moved": "NodeLost"}
    follower = {"owner": other, "moved": "Follow"}
    world.expect({"Binding followed": leader, "DuraVIP smtp-following": follower})


@pytest.mark.timeout(900)
def test_a_listener_does_not_follow_its_own_address(world: RealWorld) -> None:
    begin(world, "same-address")
    refused = {"state": "Unassigned", "reason": "FollowSameAddress", "owner": None}
    world.expect({"DuraVIP example": refused, "Binding example": {"state": "Owned"}})


@pytest.mark.timeout(900)
def test_each_node_has_a_binding_of_the_group(lab: Lab, world: RealWorld) -> None:
    begin(world, "groups")
    world.expect({f"Binding bulk-{n}": {"owner": f"n{n}"} for n in (1, 2)})
    argv = [str(PROGRAMS / "kubectl-duravip"), "groups", "-o", "json"]
    environment = {**os.environ, "KUBECONFIG": str(lab.kubeconfig)}
    (group,) = json.loads(subprocess.check_output(argv, env=environment, timeout=120))
    assert (group["group"], group["missing"]) == ("bulk", [])


@pytest.mark.timeout(900)
def test_an_address_that_only_one_node_listens_on_is_unsafe_and_served(world: RealWorld) -> None:
    begin(world, "unsafe")
    marked = {"state": "Owned", "flags": "Unsafe"}
    world.expect({"DuraVIP smtp-unsafe": marked, "Binding unsafe": marked})


@pytest.mark.timeout(900)
def test_the_first_address_needs_what_the_chart_makes_and_no_more(world: RealWorld) -> None:
    begin(world, "first")
    said = {"state": "Unassigned", "reason": "NoTopology"}
    world.expect({"DuraVIP first": said})
    world.lab.kubectl("apply", "-f", "-", input=json.dumps(topology("segment", "10.1.1.0/24")))
    world.expect({"DuraVIP first": {"state": "Owned", "flags": "-"}})


@pytest.mark.timeout(900)
def test_all_examples_go_beside_one_another(world: RealWorld) -> None:
    begin(world, "seed")
    for name in ("first", "preference", "follow", "groups", "unsafe"):
        world.lab.kubectl("apply", "-f", str(EXAMPLES / f"{name}.yaml"))
    owned = [
        *("DuraVIP first", "DuraVIP smtp-1", "Binding duravip-2", "DuraVIP smtp-preferred"),
        *("DuraVIP smtp-following", "Binding bulk-1", "Binding bulk-2", "DuraVIP smtp-unsafe"),
    ]
    world.expect({what: {"state": "Owned"} for what in owned})
