"""What happens to the machines of a scenario, done to a lab: the verbs of `when`.

They are those of `scenarios.fates`, word for word.
"""

import json
from collections.abc import Mapping
from typing import Any

from api.real_nodes import RealNodes, bridge, cut, deafen, mute, unbridge, unmute
from api.real_strangers import Strangers
from duravip_api import EXCLUDE_LABEL
from lab.cluster import Lab
from scenarios.endpoint_slices import slice_of


class RealFates:
    """Each takes what stands behind its name in the scenario."""

    lab: Lab
    nodes: RealNodes
    strangers: Strangers

    def crash(self, nodes: list[str]) -> None:
        """Cut their power."""
        for name in nodes:
            self.lab.machines[name].crash()

    def boot(self, nodes: list[str]) -> None:
        """Give it back, and start what runs on a node."""
        for name in nodes:
            self.nodes.power_on(self.lab.machines[name])
            self.nodes.start_agent(name)

    def silence(self, nodes: Mapping[str, Mapping[str, Any]]) -> None:
        """Cut off the agent, and the interfaces from which the node is gone.

        That a node must have muted itself by now comes by itself.
        """
        for name, facts in nodes.items():
            assert facts.keys() & {"gone", "answering"}, f"{name}: silent, and nothing to see"
            for interface in ("eth0", *facts.get("gone", ())):
                cut(self.lab.machines[name], interface)

    def hear(self, hearing: Mapping[str, str]) -> None:
        """Mend what keeps a node from being heard: it is young then, and grows up by itself."""
        for name, word in hearing.items():
            assert word in {"young", "alive"}, f"{name}: {word} comes by no hand"
            self.nodes.mend(self.lab.machines[name])

    def stop_agent(self, nodes: list[str]) -> None:
        """Ask agents to end."""
        for name in nodes:
            self.nodes.stop_agent(name)

    def start_agent(self, nodes: list[str]) -> None:
        """Start them again."""
        for name in nodes:
            self.nodes.start_agent(name)

    def hang(self, nodes: list[str]) -> None:
        """Keep agents from learning what they are to do; they go on beating."""
        for name in nodes:
            deafen(self.lab.machines[name])

    def lie(self, nodes: list[str]) -> None:
        """Replace agents by ones whose beats contradict their status."""
        for name in nodes:
            self.nodes.lie(name)

    def repent(self, nodes: list[str]) -> None:
        """Let them contradict themselves no more."""
        for name in nodes:
            self.nodes.repent(name)

    def exclude(self, nodes: list[str]) -> None:
        """Take nodes out as an administrator does."""
        self.label({name: {EXCLUDE_LABEL: "true"} for name in nodes})

    def include(self, nodes: list[str]) -> None:
        """Put them back."""
        for name in nodes:
            self.lab.kubectl("label", "node", name, f"{EXCLUDE_LABEL}-")

    def label(self, labels: Mapping[str, Mapping[str, str]]) -> None:
        """Set labels of nodes."""
        for name, added in labels.items():
            words = [f"{label}={value}" for label, value in added.items()]
            self.lab.kubectl("label", "node", name, "--overwrite", *words)

    def unplug(self, cables: Mapping[str, str]) -> None:
        """Pull the cable of an interface."""
        for name, interface in cables.items():
            self.lab.machines[name].cable(interface, up=False)

    def plug(self, cables: Mapping[str, str]) -> None:
        """Put it back."""
        for name, interface in cables.items():
            self.lab.machines[name].cable(interface, up=True)

    def bridge(self, cables: Mapping[str, str]) -> None:
        """Make interfaces ports of a bridge."""
        for name, interface in cables.items():
            bridge(self.lab.machines[name], interface)

    def unbridge(self, cables: Mapping[str, str]) -> None:
        """Take them out of it."""
        for name in cables:
            unbridge(self.lab.machines[name])

    def mute(self, nodes: list[str]) -> None:
        """Drop what keeps the fences of nodes open."""
        for name in nodes:
            mute(self.lab.machines[name])

    def unmute(self, nodes: list[str]) -> None:
        """Do so no more."""
        for name in nodes:
            unmute(self.lab.machines[name])

    def listen(self, sockets: Mapping[str, list[str]]) -> None:
        """Start programs that listen."""
        self.strangers.listen(sockets)

    def hush(self, sockets: Mapping[str, list[str]]) -> None:
        """End them."""
        self.strangers.end(sockets)

    def fail(self, addresses: Mapping[str, list[str]]) -> None:
        """Start something that takes addresses away from nodes."""
        self.strangers.take_away(addresses)

    def mend(self, nodes: list[str]) -> None:
        """End all that interferes with nodes."""
        self.strangers.end_all(nodes)

    def wait(self, seconds: int) -> None:
        """Time passes by itself: whatever comes is waited for."""

    def endpoints(self, services: Mapping[str, Mapping[str, str] | None]) -> None:
        """Write EndpointSlices, as the controller of Services does."""
        for service, states in services.items():
            body = slice_of(service, states or {})
            if states is None:
                meta = body["metadata"]
                name = ("endpointslice", meta["name"], "--namespace", meta["namespace"])
                self.lab.kubectl("delete", "--ignore-not-found", *name)
            else:
                space = {"apiVersion": "v1", "kind": "Namespace"}
                space["metadata"] = {"name": body["metadata"]["namespace"]}
                whole = {"apiVersion": "v1", "kind": "List", "items": [space, body]}
                self.lab.kubectl("apply", "-f", "-", input=json.dumps(whole))

    def delete_slices(self) -> None:
        """Delete all EndpointSlices but that of the API server."""
        ours = "kubernetes.io/service-name!=kubernetes"
        self.lab.kubectl("delete", "endpointslices", "--all-namespaces", "--selector", ours)

    def delete_plumbing(self, nodes: list[str]) -> None:
        """Delete NodePlumbings by hand."""
        self.lab.kubectl("delete", "nodeplumbings", *nodes)

    def delete_node(self, nodes: list[str]) -> None:
        """Delete Node objects; the agents there still run."""
        self.lab.kubectl("delete", "nodes", *nodes)
