"""A node of the lab with an agent on it, and its NodePlumbing written by hand."""

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from kubernetes import client, watch

from duravip_api import GROUP, MARK, VERSION
from lab.cluster import Lab
from lab.fleet import NO_NAMES, PROGRAMS
from lab.processes import Process, wait_for
from netns.peer import KEY, Peer
from netns.peer import WHERE as PEER

NODE = "n1"
PATIENCE = 30.0
"""For what has no deadline of its own: other programs may keep the machine busy."""

STILL = 20
"""Looks a second: nothing is written any more when they all see the same."""

WHERE = (GROUP, VERSION, "nodeplumbings")
MERGE = "application/merge-patch+json"

MARKS = """
import json
from pyroute2 import IPRoute
found = IPRoute().get_addr()
print(json.dumps({a.get("IFA_LOCAL") or a.get("IFA_ADDRESS"): a.get("IFA_PROTO") for a in found}))
"""
"""Looks at the marks with other eyes than the agent's."""

Body = dict[str, Any]


class PlumbedNode:
    """The node `n1`."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.machine = lab.machines[NODE]
        self._api: Any = client.CustomObjectsApi(lab.api())  # its types lack `_content_type`
        self._key = lab.layout.home / "pulse.key"
        self._key.write_text(KEY)
        self._started: list[Process] = []
        self.peer = Peer(lab.machines["cp"])

    def start(
        self, *options: str, kubeconfig: Path | None = None, prefix: Sequence[str] = ()
    ) -> Process:
        """Start an agent, by way of the program in `prefix`."""
        log = self.machine.folder / f"agent-{time.monotonic_ns()}.log"
        process = self.machine.spawn(
            [
                *NO_NAMES,
                *prefix,
                str(PROGRAMS / "duravip-agent"),
                f"--node-name={NODE}",
                f"--kubeconfig={kubeconfig or self.lab.inside_kubeconfig}",
                f"--pulse-key-file={self._key}",
                "--http-listen=127.0.0.1:9481",
                *options,
            ],
            log,
        )
        self._started.append(process)
        return process

    def grant(self, *granted: str, epoch: int = 1, nic: str = "eth1", **spec: object) -> None:
        """Let the spec grant exactly these, on one interface; other fields as given."""
        v6 = [item for item in granted if ":" in item]
        v4 = [item for item in granted if ":" not in item]
        entries = [
            {"name": nic, "mask": mask, "granted": items}
            for mask, items in ((32, v4), (128, v6))
            if items
        ]
        self.write({"epoch": epoch, "interfaces": entries, **spec})

    def write(self, spec: Body) -> None:
        """Let this be the spec; the object is made where there is none."""
        body: Body = {"metadata": {"name": NODE}, "spec": {"pulse": [PEER], **spec}}
        try:
            made: Any = self._api.patch_cluster_custom_object(
                *WHERE, NODE, body, _content_type=MERGE
            )
        except client.ApiException as error:
            if error.status != 404:
                raise
            kind = {"apiVersion": f"{GROUP}/{VERSION}", "kind": "NodePlumbing"}
            made = self._api.create_cluster_custom_object(*WHERE, body | kind)
        self.peer.knows(
            max(self.peer.epoch, made["spec"]["epoch"]), made["metadata"]["generation"]
        )

    def ask(self, annotation: str, value: str) -> None:
        """Ask the agent for something."""
        body = {"metadata": {"annotations": {annotation: value}}}
        self._api.patch_cluster_custom_object(*WHERE, NODE, body, _content_type=MERGE)

    def write_status(self, status: Body) -> None:
        """Spoil the status."""
        body = {"status": status}
        self._api.patch_cluster_custom_object_status(*WHERE, NODE, body, _content_type=MERGE)

    def delete(self) -> None:
        """Delete the object, if it is there."""
        self.peer.generation = 0
        try:
            self._api.delete_cluster_custom_object(*WHERE, NODE)
        except client.ApiException as error:
            if error.status != 404:
                raise

    def read(self) -> Body:
        """The object."""
        found: Any = self._api.get_cluster_custom_object(*WHERE, NODE)
        return dict(found)

    def settled(self) -> str:
        """The object's resourceVersion, once it has stood for a second."""
        versions: list[str] = []

        def is_settled() -> bool:
            versions.append(self.read()["metadata"]["resourceVersion"])
            return len(versions) > STILL and len(set(versions[-STILL:])) == 1

        wait_for(is_settled, "nothing is written any more", PATIENCE, every=1 / STILL)
        return versions[-1]

    def history(self, version: str) -> list[Body]:
        """What the status was after that resourceVersion, one after the other."""
        stream: Any = watch.Watch().stream(
            self._api.list_cluster_custom_object,
            *WHERE,
            resource_version=version,
            timeout_seconds=1,
        )
        return [event["object"]["status"] for event in stream]

    @property
    def status(self) -> Body:
        """What the agent says."""
        return dict(self.read().get("status") or {})

    @property
    def reason(self) -> str:
        """The reason of the condition Ready."""
        conditions = self.status.get("conditions") or [{"reason": ""}]
        return str(conditions[0]["reason"])

    def is_acted(self) -> bool:
        """Whether the agent has acted on the spec as it stands."""
        body = self.read()
        status = body.get("status") or {}
        return bool(status.get("observedGeneration") == body["metadata"]["generation"])

    def wait_acted(self, timeout: float = PATIENCE) -> None:
        """Wait until the agent says that it has acted on the spec."""
        wait_for(self.is_acted, "the agent acts on the spec", timeout, every=0.02)

    def wait_served(self, *addresses: str, timeout: float = PATIENCE) -> None:
        """Wait until the status names exactly these."""
        self.wait(lambda: set(self.status.get("served", ())) == set(addresses), timeout)

    def wait(self, condition: Callable[[], object], timeout: float = PATIENCE) -> None:
        """Wait for something about the node."""
        wait_for(condition, "the node becomes as expected", timeout, every=0.02)

    def addresses(self, nic: str = "eth1") -> set[str]:
        """What the kernel has on an interface."""
        found = json.loads(self.ip("-j", "address", "show", "dev", nic))
        return {info["local"] for entry in found for info in entry.get("addr_info", ())}

    def marks(self) -> dict[str, int | None]:
        """The mark of every address of the node."""
        told: dict[str, int | None] = json.loads(self.machine.run([sys.executable, "-c", MARKS]))
        return told

    def ip(self, *arguments: str) -> str:
        """Run `ip` on the node."""
        return self.machine.run(["ip", *arguments])

    def http(self, path: str) -> tuple[int, str]:
        """Ask the agent over HTTP: the status code, 0 when nobody answers, and the body."""
        url = f"http://127.0.0.1:9481{path}"
        told = self.machine.attempt(["curl", "-s", "-w", "\n%{http_code}", url])
        body, _, code = told.stdout.rpartition("\n")
        return int(code), body

    def metric(self, name: str) -> float:
        """A metric of the agent, summed over its labels."""
        _, body = self.http("/metrics")
        prefix = f"duravip_agent_{name}"
        lines = (line for line in body.splitlines() if line.startswith(prefix))
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    def clean(self) -> None:
        """End every agent, and take away what it may have left."""
        for process in self._started:
            process.terminate()
        for process in self._started:
            process.wait(PATIENCE)
        self._started.clear()
        self.peer.close()
        self.delete()
        for address in [address for address, mark in self.marks().items() if mark == MARK]:
            mask = 128 if ":" in address else 32
            self.ip("address", "del", f"{address}/{mask}", "dev", "eth1")
