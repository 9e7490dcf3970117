"""Everything that the API knows and a verb may need, as it came: lists of bodies."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from duravip_api.addresses import parse_address

Body = Mapping[str, Any]
EntityKind = Literal["DuraVIP", "Binding"]
Kind = Literal["DuraVIP", "Binding", "Topology", "NodePlumbing", "Node"]
SYSTEM_NAMESPACE: Final = "duravip-system"
"""Where the chart puts the operator."""
ENTITY_KINDS: tuple[EntityKind, ...] = get_args(EntityKind)


@dataclass(frozen=True, slots=True)
class Lists:
    """The objects of each kind."""

    duravips: tuple[Body, ...] = ()
    bindings: tuple[Body, ...] = ()
    topologies: tuple[Body, ...] = ()
    nodes: tuple[Body, ...] = ()
    plumbings: tuple[Body, ...] = ()
    lease: Body | None = None
    """That of the operator's leader; None: there is none, or one may not read it."""
    read_at: float = 0.0
    """When they were read, in seconds since 1970 by the cluster's clock."""

    def entities(self) -> Iterator[tuple[EntityKind, Body]]:
        """Every DuraVIP and Binding with its kind."""
        for body in self.duravips:
            yield "DuraVIP", body
        for body in self.bindings:
            yield "Binding", body


def metadata_of(body: Body) -> Body:
    """Who it is; a mapping whatever stands there."""
    found = body.get("metadata")
    return found if isinstance(found, dict) else {}


def name_of(body: Body) -> str:
    """The object's name."""
    return str(metadata_of(body).get("name") or "")


def namespace_of(body: Body) -> str:
    """Its namespace; empty when it has none."""
    return str(metadata_of(body).get("namespace") or "")


def spec_of(body: Body) -> Body:
    """What is wanted; a mapping whatever stands there."""
    found = body.get("spec")
    return found if isinstance(found, dict) else {}


def status_of(body: Body) -> Body:
    """What became of it; a mapping whatever stands there."""
    found = body.get("status")
    return found if isinstance(found, dict) else {}


def condition(body: Body, kind: str) -> Body:
    """The condition of this type; empty when it is not there."""
    conditions = status_of(body).get("conditions") or ()
    return next((c for c in conditions if c.get("type") == kind), {})


def label_of(kind: str, body: Body) -> str:
    """The object's name for a message, e.g. `DuraVIP mail/smtp-1`."""
    namespace = namespace_of(body)
    return f"{kind} {namespace}/{name_of(body)}" if namespace else f"{kind} {name_of(body)}"


def is_address(given: str) -> bool:
    """Whether an argument is an address, and not the name of an object."""
    try:
        parse_address(given)
    except ValueError:
        return False
    return True


def canonical(address: str) -> str:
    """The address in canonical form; what is no address stays as it is."""
    return str(parse_address(address)) if is_address(address) else address


def is_meant(given: str, body: Body) -> bool:
    """Whether an argument, ADDRESS, NAME or NAMESPACE/NAME, means this DuraVIP or Binding."""
    namespace, slash, name = given.rpartition("/")
    if slash:
        return (namespace_of(body), name_of(body)) == (namespace, name)
    return name_of(body) == given or spec_of(body).get("address") == canonical(given)
