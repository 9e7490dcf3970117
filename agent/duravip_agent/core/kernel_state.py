"""What the kernel holds at one moment: links, the addresses on them, and neighbours."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple


class IfAddress(NamedTuple):
    """An address on a link."""

    link: int
    """The kernel's number of the interface."""
    address: str
    """In canonical form."""
    mask: int
    is_marked: bool
    """Whether it carries our mark. Nothing without it is ever changed."""


@dataclass(frozen=True, slots=True)
class Link:
    """A network interface."""

    index: int
    name: str
    mac: str = ""
    mtu: int = 0
    is_up: bool = False
    has_carrier: bool = False
    speed_mbps: int | None = None
    kind: str = ""
    """What the kernel calls this sort of interface, e.g. veth; empty for a physical one."""
    is_loopback: bool = False
    is_port: bool = False
    """Whether it belongs to a bridge, a bond or the like, which then carries the addresses."""
    master: str = ""
    """The name of that, if it is known."""
    has_no_arp: bool = False
    hardware: int = 1
    """The ARP hardware type (RFC 826); 1: Ethernet."""
    state: int = 0
    """Its operational state (RFC 2863) as the kernel numbers it; 0: not known."""
    arp_ignore: int = 0
    """The setting that is in force: the higher one of its own and the general one."""
    has_no_ipv6: bool = False
    """Whether IPv6 is switched off there, or in the whole kernel."""


@dataclass(frozen=True, slots=True)
class KernelState:
    """The kernel's links, in its own order, and all addresses."""

    links: tuple[Link, ...] = ()
    aliases: tuple[IfAddress, ...] = ()
    unread: tuple[str, ...] = ()
    """Links and addresses that are left out, since they could not be understood."""

    @property
    def marked(self) -> tuple[IfAddress, ...]:
        """The addresses that are ours."""
        return tuple(alias for alias in self.aliases if alias.is_marked)


class NeighbourEntry(NamedTuple):
    """An entry of the kernel's table of neighbours."""

    link: int
    address: str
    mac: str
    """Empty: not known."""
    state: str

    @property
    def answers(self) -> bool:
        """Whether it has answered lately, as far as the kernel knows."""
        return self.state not in {"FAILED", "INCOMPLETE"}


def addresses_of(aliases: Iterable[IfAddress]) -> frozenset[str]:
    """The addresses alone."""
    return frozenset(alias.address for alias in aliases)
