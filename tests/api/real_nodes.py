"""The nodes that a scenario is given, made of a lab's machines."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from lab.cluster import Lab
from lab.fleet import Fleet
from lab.layout import OTHER_HALF, Nic
from lab.machines import Machine

CONTROL_NIC: Final = "eth0"
"""Every node has it, whatever the scenario says: its programs speak through it."""
USUAL: Final = ("eth0", "eth1")
DEAF: Final = "table ip lab"
"""What keeps a node's agent from reaching the API server."""

Form = Mapping[str, Any]
"""`interfaces` and `labels` of a node, as scenarios have them."""


class RealNodes:
    """Machines, Node objects and agents, brought into the form that each scenario wants."""

    def __init__(self, lab: Lab, fleet: Fleet) -> None:
        self._lab = lab
        self._fleet = fleet
        self._bodies = {node.name: _body(lab, node.name) for node in lab.nodes}
        self._nics = {
            node.name: (*node.blueprint.nics, _second_card(number))
            for number, node in enumerate(lab.nodes, 1)
        }

    def prepare(self, wanted: Mapping[str, Form]) -> None:
        """Let these nodes be there, well and empty, and no others."""
        present = self._lab.kubectl("get", "nodes", "-o=name").split()
        for node in self._lab.nodes:
            is_present = f"node/{node.name}" in present
            if node.name not in wanted:
                self._remove(node, is_present=is_present)
                continue
            form = wanted[node.name]
            self.power_on(node, form.get("interfaces", USUAL))
            self.mend(node)
            self.start_agent(node.name)
            self._label(node.name, form.get("labels", {}), is_present=is_present)

    def power_on(self, node: Machine, interfaces: tuple[str, ...] | list[str] = ()) -> None:
        """Let a machine be on, with these interfaces or those that it last had."""
        named = {CONTROL_NIC, *(interfaces or (nic.name for nic in node.blueprint.nics))}
        nics = tuple(nic for nic in self._nics[node.name] if nic.name in named)
        if node.is_on and node.blueprint.nics != nics:
            self.stop_agent(node.name)
            node.crash()
        if not node.is_on:
            node.blueprint = replace(node.blueprint, nics=nics)
            node.power_on()

    def mend(self, node: Machine) -> None:
        """Undo whatever was done to its network."""
        for nic in node.blueprint.nics:
            node.cable(nic.name, up=True)
            node.mend(nic.bridge)
        node.attempt(["nft", "delete", *DEAF.split()])

    def start_agent(self, name: str) -> None:
        """Start the agent of a node, unless it runs."""
        agent = self._fleet.agents.get(name)
        if agent is None or not agent.is_running:
            self._fleet.start_agent(name)

    def stop_agent(self, name: str) -> None:
        """Ask the agent of a node to end, if it runs."""
        agent = self._fleet.agents.get(name)
        if agent and agent.is_running:
            agent.terminate()
            agent.wait()

    def _remove(self, node: Machine, *, is_present: bool) -> None:
        self.stop_agent(node.name)
        if is_present:
            self._lab.kubectl("delete", "node", node.name)

    def _label(self, name: str, labels: Mapping[str, str], *, is_present: bool) -> None:
        """Give the Node these labels beside its own, and take all others away."""
        body = self._bodies[name]
        wanted = {**body["metadata"]["labels"], **labels}
        if not is_present:
            metadata = {**body["metadata"], "labels": wanted}
            self._lab.kubectl("create", "-f", "-", input=json.dumps(body | {"metadata": metadata}))
            return
        has = _body(self._lab, name)["metadata"]["labels"]
        if has != wanted:
            patch = {"metadata": {"labels": dict.fromkeys(has.keys() - wanted) | wanted}}
            self._lab.kubectl("patch", "node", name, "--type=merge", "-p", json.dumps(patch))


def cut(node: Machine, interface: str) -> None:
    """Let nothing pass on this card's cable, in a way that the node cannot see."""
    node.cut(next(nic.bridge for nic in node.blueprint.nics if nic.name == interface))


def deafen(node: Machine) -> None:
    """Keep the API server from a node whose agent still beats."""
    rules = f"{DEAF} {{ chain in {{ type filter hook input priority 0; tcp sport 6443 drop; }}; }}"
    node.run(["nft", rules])


def _body(lab: Lab, name: str) -> dict[str, Any]:
    """A Node as it can be created again."""
    found = json.loads(lab.kubectl("get", "node", name, "-o=json"))
    metadata = {"name": name, "labels": found["metadata"]["labels"]}
    status = {"addresses": found["status"]["addresses"]}
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "status": status}


def _second_card(number: int) -> Nic:
    """A second segment: the lab has a switch for it as long as nobody splits the first one."""
    return Nic("eth2", OTHER_HALF, (f"10.2.0.{10 + number}/16", f"fd00:2::{10 + number}/64"))
