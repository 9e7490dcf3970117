"""The manual's example on the full lab: who owns what, and when all of it is at rest."""

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from lab.charts import NAMESPACE
from lab.cluster import Lab
from lab.demo_local import EXAMPLE
from lab.fleet import wait_until

PREFERRED: Final = "10.1.1.1"
OTHER: Final = "10.1.1.2"
BOTH: Final = (PREFERRED, OTHER)
OBJECTS: Final = 4
"""DuraVIPs and Bindings of the example."""
HOME: Final = "n1"
"""The node that the example prefers for the first address."""
PATIENCE: Final = 90
KNOWN_AFTER: Final = timedelta(seconds=7)
"""The chart's `operator.mature`, and what a replica that knows nobody waits for beyond it."""


class Example:
    """Looks at the example's objects in a lab."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def settle(self, objects: int = OBJECTS) -> None:
        """Apply it, and wait until it is served as it asks for, by nodes that are all there.

        `objects` is how many DuraVIPs and Bindings there are in the end, those of others included.
        """
        self._lab.kubectl("apply", "-f", str(EXAMPLE))
        nodes = len(self._lab.nodes)

        wait_until(self._has_lasted, "all programs run, and know one another", PATIENCE)

        def is_settled() -> bool:
            found = self._statuses()
            return len(found) == objects and all(
                status.get("state") == "Owned" and status.get("participants") == nodes
                for _, status in found
            )

        wait_until(is_settled, "the example is served, and every node takes part", PATIENCE)
        wait_until(lambda: self.owner(PREFERRED) == HOME, "the preference is heeded", PATIENCE)

    def owner(self, address: str) -> str:
        """Who serves an address, as all of its objects say; empty while they do not agree."""
        statuses = [status for at, status in self._statuses() if at == address]
        owners = {s.get("owner", "") for s in statuses if s.get("state") == "Owned"}
        return str(owners.pop()) if len(owners) == 1 and len(statuses) == 2 else ""

    def leader_pod(self) -> str:
        """The name of the operator's leader."""
        return self._get("lease/duravip-operator", "{.spec.holderIdentity}")

    def leader_node(self) -> str:
        """The node that it runs on."""
        return self._get(f"pod/{self.leader_pod()}", "{.spec.nodeName}")

    def agent_pod(self, node: str) -> str:
        """The name of a node's agent pod."""
        where = (f"-n{NAMESPACE}", "-l=app.kubernetes.io/component=agent")
        here = f"--field-selector=spec.nodeName={node}"
        return self._lab.kubectl(
            "get", "pods", *where, here, "-o=jsonpath={.items[*].metadata.name}"
        )

    def old_key(self) -> str:
        """The key that older versions shared, as the Secret holds it; empty: none."""
        return self._get("secret/duravip-pulse", "{.data.key}", "--ignore-not-found")

    def make_old_key(self) -> None:
        """Let there be a Secret as such a version's chart has made it."""
        name, here = "duravip-pulse", f"-n{NAMESPACE}"
        key = "--from-literal=key=a-key-of-a-version-before-this-one"
        self._lab.kubectl("create", "secret", "generic", name, here, key)
        helm = "app.kubernetes.io/managed-by=Helm"
        self._lab.kubectl("label", "secret", name, here, helm)
        release = ("name=duravip", f"namespace={NAMESPACE}")
        owner = [f"meta.helm.sh/release-{what}" for what in release]
        self._lab.kubectl("annotate", "secret", name, here, *owner)

    def aliases(self) -> list[str]:
        """Every IPv4 address of the segment that a node has besides its own."""
        found = []
        for number, node in enumerate(self._lab.nodes, start=1):
            words = node.run(["ip", "-4", "-o", "addr", "show", "dev", "eth1"]).split()
            addresses = [after for word, after in pairwise(words) if word == "inet"]
            found += [a for a in addresses if a != f"10.1.0.{10 + number}/16"]
        return found

    def _has_lasted(self) -> bool:
        """Whether all pods have been ready for so long that statuses are not older than they."""
        listed = self._lab.kubectl("get", "pods", f"-n{NAMESPACE}", "-o=json")
        conditions = [
            condition
            for pod in json.loads(listed)["items"]
            for condition in pod["status"].get("conditions", ())
            if condition["type"] == "Ready"
        ]
        since = [datetime.fromisoformat(c["lastTransitionTime"]) for c in conditions]
        are_ready = bool(since) and all(c["status"] == "True" for c in conditions)
        return are_ready and datetime.now(UTC) - max(since) > KNOWN_AFTER

    def _get(self, what: str, path: str, *options: str) -> str:
        here = f"-n{NAMESPACE}"
        return self._lab.kubectl("get", what, here, f"-o=jsonpath={path}", *options)

    def _statuses(self) -> list[tuple[str, dict[str, Any]]]:
        items = json.loads(self._lab.kubectl("get", "vips", "-o=json"))["items"]
        return [(item["spec"].get("address", ""), item.get("status", {})) for item in items]
