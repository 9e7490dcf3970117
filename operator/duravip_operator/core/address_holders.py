"""Who has which address: the objects that name it, and the Services behind the generated ones.

A port of an address is that of the Service whose DuraVIP declares it there; of two, that of the
older Service. What a plan gives out meanwhile is added to that.

Thousands of Services may share one address, so what is known of it is worked out once a plan.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from duravip_api.services import vip_name
from duravip_operator.core.service_objects import ServiceObject
from duravip_operator.core.snapshot import VipObject


class AddressUse(NamedTuple):
    """Who has one address."""

    by_age: list[VipObject]
    """The objects that name it, the oldest first."""
    ports: dict[str, ServiceObject]
    """Whose each port is."""
    unasked: list[ServiceObject]
    """The Services that have it and do not ask for it."""
    given: list[ServiceObject]
    """The Services that get it in this plan."""


class Holders:
    """All DuraVIPs and Bindings, by address and by name."""

    def __init__(self, vips: Iterable[VipObject], services: Mapping[str, ServiceObject]) -> None:
        """`vips` without a uid are being created or changed. `services` is by namespace/name."""
        self._services = services
        self.by_address: dict[str, list[VipObject]] = defaultdict(list)
        self.there: dict[str, VipObject] = {}
        """By `namespace/name`: the DuraVIPs that are there."""
        self.in_flight: dict[str, VipObject] = {}
        """By `namespace/name`: those whose creation or change is not seen yet."""
        for vip in vips:
            if vip.address and not vip.rejection:
                self.by_address[vip.address].append(vip)
            if vip.kind == "DuraVIP":
                (self.there if vip.uid else self.in_flight)[f"{vip.namespace}/{vip.name}"] = vip
        self._uses: dict[str, AddressUse] = {}

    def use(self, address: str) -> AddressUse:
        """Who has the address."""
        found = self._uses.get(address)
        if found is None:
            by_age = sorted(self.by_address.get(address, ()), key=lambda vip: vip.seniority)
            found = self._uses[address] = AddressUse(by_age, {}, [], [])
            holding = [(s, vip) for vip in by_age if (s := self.service_of(vip))]
            for service, vip in sorted(holding, key=lambda pair: pair[0].seniority):
                declared = {port for port, _ in vip.services}
                for port, _ in service.ports:
                    if port in declared or port.startswith("SCTP/"):
                        found.ports.setdefault(port, service)
                if not self.asks(service, address):
                    found.unasked.append(service)
        return found

    def give(self, address: str, service: ServiceObject) -> None:
        """The Service gets the address in this plan, with all its ports."""
        use = self.use(address)
        use.given.append(service)
        for port, _ in service.ports:
            use.ports.setdefault(port, service)
        if not self.asks(service, address):
            use.unasked.append(service)

    def asks(self, service: ServiceObject, address: str) -> bool:
        """Whether the Service asks for this very address."""
        if any(address == asked for _, asked in service.addresses):
            return True
        named = (self.there.get(f"{service.namespace}/{name}") for name in service.vips)
        return any(vip.address == address for vip in named if vip)

    def own(self, service: ServiceObject, family: int) -> VipObject | None:
        """The DuraVIP of the Service and family, as it will be."""
        key = f"{service.namespace}/{vip_name(service.name, family)}"
        found = self.in_flight.get(key) or self.there.get(key)
        is_own = found is not None and found.origin and found.origin.uid == service.uid
        return found if is_own else None

    def service_of(self, vip: VipObject) -> ServiceObject | None:
        """The Service that it was generated for; None: for none, or that one is gone."""
        if vip.origin is None:
            return None
        found = self._services.get(f"{vip.namespace}/{vip.origin.name}")
        return found if found and found.uid == vip.origin.uid else None

    def strangers(self, address: str, service: ServiceObject) -> Iterator[VipObject]:
        """The objects of the address that are not generated for the Service, the oldest first."""
        for vip in self.use(address).by_age:
            if vip.origin is None or vip.origin.uid != service.uid:
                yield vip

    def unasked(self, address: str, service: ServiceObject) -> ServiceObject | None:
        """Another Service that has the address without asking for it."""
        others = (one for one in self.use(address).unasked if one.uid != service.uid)
        return next(others, None)

    def clash(self, address: str, service: ServiceObject) -> tuple[str, ServiceObject] | None:
        """`(a port of the Service that is another one's at the address, which)`."""
        ports = self.use(address).ports
        for port, _ in service.ports:
            owner = ports.get(port)
            if owner and owner.uid != service.uid:
                return port, owner
        return None
