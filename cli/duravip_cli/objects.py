"""The objects of the API as they are read: lists of bodies, and how to look into a body."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from duravip_api import GROUP

Body = Mapping[str, Any]
EntityKind = Literal["DuraVIP", "Binding"]
Kind = Literal["DuraVIP", "Binding", "Topology", "AddressPool", "NodePlumbing", "Node"]
SYSTEM_NAMESPACE: Final = "duravip-system"
"""Where the chart puts the operator."""
LEASE_LATE_AFTER_S: Final = 10.0
"""A leader renews its Lease every second; the rest allows for clocks that differ."""


@dataclass(frozen=True, slots=True)
class ObjectLists:
    """The objects of each kind."""

    duravips: tuple[Body, ...] = ()
    bindings: tuple[Body, ...] = ()
    topologies: tuple[Body, ...] = ()
    nodes: tuple[Body, ...] = ()
    plumbings: tuple[Body, ...] = ()
    slices: tuple[Body, ...] | None = ()
    """EndpointSlices of the Services that objects name; None: they may not be read."""
    lease: Body | None = None
    """The operator's leader's; None: there is none, or it may not be read."""
    read_at: float = 0.0
    """When they were read, in seconds since 1970 by the cluster's clock."""
    pools: tuple[Body, ...] = ()
    """AddressPools; only where they matter."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """`{kind: why it could not be read, or not in all namespaces}`."""

    def entities(self) -> Iterator[tuple[EntityKind, Body]]:
        """Every DuraVIP and Binding with its kind."""
        for body in self.duravips:
            yield "DuraVIP", body
        for body in self.bindings:
            yield "Binding", body


def kubectl_name(label: str) -> str:
    """An object as `-o name` has it, e.g. `duravip.duravip.io/smtp-1`, from its label."""
    kind, _, name = label.partition(" ")
    singular = {"DuraVIP": "duravip", "Binding": "vipbinding"}[kind]
    return f"{singular}.{GROUP}/{name.rpartition('/')[2]}"


def named_services(bodies: Iterable[Body]) -> set[str]:
    """The names of the Services by which DuraVIPs and Bindings are ready."""
    parts = (spec_of(body).get("readiness") for body in bodies)
    return {str(part["endpointsOf"]) for part in parts if part and part.get("endpointsOf")}


def metadata_of(body: Body) -> Body:
    """The metadata; empty where they are no mapping."""
    metadata = body.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def annotations_of(body: Body) -> Body:
    """The annotations."""
    annotations: Body = metadata_of(body).get("annotations") or {}
    return annotations


def name_of(body: Body) -> str:
    """The object's name."""
    return str(metadata_of(body).get("name") or "")


def namespace_of(body: Body) -> str:
    """Its namespace; empty when it has none."""
    return str(metadata_of(body).get("namespace") or "")


def spec_of(body: Body) -> Body:
    """The spec; empty where it is no mapping."""
    spec = body.get("spec")
    return spec if isinstance(spec, dict) else {}


def status_of(body: Body) -> Body:
    """The status; empty where it is no mapping."""
    status = body.get("status")
    return status if isinstance(status, dict) else {}


def condition(body: Body, kind: str) -> Body:
    """The condition of this type; empty when there is none."""
    conditions = status_of(body).get("conditions") or ()
    return next((c for c in conditions if c.get("type") == kind), {})


def label_of(kind: str, body: Body) -> str:
    """The object's name for a message, e.g. `DuraVIP mail/smtp-1`."""
    namespace = namespace_of(body)
    return f"{kind} {namespace}/{name_of(body)}" if namespace else f"{kind} {name_of(body)}"
