"""The objects of the API as they are read: lists of bodies, and how to look into a body."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from duravip_api.addresses import parse_address

Body = Mapping[str, Any]
EntityKind = Literal["DuraVIP", "Binding"]
Kind = Literal["DuraVIP", "Binding", "Topology", "NodePlumbing", "Node"]
SYSTEM_NAMESPACE: Final = "duravip-system"
"""Where the chart puts the operator."""


@dataclass(frozen=True, slots=True)
class ObjectLists:
    """The objects of each kind."""

    duravips: tuple[Body, ...] = ()
    bindings: tuple[Body, ...] = ()
    topologies: tuple[Body, ...] = ()
    nodes: tuple[Body, ...] = ()
    plumbings: tuple[Body, ...] = ()
    lease: Body | None = None
    """The operator's leader's; None: there is none, or it may not be read."""
    read_at: float = 0.0
    """When they were read, in seconds since 1970 by the cluster's clock."""

    def entities(self) -> Iterator[tuple[EntityKind, Body]]:
        """Every DuraVIP and Binding with its kind."""
        for body in self.duravips:
            yield "DuraVIP", body
        for body in self.bindings:
            yield "Binding", body


def metadata_of(body: Body) -> Body:
    """The metadata; empty where they are no mapping."""
    metadata = body.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


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


def is_ip_address(given: str) -> bool:
    """Whether an argument is an address, and not the name of an object."""
    try:
        parse_address(given)
    except ValueError:
        return False
    return True


def canonical(address: str) -> str:
    """An address in canonical form; any other text unchanged."""
    return str(parse_address(address)) if is_ip_address(address) else address


def matches(given: str, body: Body) -> bool:
    """Whether an argument, ADDRESS, NAME or NAMESPACE/NAME, names this DuraVIP or Binding."""
    namespace, slash, name = given.rpartition("/")
    if slash:
        return (namespace_of(body), name_of(body)) == (namespace, name)
    return name_of(body) == given or spec_of(body).get("address") == canonical(given)
