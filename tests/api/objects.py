"""Objects of the tests, as people would write them."""

import json
from collections.abc import Iterable
from typing import Any

from lab.cluster import Lab

Body = dict[str, Any]


def topology(name: str = "lan", cidr: str = "10.1.0.0/16", **spec: Any) -> Body:
    return _body("Topology", name, {"cidr": cidr, "interface": "eth1", **spec})


def duravip(name: str, address: str, **spec: Any) -> Body:
    return _body("DuraVIP", name, {"address": address, **spec})


def binding(name: str, address: str, **spec: Any) -> Body:
    return _body("Binding", name, {"address": address, **spec})


def address_pool(name: str, *ranges: str, **spec: Any) -> Body:
    return _body("AddressPool", name, {"ranges": list(ranges), **spec})


def service(name: str, address: str = "", **spec: Any) -> Body:
    """A Service of type LoadBalancer of ours; it asks for the address, if one is given."""
    asked = {"duravip.io/addresses": address} if address else {}
    usual = {
        "type": "LoadBalancer",
        "loadBalancerClass": "duravip.io/vip",
        "selector": {"app": name},
        "ports": [{"name": "http", "port": 80}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default", "annotations": asked},
        "spec": {field: value for field, value in (usual | spec).items() if value is not None},
    }


def apply(lab: Lab, bodies: Iterable[Body]) -> None:
    """Apply them all at once."""
    items = {"apiVersion": "v1", "kind": "List", "items": list(bodies)}
    lab.kubectl("apply", "--server-side", "-f", "-", input=json.dumps(items))


def delete_all(lab: Lab) -> None:
    """Delete every DuraVIP and every Binding; their addresses are released some moments later."""
    lab.kubectl("delete", "duravips,vipbindings", "--all", "-A", "--wait=false")


def status(lab: Lab, kind: str, name: str) -> Body:
    """The status of an object in the namespace default."""
    found: Body = json.loads(lab.kubectl("get", kind, name, "-o=json")).get("status", {})
    return found


def reason(lab: Lab, kind: str, name: str) -> str:
    """The reason of the condition Ready."""
    conditions = status(lab, kind, name).get("conditions", [])
    return next((str(c["reason"]) for c in conditions if c["type"] == "Ready"), "")


def _body(kind: str, name: str, spec: Body) -> Body:
    return {
        "apiVersion": "duravip.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "default"}
        if kind not in {"Topology", "AddressPool"}
        else {"name": name},
        "spec": spec,
    }
