"""The objects in the API: made in bulk, and looked at until all is as wished."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from kubernetes import client
from urllib3.exceptions import HTTPError

from bench.spread import NODES, addresses, at_home, homes
from duravip_api import GROUP, VERSION
from duravip_api.addresses import expand_ranges
from lab.cluster import Lab
from lab.errors import LabError

NAMESPACE: Final = "default"
THREADS: Final = 4
TOPOLOGY: Final = {"cidr": "10.1.0.0/16", "interface": "eth1"}

Body = dict[str, Any]


HOW = ("granted", "contested")
"""A first grant is contested, until its spec is written again; a move is not."""


class Objects:
    """The addresses of a benchmark as a user would write them."""

    def __init__(self, lab: Lab, fencing: str = "Segment") -> None:
        self._api = client.CustomObjectsApi(lab.api())
        self._fencing = fencing

    def create_topology(self) -> None:
        """One block, with everything but its fencing by default."""
        body = _body("Topology", "lan", {**TOPOLOGY, "fencing": self._fencing})
        self._api.create_cluster_custom_object(GROUP, VERSION, "topologies", body)

    def create_addresses(self, first: int, end: int) -> None:
        """DuraVIPs number `first` to `end`, each with its home as preference."""
        wanted = homes(end)
        bodies = [
            _body("DuraVIP", f"bench-{first + i}", {"address": a, "preference": wanted[a]})
            for i, a in enumerate(addresses(end)[first:])
        ]
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(self._create, bodies))

    def unsettled(self, count: int, operators: frozenset[str]) -> str:
        """What is not yet as it shall be; empty when everything is.

        `operators` are those that agents must know, as HOST:PORT.
        """
        try:
            found = self._api.list_cluster_custom_object(GROUP, VERSION, "nodeplumbings")
        except (client.ApiException, HTTPError) as error:
            return f"the API server does not answer: {error}"
        plumbings = {item["metadata"]["name"]: item for item in found["items"]}
        if not all(operators <= _pulse(item) for item in plumbings.values()):
            return "the agents do not know every operator"
        problems = (self._unsettled(plumbings.get(node), node, count) for node in NODES)
        return next((problem for problem in problems if problem), "")

    def _unsettled(self, plumbing: Mapping[str, Any] | None, node: str, count: int) -> str:
        """Whether a node serves what is at home there, and may be taken for dead at once."""
        if plumbing is None:
            return f"{node} has no NodePlumbing"
        spec, status = plumbing.get("spec", {}), plumbing.get("status", {})
        grants = spec.get("interfaces", [])
        listed = [r for grant in grants for how in HOW for r in grant.get(how, [])]
        if set(expand_ranges(listed)) != set(at_home(node, count)):
            return f"{node} is granted {spec.get('grantedCount')} addresses"
        if set(status.get("served", [])) != set(at_home(node, count)):
            return f"{node} serves {status.get('servedCount')} addresses"
        told = {grant.get("fencing", "Segment") for grant in grants}
        is_strict = bool(status.get("strict"))
        if told - {self._fencing} or (grants and is_strict != (self._fencing == "Strict")):
            return f"{node} is not fenced as it shall be: perhaps nobody has heard it answer yet"
        if status.get("observedGeneration") != plumbing["metadata"]["generation"]:
            return f"{node} has not acted upon its spec"
        return ""

    def _create(self, body: Body) -> None:
        try:
            self._api.create_namespaced_custom_object(GROUP, VERSION, NAMESPACE, "duravips", body)
        except (client.ApiException, HTTPError) as error:
            raise LabError(f"cannot create {body['metadata']['name']}: {error}") from error


def _pulse(plumbing: Mapping[str, Any]) -> frozenset[str]:
    """Where the node's agent sends its beats; one that has crashed stays there for a while."""
    return frozenset(plumbing.get("spec", {}).get("pulse", []))


def _body(kind: str, name: str, spec: Mapping[str, Any]) -> Body:
    metadata = {"name": name, "namespace": NAMESPACE} if kind == "DuraVIP" else {"name": name}
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": kind,
        "metadata": metadata,
        "spec": dict(spec),
    }
