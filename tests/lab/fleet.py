"""DuraVIP's own programs as plain processes on a lab's machines, as its contract spells them."""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from kubernetes import client
from urllib3.exceptions import HTTPError

from lab.cluster import Lab
from lab.errors import LabError
from lab.processes import Process

NAMESPACE: Final = "duravip-system"
PULSE_PORT: Final = 7946
PROGRAMS: Final = Path(sys.executable).parent
NOBODY: Final = (
    "/usr/bin/unshare", "--mount", "/bin/sh", "-c",
    "mount --bind /dev/null /etc/passwd && exec env -u HOME -u USER -u LOGNAME -u LNAME "
    '-u USERNAME "$@"', "sh",
)  # fmt: skip
"""Runs a program as in an image that does not know its user, as a pod of any uid is."""

NO_NAMES: Final = (
    "/usr/bin/unshare", "--mount", "/bin/sh", "-c",
    "for file in /etc/protocols /etc/services; do "
    'if [ -e $file ]; then mount --bind /dev/null $file; fi; done; exec "$@"', "sh",
)  # fmt: skip
"""Runs a program as in the agent's image, which knows no names of protocols and ports."""


class Fleet:
    """Operators and agents on the machines of one lab."""

    def __init__(self, lab: Lab, programs: Path = PROGRAMS) -> None:
        """`programs` is the folder of those to start, and may be changed for later ones."""
        self._lab = lab
        self.programs = programs
        self._api = client.CustomObjectsApi(lab.api())
        self.operators: dict[str, Process] = {}
        """By identity."""
        self.agents: dict[str, Process] = {}
        """By node."""
        self._former: dict[str, str] = {}
        """Of each node the boot of the agent before this one."""
        lab.apply_crds()
        lab.kubectl("create", "namespace", NAMESPACE)

    def start(self, operators: tuple[str, ...] = ("n1", "n2"), *, mature: float = 1.0) -> None:
        """An operator on each of these machines, an agent on every node."""
        for machine in operators:
            self.start_operator(machine, mature=mature)
        for node in self._lab.nodes:
            self.start_agent(node.name)

    def revive(self) -> None:
        """Start whatever a test has ended: machines, agents, and operators that there were."""
        for node in self._lab.nodes:
            if not node.is_on:
                node.power_on()
                self.agents.pop(node.name, None)
            if node.name not in self.agents or not self.agents[node.name].is_running:
                self.start_agent(node.name)
        for machine, operator in list(self.operators.items()):
            if not operator.is_running:
                self.start_operator(machine)

    def start_operator(self, machine: str, *options: str, mature: float = 1.0) -> Process:
        """Start an operator there; its identity is the machine's name."""
        where = self._lab.machines[machine]
        address = where.blueprint.nics[0].addresses[0].partition("/")[0]
        self.operators[machine] = where.spawn(
            [
                *NOBODY,
                str(self.programs / "duravip-operator"),
                f"--kubeconfig={self._lab.inside_kubeconfig}",
                f"--namespace={NAMESPACE}",
                f"--identity={machine}",
                f"--pulse-listen=0.0.0.0:{PULSE_PORT}",
                f"--pulse-advertise={address}:{PULSE_PORT}",
                "--http-listen=127.0.0.1:9480",
                f"--mature={mature}",
                "--balance-interval=3600",  # nothing moves but for what a test does
                *options,
            ],
            log=where.folder / "duravip-operator.log",
            env={"DURAVIP_MAX_DAMPING": "0"},  # tests lose the same nodes again and again
        )
        return self.operators[machine]

    def start_agent(self, node: str, *options: str, program: Sequence[str] = ()) -> Process:
        """Start the agent of a node, or a program that does as if it were it."""
        self._former[node] = self._boots().get(node, "")
        self.agents[node] = self.start_agent_on(node, node, *options, program=program)
        return self.agents[node]

    def start_agent_on(
        self,
        machine: str,
        node: str,
        *options: str,
        program: Sequence[str] = (),
    ) -> Process:
        """Start an agent of this node's name on a machine, which may be another one."""
        return self._lab.machines[machine].spawn(
            [
                *NO_NAMES,
                *(program or (str(self.programs / "duravip-agent"),)),
                f"--node-name={node}",
                f"--kubeconfig={self._lab.inside_kubeconfig}",
                "--http-listen=127.0.0.1:9481",
                *options,
            ]
        )

    def leader(self) -> str:
        """The identity of the operator that leads; empty when nobody does."""
        return self._lab.kubectl(
            "get", "lease", "duravip-operator", f"-n{NAMESPACE}", "--ignore-not-found",
            "-o=jsonpath={.spec.holderIdentity}",
        ).strip()  # fmt: skip

    def owners(self) -> dict[str, str]:
        """`{address: owner}` as the statuses say; empty for those that nobody serves.

        By a client that stays connected: a kubectl for each look would be the heaviest load here.
        """
        found = {}
        for plural in ("duravips", "vipbindings"):
            listed = self._api.list_cluster_custom_object("duravip.io", "v1alpha1", plural)
            for body in listed["items"]:
                status = body.get("status") or {}
                owner = status.get("owner", "") if status.get("state") == "Owned" else ""
                if address := body["spec"].get("address"):
                    found[address] = owner
        return found

    def served(self) -> dict[str, list[str]]:
        """`{node: the addresses that its agent says it serves}`: statuses follow later.

        What an agent before it has said does not count: it may have been killed.
        """
        return {
            node: [] if self._is_former(node, status) else status.get("served", [])
            for node, status in self._statuses().items()
        }

    def _is_former(self, node: str, status: dict[str, Any]) -> bool:
        boot = (status.get("agent") or {}).get("boot", "")
        return bool(boot) and boot == self._former.get(node)

    def _boots(self) -> dict[str, str]:
        try:
            statuses = self._statuses(timeout=2)
        except (client.ApiException, HTTPError):  # the API server is away, as some tests want it
            return self._former
        return {node: (said.get("agent") or {}).get("boot", "") for node, said in statuses.items()}

    def _statuses(self, timeout: int = 30) -> dict[str, dict[str, Any]]:
        listed = self._api.list_cluster_custom_object(
            "duravip.io", "v1alpha1", "nodeplumbings", _request_timeout=timeout
        )
        return {body["metadata"]["name"]: body.get("status") or {} for body in listed["items"]}


def wait_until(true: Callable[[], bool], what: str, timeout: float = 120) -> float:
    """Wait for something to become true; the seconds that it took. LabError when it does not."""
    started = time.monotonic()
    while not true():
        if time.monotonic() - started > timeout:
            raise LabError(f"still not true after {timeout:g} s: {what}")
        time.sleep(0.1)
    return time.monotonic() - started
