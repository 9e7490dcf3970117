"""Services of type LoadBalancer: the DuraVIPs that they get, and what their status says.

A pure function of what is in the API server: the plan names DuraVIPs to create, change and delete,
and statuses. It elects nothing: a generated DuraVIP is an object as any other.

A created DuraVIP is the commit of an allocation. Two Services never get one address, since

- only the leader, with all caches read, plans and writes;
- an address that any object names is taken, and so is that of a DuraVIP that is being created or
  changed: the shell passes these in `vips` as well, without a uid, until it sees the result;
- the name of a generated DuraVIP is fixed, so a second create of it is refused by the API server.

Ours are the Services of our class, and those without a class if that is our default and nobody
else serves them: the status is empty, or names an address of a pool of ours or of a DuraVIP. So we
never fight with another controller, and when that is gone its Services are taken over with the
addresses that they have.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from duravip_api.reasons import Reason
from duravip_api.services import LOAD_BALANCER_CLASS
from duravip_operator.core.address_holders import Holders
from duravip_operator.core.address_pools import AddressPool, PoolStatus, PoolTable
from duravip_operator.core.generated_vips import Body, vip_body
from duravip_operator.core.service_addresses import AddressChooser, Choice
from duravip_operator.core.service_objects import ServiceObject, ServiceStatus
from duravip_operator.core.service_statuses import (
    ServiceEvent,
    Told,
    known_before,
    released_status,
    service_events,
    service_status,
    told_now,
)
from duravip_operator.core.snapshot import Topology, VipObject
from duravip_operator.core.topologies import build_blocks


class ServiceSettings(NamedTuple):
    """Which Services are ours."""

    load_balancer_class: str = LOAD_BALANCER_CLASS
    is_default: bool = False
    """Whether those without a class are ours too."""


class Settled(NamedTuple):
    """A Service that has what it asks for: while nothing of this changes, nor does its plan."""

    service: ServiceObject
    vips: tuple[tuple[str, VipObject], ...]
    """`(namespace/name, DuraVIP)`: those that carry its addresses, and nothing else names them."""
    status: ServiceStatus
    told: Told

    def is_unchanged(self, service: ServiceObject, holders: Holders) -> bool:
        """Whether the Service, its DuraVIPs and who else has their addresses are the same."""
        if self.service is not service:
            return False
        for key, vip in self.vips:
            if holders.there.get(key) is not vip or len(holders.by_address[vip.address]) != 1:
                return False
        return True


class PlanMemory(NamedTuple):
    """What the next plan takes over."""

    inputs: tuple[object, ...]
    """All that plans depend on beside Services and DuraVIPs."""
    pools: PoolTable
    told: Mapping[str, Told]
    """What people know of each Service, by its uid."""
    settled: Mapping[str, Settled]
    """By uid."""


class ServicePlan(NamedTuple):
    """What is to be written."""

    creates: Mapping[str, Body] = {}
    """`{namespace/name: the DuraVIP to create}`."""
    updates: Mapping[str, Body] = {}
    """`{namespace/name: what a generated DuraVIP is to be instead}`: labels, annotations, spec."""
    deletes: frozenset[str] = frozenset()
    """`namespace/name` of generated DuraVIPs that no Service asks for any more."""
    statuses: Mapping[str, ServiceStatus] = {}
    """By `namespace/name` of the Service. One that is not named is left as it is."""
    events: tuple[ServiceEvent, ...] = ()
    pools: Mapping[str, PoolStatus] = {}
    """By name of the AddressPool."""
    is_partial: bool = False
    """Whether another plan has to follow at once: this one has given out as many addresses as one
    may."""
    memory: PlanMemory | None = None


def plan_services(  # noqa: PLR0917 - everything that it depends on
    services: Mapping[str, ServiceObject],
    pools: Iterable[AddressPool],
    vips: Iterable[VipObject],
    topologies: Iterable[Topology],
    settings: ServiceSettings,
    occupied: Collection[str] = frozenset(),
    last: ServicePlan | None = None,
) -> ServicePlan:
    """What is to be written for these Services.

    `services` is by `namespace/name`. `vips` holds all DuraVIPs and Bindings, and without a uid
    those whose creation or change is not seen yet. `occupied` are addresses of hosts that are not
    ours. `last` is the plan before: what it has told is not told again, and what it has worked
    out is taken over where objects are the very same.
    """
    pools, topologies = tuple(pools), tuple(topologies)
    inputs = (tuple(pool._replace(status={}) for pool in pools), topologies, settings, occupied)
    memory = last.memory if last else None
    is_same = memory is not None and memory.inputs == inputs
    table = (
        memory.pools
        if memory and is_same
        else PoolTable(pools, build_blocks(topologies, "Segment"))
    )
    holders = Holders(vips, services)
    pool_states = table.take(holders.by_address, occupied)
    planner = _Planner(holders, table, occupied, memory, is_same=is_same)
    ours = {key: one for key, one in services.items() if is_ours(one, settings, holders, table)}
    open_ones = [one for key, one in ours.items() if not planner.take_over(key, one)]
    for service in sorted(open_ones, key=lambda one: one.seniority):
        planner.plan(service)
    for key in services.keys() - ours.keys():
        if _was_ours(services[key]):
            planner.statuses[key] = planner.released(services[key])
    deletes = {k for k, vip in holders.there.items() if vip.origin and k not in planner.wanted}
    return ServicePlan(
        planner.creates,
        planner.updates,
        frozenset(deletes),
        planner.statuses,
        tuple(planner.events),
        pool_states,
        planner.chooser.has_given_enough,
        PlanMemory(inputs, table, planner.told, planner.settled),
    )


class _Planner:
    """A plan in the making."""

    def __init__(
        self,
        holders: Holders,
        pools: PoolTable,
        occupied: Collection[str],
        memory: PlanMemory | None,
        *,
        is_same: bool,
    ) -> None:
        self._holders = holders
        self._pools = pools
        self._known = memory.told if memory else {}
        self._settled = memory.settled if memory and is_same else {}
        self.chooser = AddressChooser(holders, pools, occupied)
        self.creates: dict[str, Body] = {}
        self.updates: dict[str, Body] = {}
        self.wanted: set[str] = set()
        self.statuses: dict[str, ServiceStatus] = {}
        self.events: list[ServiceEvent] = []
        self.told: dict[str, Told] = {}
        self.settled: dict[str, Settled] = {}

    def take_over(self, path: str, service: ServiceObject) -> bool:
        """Take over what the last plan says of a Service, if it has what it asks for."""
        found = self._settled.get(service.uid)
        if found is None or not found.is_unchanged(service, self._holders):
            return False
        self.settled[service.uid] = found
        for key, _ in found.vips:
            self.wanted.add(key)
        self.statuses[path] = found.status
        self.told[service.uid] = found.told
        return True

    def released(self, service: ServiceObject) -> ServiceStatus:
        """The status of a Service that is not ours any more."""
        there = self._holders.there.values()
        given = {v.address for v in there if v.origin and v.origin.uid == service.uid}
        told = self._known.get(service.uid)
        return released_status(service, given.union(told.ingress if told else ()))

    def plan(self, service: ServiceObject) -> None:
        """Plan for one Service."""
        choice = self.chooser.choose(service)
        is_written = self._write(choice)
        carriers = [(v.key, there) for v in choice.vips if (there := self._there(v.key))]
        vips = [vip for _, vip in carriers]
        known = self._known.get(service.uid) or known_before(service, vips)
        if choice.is_waiting:
            self.told[service.uid] = known
            return
        status = service_status(service, choice, self._holders, self._pools)
        now = told_now(service, status, vips)
        if now != known:
            self.events.extend(service_events(service, known, now, vips))
        self.statuses[service.key], self.told[service.uid] = status, now
        is_plain = not (is_written or choice.refusal or service.vips)
        if is_plain and all(len(self._holders.by_address[vip.address]) == 1 for vip in vips):
            self.settled[service.uid] = Settled(service, tuple(carriers), status, now)

    def _there(self, key: str) -> VipObject | None:
        return self._holders.there.get(key)

    def _write(self, choice: Choice) -> bool:
        """Have what was chosen created, or changed; whether any of it is not as it is to be."""
        is_written = False
        for vip in choice.vips:
            self.wanted.add(vip.key)
            there = self._there(vip.key)
            is_in_flight = vip.key in self._holders.in_flight
            if there is not None and vip.is_as(there) and not is_in_flight:
                continue
            is_written = True
            if not is_in_flight:
                (self.creates if there is None else self.updates)[vip.key] = vip_body(vip)
        return is_written


def is_ours(
    service: ServiceObject, settings: ServiceSettings, holders: Holders, pools: PoolTable
) -> bool:
    """Whether the Service gets its addresses from us."""
    if service.is_leaving:
        return False
    if service.load_balancer_class or not settings.is_default:
        return service.load_balancer_class == settings.load_balancer_class
    if not service.ingress:
        return not service.has_foreign_ingress
    return any(
        address in holders.by_address or pools.pool_of(address) for address in service.ingress
    )


def _was_ours(service: ServiceObject) -> bool:
    """Whether the status still says what we wrote when the Service was ours."""
    condition = service.status.condition
    return condition is not None and condition.reason != Reason.NOT_OURS and not service.is_leaving
