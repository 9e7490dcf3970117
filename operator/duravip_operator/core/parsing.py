"""Parsing: from bodies, as the API server returns them, to facts (`snapshot`).

Bad data is no exception: an object that cannot be parsed becomes a VipObject or Topology with a
rejection that names the object and the field, and so can harm no other one. Every function here
accepts any mapping and returns.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from typing import Any, Literal, TypeVar

from pydantic import ValidationError

from duravip_api import DRAINED, EXCLUDE_LABEL, addresses
from duravip_api.binding import BindingSpec
from duravip_api.checks import node_check
from duravip_api.conditions import Condition
from duravip_api.duravip import DuraVIPSpec
from duravip_api.fields import failback_delay
from duravip_api.grants import MOST_GRANTED, Allowance, NodePlumbingSpec, Unconfirmed
from duravip_api.heartbeat import is_boot_of
from duravip_api.listeners import parse_listeners, port_named, wildcard_port, wildcard_ports
from duravip_api.nodeplumbing import MOST_LISTED, MOST_OWN_SPANS, Agent, NodePlumbingStatus
from duravip_api.readiness import Readiness
from duravip_api.reasons import Reason
from duravip_api.topology import TopologySpec
from duravip_operator.core import move_requests
from duravip_operator.core.endpoints import service_key
from duravip_operator.core.interface_choice import Candidates
from duravip_operator.core.service_origin import parse_origin
from duravip_operator.core.snapshot import (
    Node,
    Placement,
    Plumbing,
    ReadinessKey,
    Rejection,
    Selector,
    Topology,
    VipObject,
)

ANY_INTERFACE = "*"  # in a check's line, for that of the Topology, which is not known yet
Body = Mapping[str, Any]
Part = TypeVar("Part", NodePlumbingSpec, NodePlumbingStatus)
MAX_CACHED_LISTS = 32
"""Lists of ranges that are cached: most of what a spec grants is in the next one too."""
MAX_LABELS, MAX_NODE_ADDRESSES = 1024, 1024
"""More labels and addresses of a Node are ignored."""

MAX_LISTED_FAILURES = 256
"""An agent that does not report how many failures it leaves out lists at most this many."""

READINESS_CONDITIONS = frozenset({"Ready", "Fenced"})
"""The conditions of an agent that must be true for it to count as ready."""

RESERVED_NAMES = frozenset({"default", "#mmove"})


def vip_object(kind: Literal["DuraVIP", "Binding"], body: Body) -> VipObject:
    """A DuraVIP or Binding; with a rejection if it cannot be managed as it stands."""
    model = DuraVIPSpec if kind == "DuraVIP" else BindingSpec
    who = _identity(body)
    common = who | {"kind": kind, "status": body.get("status") or {}, "origin": parse_origin(body)}
    contested_here, unread = move_requests.parse_requests(body)
    try:
        spec = model.model_validate(body.get("spec") or {})
    except ValidationError as error:
        return VipObject(**common, rejection=_invalid(f"{kind} {_path(who)}", error))
    follow = spec.follow or "" if isinstance(spec, DuraVIPSpec) else ""
    parsed = VipObject(
        **common,
        address=spec.address or "",
        enabled=bool(not follow if spec.enable_duravip is None else spec.enable_duravip),
        preference=spec.preference or "",
        follow=follow,
        services=frozenset((port_named(s.protocol, s.port), s.name) for s in spec.services or ())
        if isinstance(spec, DuraVIPSpec)
        else frozenset(),
        selector=_selector(spec.node_selector),
        readiness=frozenset(_readiness(who["namespace"], spec)),
        readiness_policy=getattr(spec.readiness, "policy", "Require"),
        failback_s=failback_delay(spec.failback),
        may_balance=spec.balance == "Auto",
        is_guarded=spec.expose == "Declared",
        adaptive=isinstance(spec, BindingSpec) and bool(spec.adaptive),
        requests=contested_here,
        unparsable=unread,
    )
    rejection = _rejected(parsed)
    return replace(parsed, rejection=rejection) if rejection else parsed


def topology(body: Body) -> Topology:
    """A Topology; with a rejection if it cannot be used."""
    who = _identity(body)
    del who["namespace"]
    who["status"] = body.get("status") or {}
    label = f"Topology {who['name']}"
    try:
        spec = TopologySpec.model_validate(body.get("spec") or {})
    except ValidationError as error:
        return Topology(**who, rejection=_invalid(label, error))
    block = addresses.parse_network(spec.cidr)
    if block is None:
        why = f"{label}: spec.cidr: {spec.cidr!r} is not a network block without host bits"
        return Topology(**who, rejection=Rejection(Reason.INVALID, why))
    mask = block.max_prefixlen if spec.cidrmask is None else spec.cidrmask
    if problem := spec.problem(block):
        return Topology(**who, rejection=Rejection(Reason.INVALID, f"{label}: {problem}"))
    try:
        reserved = addresses.merge_ranges(map(addresses.parse_range, spec.reserved or ()))
    except ValueError as error:
        why = f"{label}: spec.reserved: not an address or a range (10.1.1.1-10.1.1.9): {error}"
        return Topology(**who, rejection=Rejection(Reason.INVALID, why))
    how = (spec.arp_all_hosts, tuple(spec.arp_targets or ()), spec.fencing or "")
    names = (spec.interface,) if spec.interface else tuple(spec.interfaces or ())
    first = int(block.network_address)
    return Topology(
        **who,
        cidr=spec.cidr,
        family=block.version,
        first=first,
        last=int(block.broadcast_address),
        prefix=block.prefixlen,
        placement=Placement(names[0] if names else "", mask, *how),
        candidates=Candidates(names, block.version, first),
        selector=_selector(spec.node_selector),
        namespaces=None if spec.namespaces is None else frozenset(spec.namespaces),
        reserved=reserved,
        excludes_off_subnet=spec.cross_subnet == "Exclude",
    )


def node(body: Body) -> Node:
    """A Node: its labels and every address that Kubernetes lists for it.

    The node itself may write more than anybody needs; the rest is ignored, but never the label
    by which an administrator excludes it.
    """
    meta = body.get("metadata") or {}
    all_labels = meta.get("labels") or {}
    labels = dict(islice(all_labels.items(), MAX_LABELS))
    if EXCLUDE_LABEL in all_labels:
        labels[EXCLUDE_LABEL] = all_labels[EXCLUDE_LABEL]
    listed = (body.get("status") or {}).get("addresses") or ()
    canonical = (
        _canonical(str(item.get("address", ""))) for item in islice(listed, MAX_NODE_ADDRESSES)
    )
    return Node(
        name=str(meta.get("name", "")),
        labels=labels,
        addresses=frozenset(filter(None, canonical)),
    )


def plumbing(body: Body) -> Plumbing:
    """A NodePlumbing. What cannot be parsed counts as absent: the next write mends it."""
    written = body.get("status")
    status = _lenient(NodePlumbingStatus, written)
    # Not to be read is not to be empty, and the API server does not check this field.
    is_lost = isinstance(written, Mapping) and bool(written.get("served")) and not status.served
    ready = next((c for c in status.conditions if c.type == "Ready"), None)
    failing = (
        c for c in status.conditions if c.status == "False" and c.type in READINESS_CONDITIONS
    )
    bad = next(failing, None)
    heard = next((c for c in status.conditions if c.type == "Heard"), None)
    shared = next((c for c in status.conditions if c.reason == Reason.NAME_SHARED), None)
    own, is_all = addresses.parse_ranges(status.own, MOST_OWN_SPANS)
    reported = Plumbing(
        node=str((body.get("metadata") or {}).get("name", "")),
        listening=(listening := parse_listeners(status.listening)),
        passing=frozenset(status.passing),
        wildcard_ports=wildcard_ports(listening),
        observed_generation=None if is_lost else status.observed_generation,
        seen_epoch=status.epoch,
        served=frozenset(status.served),
        strict=frozenset(status.strict),
        own_ranges=own,
        lists_all_own=is_all and not _omits_own(written, status),
        omits_failures=bool(status.failures_omitted)
        or len(status.failures) >= MAX_LISTED_FAILURES,
        failures={failure.address: failure.message for failure in status.failures},
        claims={parsed.address: parsed.mac for parsed in status.contested if parsed.mac},
        next_hops=frozenset(status.next_hops),
        nics={nic.name: nic for nic in status.nics},
        boot=status.agent.boot if status.agent else "",
        public_key=_public_key(status.agent),
        unfit=_unfit(ready),
        unready=(bad.reason, bad.message) if bad else None,
        heard_condition=(heard.status == "True", heard.reason) if heard else None,
        shares_name=shared.message if shared else "",
        leaving=ready is not None and ready.reason == Reason.AGENT_STOPPING,
        stopped=ready is not None and ready.reason == Reason.AGENT_STOPPED,
    )
    return with_spec_of(reported, body)


def _omits_own(body: object, status: NodePlumbingStatus) -> bool:
    """Whether the node may have addresses of its own that its status does not list."""
    if status.own_omitted:
        return True
    written = body if isinstance(body, Mapping) else {}
    if any(written.get(name) and not getattr(status, name) for name in ("own", "nics")):
        return True  # it cannot be read
    # An agent that knows no other way has listed no more of a card's addresses.
    return any(len(n.addresses) == MOST_LISTED and n.networks is None for n in status.nics)


_UNFIT = (Reason.UNFENCED, Reason.MUTED, Reason.AGENT_FAILING)


def _unfit(ready: Condition | None) -> Reason | None:
    """Which of `_UNFIT`, if any, keeps the agent from being ready."""
    if ready is None or ready.status == "True":
        return None
    return next((reason for reason in _UNFIT if reason == ready.reason), None)


def _public_key(agent: Agent | None) -> str:
    """The key of the agent that runs; empty: it is of an older version and has none."""
    is_its = agent is not None and is_boot_of(agent.boot, agent.public_key)
    return agent.public_key if agent and is_its else ""


def with_spec_of(reported: Plumbing, body: Body) -> Plumbing:
    """A NodePlumbing with the status of `reported`, and the metadata and spec of `body`."""
    meta = body.get("metadata") or {}
    spec = _lenient(NodePlumbingSpec, body.get("spec"))
    grants: dict[Placement, frozenset[str]] = {}
    contested: set[str] = set()
    allowance = Allowance()
    for item in spec.interfaces:
        how = (item.arp_all_hosts, tuple(item.arp_targets), item.fencing)
        where = Placement(item.name, item.mask, *how)
        contested_here = _expanded(tuple(item.contested), allowance)
        free = _expanded(tuple(item.granted), allowance)
        contested.update(contested_here)
        grants[where] = grants.get(where, frozenset()) | free | contested_here
    generation = int(meta.get("generation") or 0)
    return replace(
        reported,
        uid=str(meta.get("uid", "")),
        resource_version=str(meta.get("resourceVersion", "")),
        generation=generation,
        epoch=spec.epoch,
        pulse=tuple(spec.pulse),
        pulse_keys=tuple(spec.pulse_keys),
        grants=grants,
        contested=frozenset(contested),
        guarded=tuple(spec.guarded),
        unconfirmed=_unconfirmed(spec.unconfirmed, generation, allowance.left),
        granted_count=spec.granted_count,
        ports=tuple(spec.ports),
        ports_decide=spec.ports_decide,
        checks=tuple(spec.checks),
    )


def without_exclude_label(parsed: Node) -> Node:
    """The Node as if nobody but `drain` set the exclude label; kubeadm sets it too."""
    if parsed.labels.get(EXCLUDE_LABEL, DRAINED) == DRAINED:
        return parsed
    labels = {name: value for name, value in parsed.labels.items() if name != EXCLUDE_LABEL}
    return replace(parsed, labels=labels)


def _rejected(parsed: VipObject) -> Rejection | None:
    """What a well-formed spec may still have wrong in itself."""
    if parsed.kind == "Binding" and parsed.name in RESERVED_NAMES:
        why = f"{parsed.label}: metadata.name: {parsed.name!r} is reserved: choose another one"
        return Rejection(Reason.RESERVED_NAME, why)
    if parsed.follow and (parsed.preference or parsed.enabled):
        wrong = "preference" if parsed.preference else "enableDuravip"
        why = f"{parsed.label}: spec.{wrong} cannot be set together with spec.follow"
        return Rejection(Reason.INVALID, why)
    fault = _address_fault(parsed.address) if parsed.address else ""
    if fault:
        why = f"{parsed.label}: spec.address: {parsed.address!r} {fault}"
        return Rejection(Reason.ADDRESS_INVALID, why)
    return None


def _address_fault(address: str) -> str:
    canonical = _canonical(address)
    if canonical is None:
        return "is not an IPv4 or IPv6 address"
    if canonical != address:
        return f"must be written {canonical!r}"
    kind = addresses.parse_address(address)
    if kind.is_multicast or kind.is_loopback or kind.is_unspecified or kind.is_link_local:
        return "is multicast, loopback, link-local or unspecified: no host can hold it"
    return "is the broadcast address" if address == "255.255.255.255" else ""


def _identity(body: Body) -> dict[str, Any]:
    meta = body.get("metadata") or {}
    return {
        "namespace": str(meta.get("namespace", "")),
        "name": str(meta.get("name", "")),
        "uid": str(meta.get("uid", "")),
        "created": str(meta.get("creationTimestamp", "")),
        "generation": int(meta.get("generation") or 1),
    }


def _path(who: Mapping[str, Any]) -> str:
    return f"{who['namespace']}/{who['name']}"


def _selector(labels: Mapping[str, str] | None) -> Selector:
    return tuple(sorted((labels or {}).items()))


def _readiness(namespace: str, spec: DuraVIPSpec | BindingSpec) -> Iterator[ReadinessKey]:
    """What a node needs to be fit."""
    asked = spec.readiness
    if asked and asked.endpoints_of:
        yield ReadinessKey("endpointsOf", service_key(namespace, asked.endpoints_of))
    if not isinstance(spec, DuraVIPSpec) or not isinstance(asked, Readiness):
        return
    version: Literal[4, 6] = 6 if ":" in spec.address else 4
    for service in (asked.listening and spec.services) or ():
        name = wildcard_port(port_named(service.protocol, service.port), version)
        yield ReadinessKey("listening", name)
    if asked.check:
        yield ReadinessKey("check", str(node_check(asked.check, ANY_INTERFACE, version)))


def _invalid(label: str, error: ValidationError) -> Rejection:
    first = error.errors(include_url=False, include_context=False)[0]
    field = ".".join(map(str, ("spec", *first["loc"])))
    return Rejection(Reason.INVALID, f"{label}: {field}: {first['msg']}"[:1000])


def _canonical(address: str) -> str | None:
    try:
        return str(addresses.parse_address(address))
    except ValueError:
        return None


def _expanded(listed: tuple[str, ...], allowance: Allowance) -> frozenset[str]:
    """All addresses in a list, as far as the allowance goes; most lists are in the cache."""
    parsed, used = _spelled_out(listed)
    if used > allowance.left:
        return _read(listed, allowance)
    allowance.left -= used
    return parsed


@lru_cache(MAX_CACHED_LISTS)
def _spelled_out(listed: tuple[str, ...]) -> tuple[frozenset[str], int]:
    """`(all addresses in a list, how much of the allowance they use)`."""
    allowance = Allowance()
    parsed = _read(listed, allowance)
    return parsed, MOST_GRANTED - allowance.left


def _unconfirmed(parsed: Unconfirmed | None, generation: int, left: int) -> frozenset[str] | None:
    """All that a node may hold beside its grants; None if the spec does not list all of it."""
    if parsed is None or parsed.generation != generation:
        return None
    return _all_of(tuple(parsed.addresses), left)


@lru_cache(MAX_CACHED_LISTS)
def _all_of(listed: tuple[str, ...], most: int) -> frozenset[str] | None:
    try:
        return frozenset(addresses.expand_ranges(listed, max(0, most)))
    except ValueError:
        return None


def _read(listed: Iterable[str], allowance: Allowance) -> frozenset[str]:
    parsed: list[str] = []
    for item in listed:
        if allowance.left <= 0:
            break
        with suppress(ValueError):
            parsed += allowance.spelled_out(item)
    return frozenset(parsed)


def _lenient(model: type[Part], part: object) -> Part:
    """A part of a NodePlumbing; a field that cannot be parsed counts as absent.

    Somebody may have edited it by hand, or an agent of another version may have written it.
    """
    fields = dict(part) if isinstance(part, Mapping) else {}
    while True:
        try:
            return model.model_validate(fields)
        except ValidationError as error:
            wrong = error.errors(include_url=False, include_context=False, include_input=False)
            for name in {str(one["loc"][0]) for one in wrong}:
                fields.pop(name, None)
