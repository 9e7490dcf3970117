"""The status of the node's NodePlumbing.

`observedGeneration` is the operator's proof that what this node no longer serves may be granted to
another one: it names the generation that was acted on, and is null before that.

The node's own addresses are reported completely, or with a note that they are not. For each
interface some are listed for people, one of each network first. The rest is reported as ranges;
thousands in a row fill one. Where even those are too many the status counts the omitted ones, so
that nobody concludes from absence.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from ipaddress import ip_interface
from types import MappingProxyType
from typing import Any, NamedTuple

from duravip_agent.core.address_conflicts import Conflict
from duravip_agent.core.interfaces import (
    NO_FAULT,
    InterfaceFault,
    interface_faults,
    own_addresses_by_link,
    relevant_interfaces,
)
from duravip_agent.core.kernel_state import KernelState, Link
from duravip_api.addresses import Range, compact_ranges, from_int, parse_address, to_int, to_ranges
from duravip_api.conditions import Condition
from duravip_api.nodeplumbing import (
    MOST_LISTED,
    MOST_OWN_ITEMS,
    MOST_OWN_SPANS,
    Agent,
    Contested,
    Failure,
    Neighbour,
    Nic,
    NodePlumbingStatus,
    RequestsDone,
)
from duravip_api.reasons import Reason

MAX_FAILURES, MAX_NICS = 256, 256
MAX_NAMED = 5
"""Addresses that a condition's message names."""
MAX_MESSAGE_LENGTH = 1024
_TRUE = {Reason.AGENT_READY, Reason.ADDRESS_IN_USE, Reason.SPEC_STALE, Reason.NAME_SHARED}


@dataclass(frozen=True, slots=True)
class ConditionState:
    """A condition: Ready, or what is wrong beside it."""

    reason: Reason
    since: str
    """When its status last changed; a date and time as the API writes it."""
    message: str = ""
    kind: str = "Ready"

    @property
    def status(self) -> str:
        """True, or False."""
        return "True" if self.reason in _TRUE else "False"

    def changed_to(self, reason: Reason, now: str, message: str = "") -> "ConditionState":
        """The condition with this reason from now on."""
        then = ConditionState(reason, now, message, self.kind)
        return then if then.status != self.status else replace(then, since=self.since)

    def as_condition(self, generation: int | None) -> Condition:
        """As the API has it."""
        return Condition.model_validate(
            {
                "type": self.kind,
                "status": self.status,
                "reason": self.reason,
                "message": (self.message or self.reason.sentence)[:MAX_MESSAGE_LENGTH],
                "last_transition_time": self.since,
                "observed_generation": generation,
            }
        )


@dataclass(frozen=True, slots=True)
class StatusReport:
    """Everything that the status is made from."""

    version: str
    boot: str
    readiness: ConditionState
    public_key: str = ""
    """By which the operator knows the datagrams of this boot."""
    observed: KernelState = field(default_factory=KernelState)
    generation: int | None = None
    """The generation acted on; None = none yet."""
    epoch: int | None = None
    """The highest one seen; None = not known: what the status says of it stays."""
    failures: Mapping[str, str] = field(default_factory=dict)
    failing_since: Mapping[str, str] = field(default_factory=dict)
    """The time of each of them, as the API writes it."""
    next_hops: Sequence[str] = ()
    """Of the node's routes."""
    listening: Sequence[str] = ()
    """Who listens on the ports that the spec names."""
    passing: Sequence[str] = ()
    """Those of the checks that the spec names that pass."""
    granted_on: frozenset[str] = frozenset()
    """The interfaces that something is, or was, granted on."""
    served: frozenset[str] = frozenset()
    """What may be heard."""
    contested: Mapping[str, str] = field(default_factory=dict)
    """Granted addresses that another host answers for, and its MAC: they are not taken."""
    claimed: Mapping[str, str] = field(default_factory=dict)
    """Addresses that another host has although they are served here, and its MAC."""
    unguarded: Mapping[str, str] = field(default_factory=dict)
    """Interfaces that the fence cannot guard, each with the reason."""
    strict: tuple[str, ...] = ()
    """The interfaces that are muted when contact is lost."""
    notes: tuple[ConditionState, ...] = ()
    """Conditions beside Ready."""
    done: Mapping[str, str] = field(default_factory=dict)
    """Of each kind of request the time of the last one that was done."""
    neighbours: Sequence[Neighbour] = ()
    """For a while after the command that lists them."""


def build_status(report: StatusReport) -> dict[str, Any]:
    """The status as a merge patch: every field but an unknown epoch is in it."""
    ready = report.readiness
    served = sorted(report.served, key=to_int)
    shown = nics(report.observed, report.granted_on, report.unguarded)
    listed = (a.partition("/")[0] for nic in shown for a in nic.addresses)
    left = unlisted_ranges(own_addresses(report.observed, report.granted_on), listed)
    matter = relevant_interfaces(report.observed, report.granted_on)
    status = NodePlumbingStatus(
        observed_generation=report.generation,
        epoch=report.epoch,
        agent=Agent(version=report.version, boot=report.boot, public_key=report.public_key),
        served=served,
        served_count=len(served),
        contested=_contested(report),
        strict=list(report.strict),
        failures=_failures(report.failures, report.failing_since),
        listening=list(report.listening),
        passing=list(report.passing),
        failures_omitted=max(0, len(report.failures) - MAX_FAILURES),
        nics=shown,
        nics_omitted=len(matter) - len(shown),
        own=left.ranges,
        own_omitted=left.omitted,
        next_hops=list(report.next_hops),
        nic_names=",".join(nic.name for nic in shown if nic.up),
        neighbours=list(report.neighbours),
        requests=RequestsDone(**report.done) if report.done else None,
        conditions=[note.as_condition(report.generation) for note in (ready, *report.notes)],
    )
    patch = status.model_dump(by_alias=True, exclude_none=True)
    return patch if report.generation is not None else {**patch, "observedGeneration": None}


def conflict_message(conflicts: Mapping[str, Conflict]) -> str:
    """What the condition says of addresses of ours that others claim; empty: there are none."""
    in_order = sorted(conflicts, key=to_int)
    named = [
        f"{address} is claimed by {conflicts[address].mac} on {conflicts[address].interface}"
        for address in in_order[:MAX_NAMED]
    ]
    more = len(in_order) - MAX_NAMED
    return "; ".join([*named, *([f"and {more} more"] if more > 0 else [])])


def _contested(report: StatusReport) -> list[Contested]:
    """Those first that are not served because of it."""
    kept_out = [
        Contested(address=a, mac=mac, message=f"{mac} answers for the address: it is not taken")
        for a, mac in sorted(report.contested.items())
    ]
    shared = [
        Contested(address=a, mac=mac, message=f"{mac} has the address, which is served here")
        for a, mac in sorted(report.claimed.items())
        if a not in report.contested
    ]
    return [*kept_out, *shared][:MAX_FAILURES]


def _failures(
    messages: Mapping[str, str], since: Mapping[str, str] = MappingProxyType({})
) -> list[Failure]:
    return [
        Failure(address=address, message=message[:MAX_MESSAGE_LENGTH], since=since.get(address))
        for address, message in sorted(messages.items())[:MAX_FAILURES]
    ]


def nics(
    observed: KernelState,
    granted_on: Iterable[str] = (),
    unguarded: Mapping[str, str] = MappingProxyType({}),
) -> list[Nic]:
    """The interfaces that can matter to an operator; one that cannot be written down is left out.

    Of too many, those on which something is granted and those with addresses are shown.
    """
    own, wanted = own_addresses_by_link(observed), set(granted_on)
    faulty = interface_faults(observed, unguarded)
    relevant = relevant_interfaces(observed, wanted)
    by_weight = sorted(relevant, key=lambda li: (li.name not in wanted, li.index not in own))
    shown = set(by_weight[:MAX_NICS])
    reported: list[Nic] = []
    for link in relevant:
        if link in shown:
            with suppress(ValueError):
                fault = faulty.get(link.name, NO_FAULT)
                reported.append(_nic(link, own.get(link.index, []), fault))
    return reported


def unreadable_message(observed: KernelState, granted_on: Iterable[str] = ()) -> str:
    """What of the kernel's links and addresses is left out, in a sentence; empty: nothing."""
    strange = [
        f"the interface {link.name!a}, whose name is no text"
        for link in relevant_interfaces(observed, granted_on)
        if not _is_text(link.name)
    ]
    return "; ".join([*strange, *observed.unread])


def _is_text(name: str) -> bool:
    """Whether a name can be written down: the kernel takes any bytes for one."""
    return name.isprintable() or name == name.encode(errors="ignore").decode()


def own_addresses(observed: KernelState, granted_on: Iterable[str] = ()) -> Iterable[str]:
    """The node's own addresses, but single-host ones of pods' cables."""
    links = {link.index: link for link in observed.links if holds_own_addresses(link)}
    shown = {link.index for link in relevant_interfaces(observed, granted_on)}
    for alias in observed.aliases:
        link = links.get(alias.link)
        if link is None or alias.is_marked or parse_address(alias.address).is_link_local:
            continue
        is_single = alias.mask == parse_address(alias.address).max_prefixlen
        if link.index in shown or link.kind != "veth" or not is_single:
            yield alias.address


def _nic(link: Link, addresses: list[str], fault: InterfaceFault) -> Nic:
    listed = list_addresses(addresses if holds_own_addresses(link) else ())
    return Nic(
        name=link.name,
        index=link.index,
        mac=link.mac,
        mtu=link.mtu,
        up=link.is_up,
        carrier=link.has_carrier,
        speed_mbps=link.speed_mbps,
        addresses=listed.addresses,
        addresses_omitted=listed.omitted,
        networks=listed.networks,
        unusable=fault.everywhere or None,
        unusable_ipv4=fault.ipv4 or None,
        unusable_ipv6=fault.ipv6 or None,
    )


_VIRTUAL = frozenset({"kube-ipvs0", "kube-lb0", "nodelocaldns"})
"""Where proxies and caches of the cluster keep addresses of Services, on every node the same."""


class AddressList(NamedTuple):
    """The addresses of one interface as the status lists them."""

    addresses: list[str]
    omitted: int | None = None
    networks: list[str] | None = None


class UnlistedRanges(NamedTuple):
    """The addresses that are listed with no interface."""

    ranges: list[str]
    omitted: int = 0


def holds_own_addresses(link: Link) -> bool:
    """Whether the addresses on a link are the node's own.

    A dummy that is down, or never asks nor answers by ARP, is where proxies and caches of the
    cluster keep addresses that are everybody's.
    """
    is_dummy = link.kind == "dummy" or link.name.startswith("dummy")
    is_silent = is_dummy and (link.has_no_arp or not link.is_up)
    return not (link.is_loopback or is_silent or link.name in _VIRTUAL)


def list_addresses(addresses: Iterable[str]) -> AddressList:
    """What to list of the addresses, with their prefix, of one interface."""
    in_order = sorted(addresses, key=_sorted_by)
    if len(in_order) < MOST_LISTED:
        return AddressList(in_order)
    first: dict[str, str] = {}
    for address in in_order:
        network = ip_interface(address).network
        if network.prefixlen < network.max_prefixlen:  # a single address is nobody's subnet
            first.setdefault(str(network), address)
    heads = set(first.values())
    chosen = [*first.values(), *(a for a in in_order if a not in heads)][:MOST_LISTED]
    omitted = len(in_order) - len(chosen)
    networks = list(first) if len(first) <= MOST_LISTED else None
    return AddressList(sorted(chosen, key=_sorted_by), omitted, networks)


def unlisted_ranges(own: Iterable[str], listed: Iterable[str]) -> UnlistedRanges:
    """What to say of the own addresses that no interface lists; both without prefix."""
    unlisted = to_ranges(set(own) - set(listed))
    reported = unlisted[:MOST_OWN_SPANS]
    ranges = compact_ranges(_all_of(reported))
    if len(ranges) > MOST_OWN_ITEMS:  # far apart from one another: a span each is short enough
        reported = reported[:MOST_OWN_ITEMS]
        ranges = list(map(str, reported))
    return UnlistedRanges(ranges, sum(map(_size, unlisted)) - sum(map(_size, reported)))


def _all_of(ranges: Iterable[Range]) -> Iterable[str]:
    return (from_int(f, number) for f, first, last in ranges for number in range(first, last + 1))


def _size(span: Range) -> int:
    return span.last - span.first + 1


def _sorted_by(address: str) -> tuple[tuple[int, int], str]:
    return to_int(address.partition("/")[0]), address
