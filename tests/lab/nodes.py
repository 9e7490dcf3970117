"""What the nodes of a lab are: each size has its own kind of them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from lab.kubectl import Kubectl
from lab.layout import Layout, control_address, node_nics
from lab.machines import Blueprint, Machine


class Nodes(Protocol):
    """How a size makes its nodes n1, n2, …; `number` counts from 1."""

    def __init__(self, layout: Layout, programs: Path, count: int, proxy: str) -> None:
        """Make nothing yet: this also runs for a lab that is there already."""

    def blueprint(self, number: int) -> Blueprint:
        """What the machine is made of."""

    def prepare(self) -> None:
        """Write the files that the machines need; the PKI is there, no machine is on yet."""

    def join(self, kubectl: Kubectl, machines: Sequence[Machine]) -> None:
        """Return when all are Ready nodes of the cluster, whose API answers."""


class BareNodes:
    """Nodes of size api: machines that run nothing of their own, and Node objects to match."""

    def __init__(self, _layout: Layout, _programs: Path, count: int, _proxy: str) -> None:
        self._count = count

    def blueprint(self, number: int) -> Blueprint:
        """Two cards and a PID 1."""
        return Blueprint(node_name(number), node_nics(number))

    def prepare(self) -> None:
        """Nothing: they read no files."""

    def join(self, kubectl: Kubectl, _machines: Sequence[Machine]) -> None:
        """Create the Node objects, which no kubelet does here."""
        items = [_node_object(number) for number in range(1, self._count + 1)]
        content = {"apiVersion": "v1", "kind": "List", "items": items}
        kubectl("create", "-f", "-", input=json.dumps(content))
        # The API server marks every new node as not ready, whatever its status says.
        kubectl("taint", "nodes", "--all", "node.kubernetes.io/not-ready-")


def node_name(number: int) -> str:
    """The name of a node, and of its machine."""
    return f"n{number}"


def _node_object(number: int) -> dict[str, Any]:
    name = node_name(number)
    addresses = [
        {"type": "InternalIP", "address": control_address(number)},
        {"type": "Hostname", "address": name},
    ]
    ready = {"type": "Ready", "status": "True", "reason": "Lab", "message": "no kubelet"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "status": {"addresses": addresses, "conditions": [ready]},
    }
