"""The nodes that a scenario is given, made of a lab's machines."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from api.real_api import RealApi
from api.real_objects import Body
from lab.cluster import Lab
from lab.fleet import Fleet
from lab.layout import node_host, second_nic
from lab.machines import Machine

CONTROL_NIC: Final = "eth0"
"""Every node has it, whatever the scenario says: its programs speak through it."""
USUAL: Final = ("eth0", "eth1")
LIAR: Final = Path(__file__).with_name("liar.py")
DEAF: Final = "table ip lab"
"""What keeps a node's agent from reaching the API server."""

QUIET: Final = "table ip quiet"
BRIDGE: Final = "br0"

Form = Mapping[str, Any]
"""`interfaces` and `labels` of a node, as scenarios have them."""


class RealNodes:
    """Machines, Node objects and agents, brought into the form that each scenario wants."""

    def __init__(self, lab: Lab, fleet: Fleet, api: RealApi) -> None:
        self._lab = lab
        self._fleet = fleet
        self._api = api
        self._bodies = api.nodes()
        self._nics = {
            node.name: (*node.blueprint.nics, second_nic(node_host(number)))
            for number, node in enumerate(lab.nodes, 1)
        }

    def prepare(self, wanted: Mapping[str, Form]) -> None:
        """Let these nodes be there, well and empty, and no others."""
        present = self._api.nodes()
        for node in self._lab.nodes:
            if node.name not in wanted:
                self.stop_agent(node.name)
                if node.name in present:
                    self._api.delete_node(node.name)
                continue
            form = wanted[node.name]
            self.power_on(node, form.get("interfaces", USUAL))
            self.mend(node)
            self.start_agent(node.name)
            self._label(node.name, form.get("labels", {}), present.get(node.name))

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
        """Undo whatever was done to its network, and to its agent."""
        self.repent(node.name)
        for nic in node.blueprint.nics:
            node.cable(nic.name, up=True)
        self._lab.network.mend(node.name, node.blueprint.nics)
        node.attempt(["nft", "delete", *DEAF.split()])
        node.attempt(["nft", "delete", *QUIET.split()])
        node.attempt(["ip", "link", "del", BRIDGE])

    def start_agent(self, name: str) -> None:
        """Start the agent of a node, unless it runs."""
        agent = self._fleet.agents.get(name)
        if agent is None or not agent.is_running:
            self._fleet.start_agent(name)

    def lie(self, name: str) -> None:
        """Put an agent in the place of a node's that contradicts itself until `repent`."""
        self.stop_agent(name)
        self._lies(name).touch()
        program = (sys.executable, str(LIAR), str(self._lies(name)))
        self._fleet.start_agent(name, program=program)

    def repent(self, name: str) -> None:
        """Let it do so no more."""
        self._lies(name).unlink(missing_ok=True)

    def _lies(self, name: str) -> Path:
        return self._lab.machines[name].folder / "lies"

    def stop_agent(self, name: str) -> None:
        """Ask the agent of a node to end, if it runs."""
        agent = self._fleet.agents.get(name)
        if agent and agent.is_running:
            agent.terminate()
            agent.wait()

    def _label(self, name: str, added: Mapping[str, str], present: Body | None) -> None:
        """Let there be the Node, with these labels beside its own and no others."""
        body = self._bodies[name]
        wanted = {**body["metadata"]["labels"], **added}
        if present is None:
            self._api.create_node(body | {"metadata": {"name": name, "labels": wanted}})
            return
        has = present["metadata"]["labels"]
        if has != wanted:
            self._api.relabel_node(name, dict.fromkeys(has.keys() - wanted) | wanted)


def cut(node: Machine, interface: str) -> None:
    """Let nothing pass on this card's cable, in a way that the node cannot see."""
    node.cut(next(nic.bridge for nic in node.blueprint.nics if nic.name == interface))


def deafen(node: Machine) -> None:
    """Keep the API server from a node whose agent still beats."""
    rules = f"{DEAF} {{ chain in {{ type filter hook input priority 0; tcp sport 6443 drop; }}; }}"
    node.run(["nft", rules])


def bridge(node: Machine, interface: str) -> None:
    """Make a card a port of a bridge, as in a migration that was never finished."""
    node.run(["ip", "link", "add", BRIDGE, "type", "bridge"])
    node.run(["ip", "link", "set", interface, "master", BRIDGE])
    node.run(["ip", "link", "set", BRIDGE, "up"])


def unbridge(node: Machine) -> None:
    """Undo it."""
    node.run(["ip", "link", "del", BRIDGE])


def mute(node: Machine) -> None:
    """Keep the agent's refreshes from its fence, by a rule that has nothing to do with us."""
    rule = "udp dport 9 drop"
    hook = "type filter hook output priority -500;"
    node.run(["nft", f"{QUIET} {{ chain out {{ {hook} {rule}; }}; }}"])


def unmute(node: Machine) -> None:
    """Undo it."""
    node.run(["nft", "delete", *QUIET.split()])
