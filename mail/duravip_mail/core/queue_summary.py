"""The queue of a node as people want to see it: by Binding and domain.

Mail that waits for another node is listed under the virtual Binding `#mmove`, with the address
that it goes to as its domain. Mail without a Binding belongs to `default`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from duravip_mail.core.routes import HAND_OVER, UNKNOWN_ROUTE, route_of, transport_of
from duravip_mail.core.world import MailBinding, World

DEFAULT: Final = "default"
MMOVE: Final = "#mmove"
UNKNOWN: Final = "-"
"""Of a Binding that is not there, or not any more."""
WAITING: Final = frozenset({"deferred", "hold"})


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """One message."""

    route: str
    queue: str
    arrived: int
    """In seconds since 1970, at this node."""
    domains: frozenset[str]
    """Of its recipients who have not got it yet."""
    reason: str = ""
    """Why it waits, by Postfix' word; empty: it was not tried yet."""


@dataclass(frozen=True, slots=True)
class QueueRow:
    """All messages of one Binding for one domain."""

    group: str
    binding: str
    domain: str
    active: int
    deferred: int
    oldest: int
    """When the oldest of them arrived."""
    reason: str = ""
    """Why most of them wait; empty: none was tried yet."""


def binding_of(route: str, bindings: Iterable[MailBinding]) -> str:
    """The name under which a message with this route is listed."""
    return binding_names(bindings).get(route) or _without_table(route)


def binding_names(bindings: Iterable[MailBinding]) -> Mapping[str, str]:
    """By each route that keeps mail of a Binding at this node: the Binding's name."""
    return {route: b.name for b in bindings for route in own_routes(b)}


def own_routes(binding: MailBinding) -> tuple[str, ...]:
    """Every route that names this Binding alone: here, suspended, broken."""
    empty = World()
    held = MailBinding(binding.name, binding.address, is_suspended=True)
    broken = MailBinding(binding.name, binding.address, is_broken=True)
    return f"{transport_of(binding)}:", route_of(held, empty), route_of(broken, empty)


def summarize_queue(
    entries: Iterable[QueueEntry], bindings: Iterable[MailBinding]
) -> list[QueueRow]:
    """A row for each Binding and domain, in the order of their names."""
    bindings = tuple(bindings)
    names, groups = binding_names(bindings), {b.name: b.group for b in bindings}
    found: dict[tuple[str, str], list[QueueEntry]] = {}
    for entry in entries:
        name = names.get(entry.route) or _without_table(entry.route)
        domains = {_next_hop(entry.route)} if name == MMOVE else entry.domains
        for domain in domains:
            found.setdefault((name, domain), []).append(entry)
    return [
        QueueRow(
            group=groups.get(name) or DEFAULT,
            binding=name,
            domain=domain,
            active=sum(entry.queue not in WAITING for entry in mine),
            deferred=sum(entry.queue in WAITING for entry in mine),
            oldest=min(entry.arrived for entry in mine),
            reason=_commonest(entry.reason for entry in mine if entry.reason),
        )
        for (name, domain), mine in sorted(found.items())
    ]


def _commonest(reasons: Iterable[str]) -> str:
    return next((reason for reason, _ in Counter(reasons).most_common(1)), "")


def _without_table(route: str) -> str:
    if not route:
        return DEFAULT
    if route.startswith(f"{HAND_OVER}:"):
        return MMOVE
    if route == UNKNOWN_ROUTE or not route.startswith("b-"):
        return UNKNOWN
    return route.removeprefix("b-").removesuffix(":")


def _next_hop(route: str) -> str:
    return route.partition("[")[2].partition("]")[0]
