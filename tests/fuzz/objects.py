"""Objects that others write, as the API server hands them on, and files of the command line."""

import json
from typing import Any, Final

from duravip_agent.core.node_spec import parse_node_spec
from duravip_api.grants import MOST_GRANTED
from duravip_cli.manifests.documents import parse_manifests
from duravip_cli.manifests.validation import find_problems
from duravip_operator.core import admission, parsing, releases, service_consistency
from duravip_operator.core.decision import decide
from duravip_operator.core.snapshot import Node, Snapshot, Topology, VipObject
from fuzz.registry import IGNORED, Target, target

METADATA: Final = {"name": "n1", "namespace": "d", "uid": "u", "generation": 1}
LAN: Final = {"cidr": "10.1.0.0/16", "interface": "eth1"}
WORLD: Final = Snapshot(
    vips=(parsing.vip_object("DuraVIP", {"metadata": METADATA, "spec": {"address": "10.1.1.1"}}),),
    topologies=(parsing.topology({"metadata": METADATA, "spec": LAN}),),
    nodes={"n1": Node("n1", {"a": "b"}, frozenset({"10.1.0.1"}))},
)
LONGEST: Final = 6000


def _loaded(data: bytes) -> dict[str, Any] | None:
    """What a server could have stored of it: an object with a name and numbers of the server's."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return {**found, "metadata": METADATA} if isinstance(found, dict) else None


@target("nodeplumbing")
def nodeplumbing() -> Target:
    """A NodePlumbing, in both programs: the status as a node writes it, the spec by hand."""
    entry = {"name": "eth1", "mask": 32, "granted": ["10.1.1.1,3,7-9", "fd00::1-fd00::9"]}
    nic = {"name": "eth1", "index": 2, "up": True, "carrier": True, "addresses": ["10.1.0.1/16"]}
    failure = {"address": "10.1.1.1", "message": "no"}
    listening = ["TCP/25 0.0.0.0", "TCP/25 10.1.1.1-10.1.1.9", "UDP/53 ::", "UDP/54"]
    status = {
        "observedGeneration": 1, "served": ["10.1.1.1"], "listening": listening, "nics": [nic],
        "failures": [failure], "contested": [failure], "strict": ["eth1"],
    }  # fmt: skip
    spec = {"epoch": 1, "interfaces": [{**entry, "contested": ["10.1.2.1"]}], "ports": ["TCP/25"]}

    def check(data: bytes) -> str:
        body = _loaded(data)
        if body is None:
            return IGNORED
        plumbing = parsing.plumbing(body)
        assert sum(map(len, plumbing.grants.values())) <= MOST_GRANTED
        world = Snapshot(
            vips=WORLD.vips, topologies=WORLD.topologies, nodes=WORLD.nodes,
            plumbings={"n1": plumbing},
        )  # fmt: skip
        made = decide(world, releases.update_records({}, world))
        assert len(made.address_statuses) == 1
        service_consistency.declared_ports(made.units.values())
        try:
            grant = parse_node_spec(body)
        except ValueError:
            return "refused by the agent"
        assert grant.wanted.keys() == plumbing.granted or grant.failures
        return f"{len(grant.wanted) > 0} {bool(grant.failures)} {bool(plumbing.listening)}"

    examples = [{"spec": spec, "status": status}, {"status": status}, {"spec": spec}]
    return Target(
        check, tuple(json.dumps(e).encode() for e in examples), longest=LONGEST, within_s=0.2
    )


@target("admission")
def reviews() -> Target:
    """What people write, judged as the webhook does."""
    asked = {"duravip.io/move-to": "n1@2026-01-01T00:00:00Z"}
    selector = {"kubernetes.io/os": "linux"}
    specs: list[tuple[str, dict[str, Any]]] = [
        ("DuraVIP", {"address": "10.1.1.2", "services": [{"name": "smtp", "port": 25}]}),
        ("DuraVIP", {"address": "fd00::1", "follow": "a", "nodeSelector": selector}),
        ("Binding", {"address": "10.1.1.3", "group": "g", "preference": "n1"}),
        ("Topology", {**LAN, "cidrmask": 24, "namespaces": ["d"], "arpTargets": ["10.1.0.1"]}),
    ]

    def check(data: bytes) -> str:
        body = _loaded(data)
        if body is None:
            return IGNORED
        notes = body.get("annotations")
        body["metadata"] = {**METADATA, "annotations": notes if isinstance(notes, dict) else {}}
        new: VipObject | Topology
        if body.get("kind") == "Topology":
            new = parsing.topology(body)
        else:
            new = parsing.vip_object(
                "Binding" if body.get("kind") == "Binding" else "DuraVIP", body
            )
        why = admission.refusal(WORLD, new)
        assert why is None or len(why.message) < 2000
        return str(why.reason) if why else "let in"

    examples = [{"kind": kind, "spec": spec, "annotations": asked} for kind, spec in specs]
    return Target(
        check, tuple(json.dumps(e).encode() for e in examples), longest=LONGEST, within_s=0.2
    )


@target("files")
def files() -> Target:
    """What `validate` and `simulate` are given."""
    head = "apiVersion: duravip.io/v1alpha1\nkind: {}\nmetadata: {{name: a, namespace: d}}\nspec: "
    texts = [
        head.format("DuraVIP") + "{address: 10.1.1.1, services: [{name: a, port: 25}]}\n",
        head.format("Topology") + "{cidr: 10.1.0.0/16, interface: eth1}\n---\nkind: Node\n",
        head.format("Binding") + "\n  address: 10.1.1.2\n  nodeSelector:\n    a: 'b'\n",
    ]

    def check(data: bytes) -> str:
        reading = parse_manifests([("f.yaml", data.decode(errors="replace"))], "default")
        found = [*reading.problems, *find_problems(reading.documents, None)]
        return f"{min(len(reading.documents), 3)} documents, {min(len(found), 5)} problems"

    return Target(check, tuple(text.encode() for text in texts), longest=LONGEST, within_s=5.0)
