"""Which interface of a node carries the addresses of a Topology.

A Topology names one `interface`, or several (`interfaces`), or none (`bySubnet`):

- Of several, it is the first that works: that the node has, up, with carrier, and on which it can
  answer for the block's family. If none works it is the first that comes closest, so that the
  reason names what is to be mended: the first that is up with carrier, or else the first that
  the node has.
- By subnet, it is the one with an address of the node's own whose network contains the block's
  first address. If two have one, none is chosen: nobody can tell which is meant.

The choice depends on nothing but what the agent reports of the node's interfaces. So every
replica makes the same one in every pass, and it changes only when an interface does: then the
addresses change their interface at the same node, with one write of its spec. No other node is
concerned, and the agent takes an address off one interface before it adds it to the other.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import ip_interface
from typing import NamedTuple

from duravip_api.nodeplumbing import Nic
from duravip_api.reasons import Reason

IPV4 = 4
Nics = Mapping[str, Nic]
"""By name, as a node's agent reports them."""


class InterfaceChoice(NamedTuple):
    """The interface that a node uses for a Topology."""

    name: str
    """Empty: none."""
    refusal: Reason | None = None
    """Why it cannot carry addresses now."""


class Candidates(NamedTuple):
    """The interfaces that a Topology's spec admits."""

    names: tuple[str, ...] = ()
    """In order of preference; empty: by subnet."""
    family: int = IPV4
    first: int = 0
    """The block's first address, as a number."""

    @property
    def label(self) -> str:
        """What people call them, e.g. `eth1,ens192` or `by subnet`."""
        return ",".join(self.names) or "by subnet"

    def of(self, nics: Nics) -> tuple[str, ...]:
        """Those that a node has."""
        if self.names:
            return tuple(name for name in self.names if name in nics)
        return tuple(sorted(name for name, nic in nics.items() if self._is_on_subnet(nic)))

    def choose(self, nics: Nics) -> InterfaceChoice:
        """The one that a node uses."""
        present = self.of(nics)
        if not present:
            return InterfaceChoice(self.names[0] if self.names else "", Reason.INTERFACE_MISSING)
        if not self.names and len(present) > 1:
            return InterfaceChoice("", Reason.INTERFACE_AMBIGUOUS)
        linked = [name for name in present if nics[name].up and nics[name].carrier]
        if not linked:
            return InterfaceChoice(present[0], Reason.INTERFACE_DOWN)
        for name in linked:
            if not nic_fault(nics[name], self.family):
                return InterfaceChoice(name)
        return InterfaceChoice(linked[0], Reason.INTERFACE_UNUSABLE)

    def _is_on_subnet(self, nic: Nic) -> bool:
        own: Iterable[str] = (*nic.addresses, *(nic.networks or ()))
        return any(
            family == self.family and first <= self.first <= last
            for family, first, last in map(network_of, own)
        )


NO_CANDIDATES = Candidates()
"""Of a Topology that cannot be used."""


def nic_fault(nic: Nic, family: int) -> str:
    """Why an interface that is up does not answer for addresses of a family; empty: it does."""
    return nic.unusable or (nic.unusable_ipv4 if family == IPV4 else nic.unusable_ipv6) or ""


@lru_cache(maxsize=16384)
def network_of(address: str) -> tuple[int, int, int]:
    """`(family, first, last)` of an address with prefix; family 0 if it cannot be parsed."""
    try:
        network = ip_interface(address).network
    except ValueError:
        return (0, 0, 0)
    return (network.version, int(network.network_address), int(network.broadcast_address))
