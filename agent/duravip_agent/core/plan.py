"""What has to change in the kernel so that it holds what is granted, and nothing else of ours.

P1  An address with our mark that is not granted exactly there is deleted.
P2  An address without our mark is never touched. Where it is granted, that is a failure.
P3  A granted address is added where it is missing, unless its interface is missing or down, or
    the last tries failed and the next one is not due yet.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from duravip_agent.core.grant import Placement
from duravip_agent.core.observed import Alias, Link, Observed


@dataclass(frozen=True, slots=True)
class Plan:
    """Deletions, then additions; and what cannot be done, with the reason."""

    delete: tuple[Alias, ...] = ()
    add: tuple[Alias, ...] = ()
    failures: Mapping[str, str] = field(default_factory=dict)


def planned(
    wanted: Mapping[str, Placement], observed: Observed, held_back: Mapping[str, str]
) -> Plan:
    """Compare what is granted with what the kernel holds.

    `held_back` are the addresses whose next try is not due yet, each with what went wrong.
    """
    links = {link.name: link for link in observed.links}
    targets: dict[str, Alias] = {}
    failures: dict[str, str] = {}
    for address, place in wanted.items():
        link = links.get(place.interface)
        if link is None:
            failures[address] = f"the node has no interface {place.interface}"
        else:
            targets[address] = Alias(link.index, address, place.mask, is_marked=True)
    present = set(observed.marked)
    delete = tuple(alias for alias in observed.marked if targets.get(alias.address) != alias)
    foreign = _foreign(observed)
    add: list[Alias] = []
    for address, target in targets.items():
        if target in present:
            continue
        name = wanted[address].interface
        problem = _problem(address, links[name], foreign) or held_back.get(address)
        if problem:
            failures[address] = problem
        else:
            add.append(target)
    return Plan(delete, tuple(add), failures)


def _foreign(observed: Observed) -> dict[str, str]:
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
