"""What has to change in the kernel so that it holds what is granted, and nothing else of ours.

P1  An address with our mark that is not granted exactly there is deleted.
P2  An address without our mark is never touched. Where it is granted, that is a failure.
P3  A granted address is added where it is missing, unless its interface is missing or down, or
    the last tries failed and the next one is not due yet.
P4  Where the interface cannot answer for an address (`core/interfaces`) it is not added, and that
    is a failure; one that is there stays there, mute.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from duravip_agent.core.interfaces import NO_FAULT, interface_faults
from duravip_agent.core.kernel_state import IfAddress, KernelState, Link
from duravip_agent.core.node_spec import Placement


@dataclass(frozen=True, slots=True)
class AddressPlan:
    """Deletions, then additions; and what cannot be done, with the reason."""

    delete: tuple[IfAddress, ...] = ()
    add: tuple[IfAddress, ...] = ()
    failures: Mapping[str, str] = field(default_factory=dict)


def make_plan(
    wanted: Mapping[str, Placement], observed: KernelState, held_back: Mapping[str, str]
) -> AddressPlan:
    """Compare what is granted with what the kernel holds.

    `held_back` are the addresses whose next try is not due yet, each with what went wrong.
    """
    links = {link.name: link for link in observed.links}
    present, delete = _keep_or_delete(wanted, observed)
    foreign, faulty = _foreign(observed), interface_faults(observed)
    add: list[IfAddress] = []
    failures: dict[str, str] = {}
    for address, place in wanted.items():
        if faulty and (why := faulty.get(place.interface, NO_FAULT).of(address)):
            failures[address] = f"the interface {place.interface} does not answer for it: {why}"
            continue
        if address in present:
            continue
        link = links.get(place.interface)
        if link is None:
            failures[address] = f"the node has no interface {place.interface}"
        elif problem := _problem(address, link, foreign) or held_back.get(address):
            failures[address] = problem
        else:
            add.append(IfAddress(link.index, address, place.mask, is_marked=True))
    return AddressPlan(delete, tuple(add), failures)


def _keep_or_delete(
    wanted: Mapping[str, Placement], observed: KernelState
) -> tuple[set[str], tuple[IfAddress, ...]]:
    """The addresses that are exactly where they are wanted, and the aliases to be deleted."""
    names = {link.index: link.name for link in observed.links}
    present: set[str] = set()
    delete: list[IfAddress] = []
    for alias in observed.marked:
        place = wanted.get(alias.address)
        if place and place.mask == alias.mask and place.interface == names.get(alias.link):
            present.add(alias.address)
        else:
            delete.append(alias)
    return present, tuple(delete)


def _foreign(observed: KernelState) -> dict[str, str]:
    """`{address without our mark: the interface that has it}`."""
    names = {link.index: link.name for link in observed.links}
    return {
        alias.address: names.get(alias.link, "an interface")
        for alias in observed.aliases
        if not alias.is_marked
    }


def _problem(address: str, link: Link, foreign: Mapping[str, str]) -> str | None:
    """Why it cannot be added now."""
    if address in foreign:
        return (
            f"the address is on {foreign[address]} already, not put there by DuraVIP: left alone"
        )
    if not link.is_up:
        return f"the interface {link.name} is down"
    return None
