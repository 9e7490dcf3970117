"""The objects of a scenario as an API server takes them, and what NodePlumbings tell."""

from datetime import UTC, datetime
from typing import Any, Final

from duravip_api.addresses import expand_ranges
from duravip_api.annotations import format_time

GROUP: Final = ("duravip.io", "v1alpha1")

Body = dict[str, Any]


def claim(body: Body) -> Any:
    """What only the oldest of several objects can have."""
    spec = body.get("spec", {})
    return spec.get("address") or spec.get("cidr") or body


def manifest(body: Body) -> Body:
    """The object as people would apply it; `@now` in an annotation is the time."""
    annotations = {
        name: text.replace("@now", f"@{format_time(datetime.now(UTC))}")
        for name, text in body.get("annotations", {}).items()
    }
    metadata = {"name": body["name"], "annotations": annotations}
    if body["kind"] != "Topology":
        metadata["namespace"] = body.get("namespace", "default")
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
