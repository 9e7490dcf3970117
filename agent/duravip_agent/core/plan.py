"""What has to change in the kernel so that it holds what is granted, and nothing else of ours.

P1  An address with our mark that is not granted exactly there is deleted.
P2  An address without our mark is never touched. Where it is granted, that is a failure.
P3  A granted address is added where it is missing, unless its interface is missing or down, or
    the last tries failed and the next one is not due yet.
P4  Where the interface cannot answer for an address (`core/interfaces`) it is not added, and that
    is a failure; one that is there stays there, mute.

A try is anything that adds the address, be it refused by the kernel or undone by another program.
A program that deletes an address time and again gets a few immediate repairs and then ever slower
ones, not a race. An address that has stayed for `LASTING_S` starts anew.
"""

from collections.abc import Iterable, Mapping
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
    present, delete = placed_and_misplaced(wanted, observed)
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


def placed_and_misplaced(
    wanted: Mapping[str, Placement], observed: KernelState
) -> tuple[set[str], tuple[IfAddress, ...]]:
    """The addresses of ours that are exactly where they are wanted; and all other aliases."""
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


PROMPT_TRIES = 3
"""Tries that follow one another without a pause."""

FIRST_PAUSE_S = 0.1
MAX_PAUSE_S = 30.0
LASTING_S = 10.0

UNDONE = "the address does not stay: something on the node removes it"


@dataclass(slots=True)
class _Tries:
    tries: int
    last: float
    message: str

    @property
    def due(self) -> float:
        if self.tries < PROMPT_TRIES:
            return self.last
        pause = FIRST_PAUSE_S * 2.0 ** min(self.tries - PROMPT_TRIES, 20)
        return self.last + min(pause, MAX_PAUSE_S)


class RetrySchedule:
    """What was tried lately, by address. All times are on one clock of the caller's choice."""

    def __init__(self) -> None:
        self._records: dict[str, _Tries] = {}

    def tried(self, addresses: Iterable[str], now: float) -> None:
        """Each of these has just been added, or refused."""
        for address in addresses:
            record = self._records.get(address)
            if record is None or now - max(record.due, record.last) > LASTING_S:
                self._records[address] = _Tries(1, now, UNDONE)
            else:
                record.tries, record.last, record.message = record.tries + 1, now, UNDONE

    def refused(self, address: str, message: str) -> None:
        """Its last try was refused, with this message: the next one always takes a pause."""
        record = self._records[address]
        record.tries, record.message = max(record.tries, PROMPT_TRIES), message

    def held_back(self, now: float) -> dict[str, str]:
        """Those whose next try is not due yet, each with what went wrong."""
        return {a: record.message for a, record in self._records.items() if record.due > now}

    def next_due(self, now: float) -> float | None:
        """When the next of the addresses that wait may be tried."""
        return min((r.due for r in self._records.values() if r.due > now), default=None)

    def forget(self, keep: Iterable[str], now: float) -> None:
        """Drop whatever is not among `keep`, and what has lasted."""
        wanted = set(keep)
        self._records = {
            address: record
            for address, record in self._records.items()
            if address in wanted and now - record.due <= LASTING_S
        }
