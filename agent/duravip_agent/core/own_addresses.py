"""The node's own addresses in the status: complete, or with a note that they are not.

For each interface some addresses are listed for people, one of each network first. The rest is
reported as ranges; thousands in a row fill one. Where even those are too many the status counts
the omitted ones, so that nobody concludes from absence.
"""

from collections.abc import Iterable
from ipaddress import ip_interface
from typing import NamedTuple

from duravip_agent.core.kernel_state import Link
from duravip_api.addresses import Range, compact_ranges, from_int, to_int, to_ranges
from duravip_api.nodeplumbing import MOST_LISTED, MOST_OWN_ITEMS, MOST_OWN_SPANS

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
