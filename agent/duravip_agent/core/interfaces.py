"""The network interfaces that lead to a segment, and what keeps one from answering there.

An interface can serve an address when the kernel answers on it whoever asks for the address. It is
not enough that it is up and has a carrier:

C1  A port of a bridge, a bond, a team or a switch in software hands all that it hears to that; so
    does an interface below a macvlan in passthru mode. A VRF leaves its ports as they are.
C2  An interface without ARP (NOARP), one that is no Ethernet interface, or one that is not ready
    (dormant, under test), answers nobody. Tunnels and point-to-point links are of these: there is
    no segment that could be probed, and no neighbour to announce an address to.
C3  arp_ignore 8 answers for no address. 3 leaves out addresses of scope host, and such are ours
    where the node has no IPv4 address of its own (`rtnetlink.AddressChange`). 2 answers only hosts
    in the network of an address that is on the interface. 1 is fine: ours are on the interface.

C4  An interface has no IPv6 where that is switched off (disable_ipv6) or its MTU is too small.

C3 is about IPv4 alone, C4 about IPv6.
"""

from collections.abc import Iterable, Mapping
from ipaddress import ip_interface
from types import MappingProxyType
from typing import NamedTuple

from duravip_agent.core.kernel_state import KernelState, Link
from duravip_api.addresses import parse_address

IGNORES_OTHER_NETWORKS, IGNORES_HIDDEN, IGNORES_ALL = 2, 3, 8
"""Values of arp_ignore."""

LEAST_IPV6_MTU = 1280
"""RFC 8200, section 5: with less the kernel has no IPv6 on a link."""

_NOT_READY = {1: "not present", 4: "under test", 5: "dormant"}
"""Of the kernel's operational states those in which an interface with a carrier answers nobody."""

ETHERNET = 1
"""ARPHRD_ETHER"""


class InterfaceFault(NamedTuple):
    """What keeps an interface that is up from answering for some addresses; empty: nothing."""

    everywhere: str = ""
    """For all of them."""
    ipv4: str = ""
    """For all of IPv4."""
    ipv6: str = ""
    """For all of IPv6."""
    foreign: str = ""
    """For those of IPv4 that are in none of `networks`."""
    networks: tuple[str, ...] = ()

    def of(self, address: str) -> str:
        """What keeps it from answering for this one."""
        if self.everywhere or ":" in address:
            return self.everywhere or self.ipv6
        if self.foreign and not _is_in(address, self.networks):
            return self.foreign
        return self.ipv4


NO_FAULT = InterfaceFault()


def relevant_interfaces(observed: KernelState, wanted: Iterable[str] = ()) -> list[Link]:
    """The links that can matter: those of these names, and all that may lead to a segment.

    Left out are loopback, and, where they have no address of their own but single-host ones, ports
    of bridges and bonds and veth devices: the ends of pods' cables, which come and go with them.
    """
    named, own = set(wanted), own_addresses_by_link(observed)
    return [
        link
        for link in observed.links
        if link.name in named or _matters(link, own.get(link.index, []))
    ]


def own_addresses_by_link(observed: KernelState) -> dict[int, list[str]]:
    """The node's own addresses with their prefixes, by link, without link-local ones."""
    own: dict[int, list[str]] = {}
    for alias in observed.aliases:
        if not alias.is_marked and not parse_address(alias.address).is_link_local:
            own.setdefault(alias.link, []).append(f"{alias.address}/{alias.mask}")
    return own


def interface_faults(
    observed: KernelState, unguarded: Mapping[str, str] = MappingProxyType({})
) -> dict[str, InterfaceFault]:
    """The interfaces that something keeps from answering, by name."""
    own = own_addresses_by_link(observed)
    by_name = ((link.name, _fault(link, own.get(link.index, []))) for link in observed.links)
    return {name: fault for name, fault in by_name if fault != NO_FAULT} | {
        name: InterfaceFault(f"the fence cannot guard it: {why}")
        for name, why in unguarded.items()
    }


class UsableInterfaces(NamedTuple):
    """The interfaces as they are of use."""

    audible: frozenset[str] = frozenset()
    """Those on which at least some addresses can be answered for."""
    faulty: Mapping[str, InterfaceFault] = MappingProxyType({})


def usable_interfaces(observed: KernelState, unguarded: Mapping[str, str]) -> UsableInterfaces:
    """What the interfaces are good for."""
    faulty = interface_faults(observed, unguarded)
    mute = {name for name, fault in faulty.items() if fault.everywhere}
    up = {link.name for link in observed.links if link.is_up and link.has_carrier}
    return UsableInterfaces(frozenset(up - mute), faulty)


def _fault(link: Link, own: Iterable[str]) -> InterfaceFault:
    if link.is_port:
        return InterfaceFault(
            f"it is a port of {link.master or 'another one'}, which takes what it hears"
        )
    if link.has_no_arp:
        return InterfaceFault("it does without ARP (NOARP)")
    if link.hardware != ETHERNET:
        return InterfaceFault("it is no Ethernet card, so there is no segment that could be asked")
    if state := _NOT_READY.get(link.state):
        return InterfaceFault(f"it is {state}")
    ipv4 = _fault_of_ipv4(link.arp_ignore, tuple(a for a in own if ":" not in a))
    return ipv4._replace(ipv6=_fault_of_ipv6(link))


def _fault_of_ipv6(link: Link) -> str:
    if link.has_no_ipv6:
        return "IPv6 is switched off there (disable_ipv6)"
    is_small = 0 < link.mtu < LEAST_IPV6_MTU
    return f"its MTU of {link.mtu} is too small for IPv6" if is_small else ""


def _fault_of_ipv4(arp_ignore: int, networks: tuple[str, ...]) -> InterfaceFault:
    if arp_ignore == IGNORES_ALL:
        return InterfaceFault(ipv4="arp_ignore is 8: it answers for no address")
    if arp_ignore == IGNORES_OTHER_NETWORKS:
        return InterfaceFault(foreign=_FOREIGN, networks=networks)
    if arp_ignore == IGNORES_HIDDEN and not networks:
        return InterfaceFault(
            ipv4="arp_ignore is 3, and the node has no IPv4 address of its own there"
        )
    return NO_FAULT


def _is_in(address: str, networks: Iterable[str]) -> bool:
    return any(parse_address(address) in ip_interface(network).network for network in networks)


_FOREIGN = "arp_ignore is 2, and the node has no address of its own there in the same network"


def _matters(link: Link, addresses: list[str]) -> bool:
    has_network = any(not _is_single_host(address) for address in addresses)
    if link.is_loopback or link.is_port:
        return link.is_port and has_network
    return link.kind != "veth" or has_network


def _is_single_host(address: str) -> bool:
    host, _, mask = address.partition("/")
    return int(mask) == parse_address(host).max_prefixlen
