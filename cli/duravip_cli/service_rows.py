"""Rows of Services of type LoadBalancer, and what is wrong with each.

Ours is a Service with our class, or whatever the operator has answered: by a DuraVIP that it has
generated for it, or by its condition. So the operator's options need not be known.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from duravip_api.reasons import Reason, State
from duravip_api.services import LOAD_BALANCER_CLASS
from duravip_cli.objects import (
    Body,
    condition,
    name_of,
    spec_of,
    status_of,
)
from duravip_operator.core.service_objects import ServiceObject, parse_service
from duravip_operator.core.service_origin import parse_origin

PENDING: Final = "Pending"
"""The state of a Service without any DuraVIP."""
_SHOWN_AS_PROBLEMS: Final = ("Conflict", "Unsafe", "AddressInUse", "NoFitNode", "OutOfPool")
"""Conditions of a DuraVIP that are a problem of its Service while they are true."""


class ServiceRow(NamedTuple):
    """A Service of type LoadBalancer."""

    namespace: str
    name: str
    addresses: tuple[str, ...]
    """Those of its status: where clients go."""
    owners: tuple[str, ...]
    """The nodes that serve them."""
    state: str
    """That of its DuraVIPs; several, with commas, where they differ."""
    pools: tuple[str, ...]
    """The AddressPools that the addresses came from."""
    load_balancer_class: str
    policy: str
    """`externalTrafficPolicy`."""
    ports: tuple[str, ...]
    duravips: tuple[str, ...]
    created: str
    problems: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """As `-o json` prints it."""
        fields = self._asdict()
        return {
            {"load_balancer_class": "class"}.get(name, name): value
            for name, value in fields.items()
        }


def service_rows(
    services: Iterable[Body], duravips: Iterable[Body], *, others: bool = False
) -> list[ServiceRow]:
    """The Services that are ours, by namespace and name; with `others` all of them."""
    generated: dict[str, list[Body]] = defaultdict(list)
    for body in duravips:
        if origin := parse_origin(body):
            generated[origin.uid].append(body)
    rows = (
        _row(service, sorted(generated[service.uid], key=_address_of))
        for body in services
        if (service := parse_service(body)).uid
    )
    ours = (row for row, is_ours in rows if is_ours or others)
    return sorted(ours, key=lambda row: (row.namespace, row.name))


def _row(service: ServiceObject, vips: list[Body]) -> tuple[ServiceRow, bool]:
    answer = service.status.condition
    is_ours = (
        service.load_balancer_class == LOAD_BALANCER_CLASS
        or (answer is not None and answer.reason != Reason.NOT_OURS)
        or bool(vips)
    )
    states = _unique(status_of(vip).get("state") for vip in vips)
    problems = list(_problems(service, vips)) if is_ours else [_why_not_ours(service)]
    row = ServiceRow(
        namespace=service.namespace,
        name=service.name,
        addresses=service.ingress,
        owners=_unique(status_of(vip).get("owner") for vip in vips),
        state=",".join(states) or PENDING,
        pools=_unique(origin.pool for vip in vips if (origin := parse_origin(vip))),
        load_balancer_class=service.load_balancer_class,
        policy="Local" if service.is_local else "Cluster",
        ports=tuple(sorted(port for port, _ in service.ports)),
        duravips=tuple(map(name_of, vips)),
        created=service.created,
        problems=tuple(problems),
    )
    return row, is_ours


def _problems(service: ServiceObject, vips: list[Body]) -> Iterator[str]:
    answer = service.status.condition
    if answer is None:
        yield "no operator has answered it"
    elif answer.status != "True" and answer.reason != Reason.ADDRESS_ASSIGNED:
        yield f"{answer.reason}: {answer.message}"
    own = {_address_of(vip) for vip in vips}
    if answer and vips and (strangers := [one for one in service.ingress if one not in own]):
        yield (
            f"two controllers: {', '.join(strangers)} in its status is of somebody else: set its "
            "loadBalancerClass, or end the other one"
        )
    said = {answer.message} if answer else set()
    for vip in vips:
        yield from _vip_problems(vip, said)


def _vip_problems(vip: Body, said: set[str]) -> Iterator[str]:
    """What is wrong with an address, but for what the Service says of it itself."""
    ready, state = condition(vip, "Ready"), status_of(vip).get("state")
    if state in {State.UNASSIGNED, State.BROKEN} and ready.get("message") not in said:
        yield f"{_address_of(vip)}: {ready.get('reason')}: {ready.get('message')}"
    for kind in _SHOWN_AS_PROBLEMS:
        note = condition(vip, kind)
        if note.get("status") == "True" and note.get("message") not in said:
            yield f"{_address_of(vip)}: {note.get('reason')}: {note.get('message')}"


def _why_not_ours(service: ServiceObject) -> str:
    if service.load_balancer_class:
        return f"not ours: its loadBalancerClass is {service.load_balancer_class}"
    if service.ingress:
        return "not ours: it has no loadBalancerClass, and another controller's address"
    return (
        f"not ours: it has no loadBalancerClass; set {LOAD_BALANCER_CLASS}, or start the operator "
        "with --default-load-balancer"
    )


def _address_of(vip: Body) -> str:
    return str(spec_of(vip).get("address") or "")


def _unique(values: Iterable[object]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(value) for value in values if value))


def selected(rows: Iterable[ServiceRow], given: Iterable[str]) -> list[ServiceRow]:
    """The rows that NAME or NAMESPACE/NAME arguments name; all of them without any."""
    wanted = set(given)
    return [
        row
        for row in rows
        if not wanted or not wanted.isdisjoint({row.name, f"{row.namespace}/{row.name}"})
    ]
