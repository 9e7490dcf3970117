"""The objects of a scenario as an API server takes them, and what NodePlumbings tell."""

from datetime import UTC, datetime
from typing import Any, Final

from duravip_api.addresses import expand_ranges
from duravip_api.annotations import format_time
from duravip_api.services import ADDRESSES, READY_CONDITION
from scenarios.files import CLUSTER_SCOPED, seen
from scenarios.load_balancers import service_spec

GROUP: Final = ("duravip.io", "v1alpha1")

Body = dict[str, Any]


def claim(body: Body) -> Any:
    """What only the oldest of several objects can have."""
    spec = body.get("spec", {})
    asked = body.get("annotations", {}).get(ADDRESSES)
    return asked or spec.get("address") or spec.get("cidr") or body


def manifest(body: Body) -> Body:
    """The object as people would apply it; `@now` in an annotation is the time."""
    annotations = {
        name: text.replace("@now", f"@{format_time(datetime.now(UTC))}")
        for name, text in body.get("annotations", {}).items()
    }
    metadata = {"name": body["name"], "annotations": annotations}
    if body["kind"] not in CLUSTER_SCOPED:
        metadata["namespace"] = body.get("namespace", "default")
    if body["kind"] == "Service":
        spec = _service_spec(body.get("spec", {}))
        return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
    return {
        "apiVersion": "/".join(GROUP),
        "kind": body["kind"],
        "metadata": metadata,
        "spec": body.get("spec", {}),
    }


def granted(plumbing: Body) -> list[str]:
    """What a node is granted."""
    interfaces = plumbing["spec"].get("interfaces", [])
    listed = [a for i in interfaces for a in (*i.get("granted", ()), *i.get("contested", ()))]
    return sorted(expand_ranges(listed))


def served(plumbing: Body) -> list[str]:
    """What it serves, as its agent says."""
    return sorted(expand_ranges((plumbing.get("status") or {}).get("served", [])))


def holds(plumbing: Body) -> bool:
    """Whether it may still hold something."""
    return bool(granted(plumbing) or served(plumbing)) or not is_observed(plumbing)


def is_ready(plumbing: Body) -> bool:
    """Whether its agent runs and has looked at its node."""
    conditions = (plumbing.get("status") or {}).get("conditions", [])
    return any((c["type"], c["status"]) == ("Ready", "True") for c in conditions)


def is_observed(body: Body) -> bool:
    """Whether the status speaks of the spec as it stands."""
    seen_of = (body.get("status") or {}).get("observedGeneration")
    return bool(seen_of == body["metadata"]["generation"])


def look(body: Body) -> Body:
    """What `then` can ask of an object but a Service; `told` only the runner in memory knows."""
    return {"exists": True, "spec": body["spec"], **seen(body.get("status") or {})}


def look_at_pool(body: Body) -> Body:
    """The same of an AddressPool; its counts of a family that it has nothing of are left out."""
    found = look(body)
    counts = {f"{what}{family}": 0 for what in ("total", "used") for family in (4, 6)}
    return {**found, **{field: int(found.get(field, none)) for field, none in counts.items()}}


def look_at_service(body: Body) -> Body:
    """The same of a Service."""
    status = body.get("status") or {}
    conditions = status.get("conditions") or []
    ready = next((c for c in conditions if c["type"] == READY_CONDITION), {})
    ingress = (status.get("loadBalancer") or {}).get("ingress") or []
    return {
        "exists": True,
        "ingress": [item["ip"] for item in ingress],
        "ready": ready.get("status"),
        "reason": ready.get("reason"),
        "message": ready.get("message"),
    }


def _service_spec(spec: Body) -> Body:
    """As the API server takes it: ports of several have names, and nothing is null."""
    full = service_spec(spec)
    ports = [
        {"name": f"{port['protocol']}-{port['port']}".lower(), **port} for port in full["ports"]
    ]
    full |= {"ports": ports, "allocateLoadBalancerNodePorts": False}
    return {field: value for field, value in full.items() if value is not None}
