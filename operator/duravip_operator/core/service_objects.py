"""Services of type LoadBalancer: what each of them asks for, parsed once.

Whoever may write a Service may write its annotations, so each is bounded, and believed only in
the form that a DuraVIP's own schema has. What cannot be read is the Service's rejection, with a
sentence that names the annotation: it keeps what it has, and gets nothing new.

Of each family the first of these that names an address counts: our annotation, those of others in
their order, `spec.loadBalancerIP`. Another one that names a different address is said
(AnnotationConflict), and has no effect.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, NamedTuple

from duravip_api import services as names
from duravip_api.addresses import parse_address
from duravip_api.fields import LONGEST_SELECTOR, is_label, is_node_name
from duravip_api.reasons import Reason
from duravip_api.untrusted import list_of, mapping_of
from duravip_operator.core.endpoints import service_key
from duravip_operator.core.move_requests import quoted
from duravip_operator.core.snapshot import (
    ReadinessKey,
    ReadinessKeys,
    Rejection,
    Selector,
    Service,
)
from duravip_runtime.text import summarize

MAX_LENGTH: Final = 4096
"""Characters of an annotation that are read: a selector may have 2048."""
MAX_ITEMS: Final = 32
"""Labels of a selector, and names in a list."""
MAX_PORTS: Final = 256
"""More ports of a Service are only counted."""
MAX_DECLARED: Final = 64
"""Ports that a DuraVIP can declare."""
LONGEST_NAME: Final = 63
"""Characters of a port's name."""
MAX_INGRESS: Final = 16
"""More addresses of a status are not read."""

FAMILIES: Final = {"IPv4": 4, "IPv6": 6}
_PROTOCOLS: Final = ("TCP", "UDP", "SCTP")
_HIGHEST_PORT: Final = 65535

Note = tuple[Reason, str]
"""Something that people are told once by an Event: the reason and a sentence."""


class ServiceCondition(NamedTuple):
    """The condition `duravip.io/Ready`."""

    status: str
    """"True" or "False"."""
    reason: str
    message: str


class ServiceStatus(NamedTuple):
    """What the operator writes into the status of a Service."""

    ingress: tuple[str, ...] = ()
    """The addresses, IPv4 first; each with `ipMode: VIP`."""
    condition: ServiceCondition | None = None


class ServiceObject(NamedTuple):
    """A Service of type LoadBalancer."""

    namespace: str
    name: str
    uid: str
    created: str
    generation: int = 0
    load_balancer_class: str = ""
    """Empty: none."""
    families: tuple[int, ...] = (4,)
    """4, 6 or both; the first is the primary one."""
    policy: str = "SingleStack"
    """`spec.ipFamilyPolicy`."""
    vips: tuple[str, ...] = ()
    """The DuraVIPs of the namespace whose addresses it asks for."""
    addresses: tuple[tuple[int, str], ...] = ()
    """`((family, address), …)`: the addresses that it asks for, in canonical form."""
    pool: str = ""
    """The AddressPool that it asks for."""
    ports: tuple[Service, ...] = ()
    """Its ports, SCTP's too, as `("TCP/80", "http")`."""
    declared: frozenset[Service] = frozenset()
    """Those that its DuraVIPs declare."""
    readiness: ReadinessKeys = frozenset()
    """What a node needs to be fit for it."""
    is_local: bool = False
    """Whether `externalTrafficPolicy` is Local."""
    preference: str = ""
    selector: Selector = ()
    is_leaving: bool = False
    """Whether it is being deleted."""
    ingress: tuple[str, ...] = ()
    """The addresses of its status, whoever wrote them."""
    has_foreign_ingress: bool = False
    """Whether its status has something beside addresses of mode VIP."""
    status: ServiceStatus = ServiceStatus()
    """What of its status the operator could have written."""
    transition: str = ""
    """When the status of the condition changed last, as an API time."""
    notes: tuple[Note, ...] = ()
    """What is ignored of what it says."""
    rejection: Rejection | None = None
    """What of it cannot be read."""

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"

    @property
    def label(self) -> str:
        """The object's name for a message, e.g. `Service mail/smtp`."""
        return f"Service {self.key}"

    @property
    def seniority(self) -> tuple[str, str, str]:
        """Sort key: the older one first, in the same order on every replica."""
        return (self.created, self.namespace, self.name)


def parse_service(body: Mapping[str, Any]) -> ServiceObject:
    """A Service, as the API server returns it."""
    meta, spec = mapping_of(body.get("metadata")), mapping_of(body.get("spec"))
    annotations = mapping_of(meta.get("annotations"))
    items = list_of(spec.get("ports"))
    listed = [mapping_of(port) for port in items[:MAX_PORTS]]
    ports = tuple({port: _port_name(one) for one in listed if (port := _port(one))}.items())
    service = ServiceObject(
        namespace=str(meta.get("namespace") or ""),
        name=str(meta.get("name") or ""),
        uid=str(meta.get("uid") or ""),
        created=str(meta.get("creationTimestamp") or ""),
        generation=int(meta.get("generation") or 0),
        load_balancer_class=str(spec.get("loadBalancerClass") or ""),
        families=_families(spec),
        policy=str(spec.get("ipFamilyPolicy") or "SingleStack"),
        ports=ports,
        declared=frozenset(_declared_ports(ports)),
        is_local=spec.get("externalTrafficPolicy") == "Local",
        is_leaving=bool(meta.get("deletionTimestamp")),
        **_status_of(mapping_of(body.get("status"))),
    )
    prefers_local = str(annotations.get(names.PREFER_LOCAL) or "").lower() == "true"
    if service.is_local or prefers_local:
        key = ReadinessKey("endpointsOf", service_key(service.namespace, service.name))
        service = service._replace(readiness=frozenset({key}))
    try:
        addresses, conflicts = _asked_addresses(annotations, str(spec.get("loadBalancerIP") or ""))
        pool, differing = _asked_pool(annotations)
        service = service._replace(
            vips=tuple(_items(annotations, names.VIP)),
            addresses=tuple(addresses.items()),
            pool=pool,
            preference=_preference(annotations),
            selector=_selector(annotations),
            notes=(*conflicts, *differing, *_ignored_ports(ports, len(items[MAX_PORTS:]))),
        )
    except ValueError as error:
        why = f"{service.label}: {error}"[:1000]
        return service._replace(rejection=Rejection(Reason.INVALID, why))
    return service._replace(rejection=_family_fault(service))


def _declared_ports(ports: Iterable[Service]) -> Iterator[Service]:
    """The ports that a DuraVIP declares: as many as one can, without those of SCTP."""
    known = ((port, name) for port, name in ports if not port.startswith("SCTP/"))
    for port, name in islice(known, MAX_DECLARED):
        yield port, name or port.replace("/", "-").lower()


def _port(part: Mapping[str, Any]) -> str:
    """The port, e.g. `TCP/80`; empty: it is none."""
    protocol, number = part.get("protocol") or "TCP", part.get("port")
    is_port = protocol in _PROTOCOLS and type(number) is int and 0 < number <= _HIGHEST_PORT
    return f"{protocol}/{number}" if is_port else ""


def _port_name(part: Mapping[str, Any]) -> str:
    name = str(part.get("name") or "")[:LONGEST_NAME]
    return name if name.isprintable() else ""


def _ignored_ports(ports: Iterable[Service], unseen: int) -> Iterator[Note]:
    """The ports that no DuraVIP can declare, and how many were not read at all."""
    known = [port for port, _ in ports if not port.startswith("SCTP/")]
    ignored = [port for port, _ in ports if port.startswith("SCTP/")] + known[MAX_DECLARED:]
    if ignored or unseen:
        more = f", and {unseen} beyond the first {MAX_PORTS}" if unseen else ""
        why = f"not let in at the address: {summarize(ignored) or 'none'}{more}"
        yield Reason.PORT_IGNORED, why


def _families(spec: Mapping[str, Any]) -> tuple[int, ...]:
    listed = [FAMILIES.get(str(item), 0) for item in list_of(spec.get("ipFamilies"))[:2]]
    return tuple(dict.fromkeys(filter(None, listed))) or (4,)


def _status_of(status: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that stand for the status of a Service."""
    items = [
        mapping_of(item)
        for item in list_of(mapping_of(status.get("loadBalancer")).get("ingress"))[:MAX_INGRESS]
    ]
    ingress = tuple(str(item["ip"]) for item in items if item.get("ip"))
    has_foreign = any(not item.get("ip") or item.get("ipMode") != "VIP" for item in items)
    conditions = map(mapping_of, list_of(status.get("conditions"))[:MAX_ITEMS])
    ready = next((c for c in conditions if c.get("type") == names.READY_CONDITION), None)
    fields = (str((ready or {}).get(field) or "") for field in ("status", "reason", "message"))
    condition = ServiceCondition(*fields) if ready else None
    return {
        "ingress": ingress,
        "has_foreign_ingress": has_foreign,
        "status": ServiceStatus(ingress, condition),
        "transition": str((ready or {}).get("lastTransitionTime") or ""),
    }


def _asked_addresses(
    annotations: Mapping[str, Any], load_balancer_ip: str
) -> tuple[dict[int, str], list[Note]]:
    """`({family: address}, what differs from it)`."""
    asked: dict[int, str] = {}
    source: dict[int, str] = {}
    notes: list[Note] = []
    written = [
        (name, annotations.get(name)) for name in (names.ADDRESSES, *names.ADDRESSES_ALIASES)
    ]
    for name, text in (*written, ("spec.loadBalancerIP", load_balancer_ip)):
        for family, address in _addresses(name, str(text or "")).items():
            first = asked.setdefault(family, address)
            if first != address:
                why = f"{name} asks for {address}, and {source[family]} for {first}, which counts"
                notes.append((Reason.ANNOTATION_CONFLICT, why))
            source.setdefault(family, name)
    return asked, notes


def _addresses(name: str, text: str) -> dict[int, str]:
    """The addresses that a text lists, by family; ValueError if it lists something else."""
    found: dict[int, str] = {}
    for item in _split(name, text):
        try:
            address = parse_address(item)
        except ValueError:
            raise ValueError(f"{name}: {quoted(item)} is not an IPv4 or IPv6 address") from None
        if found.setdefault(address.version, str(address)) != str(address):
            raise ValueError(f"{name}: names two IPv{address.version} addresses: write one")
        if (
            address.is_multicast
            or address.is_loopback
            or address.is_unspecified
            or address.is_link_local
            or str(address) == "255.255.255.255"
        ):
            raise ValueError(f"{name}: {address} is no address that a host can have")
    return found


def _asked_pool(annotations: Mapping[str, Any]) -> tuple[str, list[Note]]:
    asked = [
        (name, text)
        for name in (names.POOL, *names.POOL_ALIASES)
        if (text := str(annotations.get(name) or "").strip()[:MAX_LENGTH])
    ]
    if not asked:
        return "", []
    first, pool = asked[0]
    notes = [
        (Reason.ANNOTATION_CONFLICT, f"{name} asks for another pool than {first}, which counts")
        for name, text in asked[1:]
        if text != pool
    ]
    return pool, notes


def _preference(annotations: Mapping[str, Any]) -> str:
    node = str(annotations.get(names.PREFERENCE) or "").strip()
    if node and not is_node_name(node):
        raise ValueError(f"{names.PREFERENCE}: {quoted(node)} cannot be the name of a Node")
    return node


def _selector(annotations: Mapping[str, Any]) -> Selector:
    labels: dict[str, str] = {}
    for item in _items(annotations, names.NODE_SELECTOR):
        key, equals, value = (part.strip() for part in item.partition("="))
        if not equals or not is_label(key, value):
            raise ValueError(f"{names.NODE_SELECTOR}: {quoted(item)} is not a label KEY=VALUE")
        labels[key] = value
    if sum(map(len, (*labels.keys(), *labels.values()))) > LONGEST_SELECTOR:
        raise ValueError(f"{names.NODE_SELECTOR}: has more than {LONGEST_SELECTOR} characters")
    return tuple(sorted(labels.items()))


def _family_fault(service: ServiceObject) -> Rejection | None:
    """An address of a family that the Service has not got, and could not hope for."""
    strange = [address for family, address in service.addresses if family not in service.families]
    if not strange or service.policy == "PreferDualStack":
        return None
    why = (
        f"{service.label}: it asks for {strange[0]}, and spec.ipFamilies does not list its "
        "family: set spec.ipFamilyPolicy"
    )
    return Rejection(Reason.INVALID, why)


def _items(annotations: Mapping[str, Any], name: str) -> list[str]:
    return _split(name, str(annotations.get(name) or ""))


def _split(name: str, text: str) -> list[str]:
    """The items of a list that commas divide."""
    if len(text) > MAX_LENGTH or text.count(",") > MAX_ITEMS:
        raise ValueError(f"{name}: is longer than {MAX_LENGTH} characters or {MAX_ITEMS} items")
    return [item for part in text.split(",") if (item := part.strip())]
