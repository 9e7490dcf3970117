"""Which addresses a Service gets.

Of each family of the Service, the first of these that gives an address:

1. the DuraVIPs that `duravip.io/vip` names: people have made those, and they keep who prefers, who
   may hold and who leads; the Service adds its ports, and what its nodes need (readiness);
2. the address that it asks for (`service_objects`);
3. the address that its DuraVIP has, if a pool that it asks for has not changed meanwhile;
4. the address that its status has, by whoever wrote it, if nothing else has it;
5. a pool (`address_pools`).

It gets what it asks for, or nothing. With RequireDualStack it gets nothing new unless it gets both
families; what it has by then it keeps.

Services of one namespace, or of namespaces that the Topology lists, share an address if all of
them *ask* for it and no port occurs twice. Who has a port keeps it: the Service that brings the
clash is refused, the younger of two that bring it at once, and gets the address when the other one
is gone. An address that was given out unasked is its Service's alone: should a second one have it
all the same, because two leaders wrote at once, the one that has not asked, or the younger
DuraVIP, gets another.
"""

from collections.abc import Collection, Iterator
from typing import NamedTuple

from duravip_api.addresses import to_int
from duravip_api.reasons import Reason
from duravip_api.services import vip_name
from duravip_operator.core.address_holders import Holders
from duravip_operator.core.address_pools import PoolTable
from duravip_operator.core.generated_vips import GeneratedVip, generate
from duravip_operator.core.service_objects import ServiceObject
from duravip_operator.core.snapshot import Rejection, Topology, VipObject
from duravip_operator.core.topologies import is_edge
from duravip_operator.core.units import may_share

MAX_NEW = 100
"""Addresses that one plan gives out unasked: the loop must not be busy with them for long."""


class Choice(NamedTuple):
    """What a Service gets."""

    vips: tuple[GeneratedVip, ...] = ()
    refusal: Rejection | None = None
    """Why it does not get everything."""
    is_waiting: bool = False
    """Whether more will be chosen later: nothing is said of it yet."""


class AddressChooser:
    """Chooses for one Service after the other: the older first."""

    def __init__(self, holders: Holders, pools: PoolTable, occupied: Collection[str]) -> None:
        self._holders = holders
        self._pools = pools
        self._blocks = pools.blocks
        self._occupied = occupied
        self._names: dict[str, str] = {}
        """By `namespace/name` of a DuraVIP that this plan creates: the Service's name."""
        self._new = 0

    @property
    def has_given_enough(self) -> bool:
        """Whether this plan gives out no more addresses unasked."""
        return self._new >= MAX_NEW

    def choose(self, service: ServiceObject) -> Choice:
        """What the Service gets."""
        if service.rejection:
            return Choice(tuple(self._as_it_is(service)), service.rejection)
        found: list[GeneratedVip] = []
        refusals: list[Rejection] = []
        for family in service.families:
            one = self._of_family(service, family)
            if one is None:
                return Choice(tuple(self._as_it_is(service)), is_waiting=True)
            (refusals if isinstance(one, Rejection) else found).append(one)  # type: ignore[arg-type]
        refusal = next(iter(refusals), None)
        if refusal and service.policy == "RequireDualStack":
            found = [vip for vip in found if vip.key in self._holders.there]
        is_optional = service.policy == "PreferDualStack" and bool(found)
        if refusal and is_optional and refusal.reason is Reason.POOL_EXHAUSTED:
            refusal = None
        for vip in found:
            self._names[vip.key] = service.name
            self._holders.give(vip.address, service)
            if not self._holders.by_address.get(vip.address):
                self._pools.claim(vip.address)
        return Choice(tuple(found), refusal)

    def _as_it_is(self, service: ServiceObject) -> Iterator[GeneratedVip]:
        """What the Service has, unchanged."""
        for family in service.families:
            own = self._holders.own(service, family)
            if own and own.origin:
                yield GeneratedVip(
                    own.namespace,
                    own.name,
                    own.origin,
                    own.address,
                    own.services,
                    own.readiness,
                    own.readiness_policy,
                    own.preference,
                    own.selector,
                    own.is_guarded,
                    own.enabled,
                )

    def _of_family(self, service: ServiceObject, family: int) -> GeneratedVip | Rejection | None:
        """What carries the address of a family, or why none does; None: it has to wait."""
        key = f"{service.namespace}/{vip_name(service.name, family)}"
        there = self._holders.there.get(key) or self._holders.in_flight.get(key)
        own = self._holders.own(service, family)
        if (there and not own) or self._names.get(key, service.name) != service.name:
            if there and there.origin and there.origin.name == service.name:
                return None  # that of a former Service of the name, which will be gone soon
            why = f"{service.label}: DuraVIP {key} is not generated for it: give it another name"
            return Rejection(Reason.NAME_TAKEN, why)
        if service.vips:
            named = self._named_vip(service, family)
            if named is not None:
                return named
        asked = dict(service.addresses).get(family)
        if asked:
            refusal = self._refusal(service, asked, own)
            return refusal or generate(service, family, asked)
        if own and self._is_kept(service, own):
            return generate(service, family, own.address, own.origin.pool if own.origin else "")
        return self._unasked(service, family)

    def _named_vip(self, service: ServiceObject, family: int) -> GeneratedVip | Rejection | None:
        """As the DuraVIPs say that `duravip.io/vip` names; None: none of the family."""
        for name in service.vips:
            key = f"{service.namespace}/{name}"
            donor = self._holders.there.get(key)
            if donor is None or donor.origin or donor.rejection:
                wrong = "is generated" if donor and donor.origin else "is not there, or Broken"
                why = f"{service.label}: duravip.io/vip: DuraVIP {key} {wrong}"
                return Rejection(Reason.VIP_UNKNOWN, why)
            if to_int(donor.address)[0] == family:
                own = self._holders.own(service, family)
                refusal = self._refusal(service, donor.address, own)
                return refusal or generate(service, family, donor.address)._replace(
                    preference="",
                    selector=donor.selector,
                    is_guarded=donor.is_guarded,
                    enabled=False,
                )
        return None

    def _refusal(
        self, service: ServiceObject, address: str, own: VipObject | None
    ) -> Rejection | None:
        """Why the Service does not get an address that it asks for."""
        is_there = own is not None and own.address == address
        if not is_there:
            fault = self._fault(service, address)
            if fault:
                return Rejection(fault[0], f"{service.label}: {address} {fault[1]}")
        if not self._may_share(service, address):
            why = f"{service.label}: {address} belongs to another namespace"
            return Rejection(Reason.NAMESPACE_CONFLICT, why)
        other = None if is_there else self._holders.unasked(address, service)
        if other:
            why = f"{service.label}: {address} was given to Service {other.name}"
            return Rejection(Reason.ADDRESS_TAKEN, why)
        if clash := self._holders.clash(address, service):
            port, other = clash
            whose = f"Service {other.name}" if other.namespace == service.namespace else "another"
            why = f"{service.label}: {port} of {address} is that of {whose}"
            return Rejection(Reason.PORT_TAKEN, why)
        return None

    def _fault(self, service: ServiceObject, address: str) -> tuple[Reason, str] | None:
        """Why no Service of the namespace can have an address, whoever else has it."""
        topology = self._blocks.topology_of(address)
        if topology is None or not _admits(topology, service.namespace):
            return Reason.NO_TOPOLOGY, "is in no Topology's block that admits the namespace"
        if is_edge(topology, address):
            return Reason.BLOCK_EDGE, f"is the network or broadcast address of {topology.cidr}"
        family, number = to_int(address)
        for other in self._blocks.topologies:
            for span in other.reserved:
                if span.family == family and span.first <= number <= span.last:
                    return Reason.RESERVED, f"is reserved by Topology {other.name}"
        pool = self._pools.pool_of(address)
        if pool and not pool.admits(service.namespace):
            return Reason.NAMESPACE_NOT_ADMITTED, f"is of {pool.label}, for other namespaces"
        return None

    def _may_share(self, service: ServiceObject, address: str) -> bool:
        """Whether the namespaces of those who have the address go together."""
        topology = self._blocks.topology_of(address)
        senior = next(self._holders.strangers(address, service), None)
        if senior:
            return may_share(service.namespace, senior, topology)
        is_listed = topology is not None and topology.namespaces is not None
        given = self._holders.use(address).given[:1]  # they all go together
        return is_listed or all(other.namespace == service.namespace for other in given)

    def _is_kept(self, service: ServiceObject, own: VipObject) -> bool:
        """Whether a Service that asks for no address keeps the one it has."""
        if not own.address or own.rejection:
            return False
        asked, origin = service.pool, own.origin
        if asked and origin and origin.pool != asked:
            pool = self._pools.pool_of(own.address)
            if pool is None or pool.name != asked:
                return False
        if own.address in self._occupied and not own.status.get("lastMove"):
            return False
        if len(self._holders.by_address[own.address]) == 1:
            return True
        by_age = self._holders.use(own.address).by_age
        if not may_share(service.namespace, by_age[0], self._blocks.topology_of(own.address)):
            return False
        return not any(self._yields(service, own, vip) for vip in by_age)

    def _yields(self, service: ServiceObject, own: VipObject, rival: VipObject) -> bool:
        """Whether a Service that has an address unasked gives it up to another one's DuraVIP."""
        other = self._holders.service_of(rival)
        if other is None or other is service or not rival.uid:
            return False
        is_asked = self._holders.asks(other, own.address)
        return is_asked or bool(own.uid and rival.seniority < own.seniority)

    def _unasked(self, service: ServiceObject, family: int) -> GeneratedVip | Rejection | None:
        """The address of its status, or one of a pool."""
        if self.has_given_enough:
            return None
        for address in service.ingress:
            if self._is_free(service, address, family):
                pool = self._pools.pool_of(address)
                self._new += 1
                return generate(service, family, address, pool.name if pool else "")
        if service.pool:
            pool = self._pools.pools.get(service.pool)
            if pool is None or pool.rejection or not pool.admits(service.namespace):
                why = f"{service.label}: there is no AddressPool {service.pool} that it may use"
                return Rejection(Reason.POOL_UNKNOWN, why)
        found = self._pools.choose(service.namespace, service.name, family, service.pool)
        if found is None:
            why = f"{service.label}: no AddressPool that it may use has a free IPv{family} address"
            return Rejection(Reason.POOL_EXHAUSTED, why)
        self._new += 1
        return generate(service, family, *found)

    def _is_free(self, service: ServiceObject, address: str, family: int) -> bool:
        """Whether the address of its status can be the Service's."""
        try:
            if to_int(address)[0] != family:
                return False
        except ValueError:
            return False
        is_taken = self._holders.by_address.get(address) or self._holders.use(address).given
        if is_taken or address in self._occupied or self._fault(service, address):
            return False
        pool = self._pools.pool_of(address)
        return not service.pool or (pool is not None and pool.name == service.pool)


def _admits(topology: Topology, namespace: str) -> bool:
    return topology.namespaces is None or namespace in topology.namespaces
