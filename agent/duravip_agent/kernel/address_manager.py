"""Adds and deletes the kernel's addresses: what is there, what has to change, what has failed.

The kernel walks a list for each address that it adds: 10 240 on one interface take 1.6 s. A local
route takes microseconds, and the kernel answers ARP for it just as for an address. Not for IPv6,
and not where arp_ignore requires an address. So local routes answer for thousands of addresses at
once, until the addresses are added.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from duravip_agent.core.interfaces import UsableInterfaces, usable_interfaces
from duravip_agent.core.kernel_state import IfAddress, KernelState, addresses_of
from duravip_agent.core.node_spec import Placement
from duravip_agent.core.plan import AddressPlan, RetrySchedule, make_plan, placed_and_misplaced
from duravip_agent.kernel.netlink import Netlink
from duravip_agent.metrics import Metrics
from duravip_api.addresses import to_ranges
from duravip_runtime.text import summarize

log = logging.getLogger(__name__)

MIN_LIST_STEPS = 100_000
"""Fewer steps through the kernel's list, of 30 ns each, are made as quickly without."""

BATCH_SIZE = 512
"""Routes that are added and announced at a time, well within the time that they may take: what is
late is muted again, and with 2048 that befell all of 1707 addresses on a busy machine."""

_HOST_MASK = 32


class LocalRoutes:
    """The routes that stand in for aliases. For the loop's thread."""

    def __init__(self, kernel: Netlink) -> None:
        self._kernel = kernel
        self._routes: dict[str, IfAddress] = {}
        """By address, each with the alias that it stands in for."""

    @property
    def addresses(self) -> frozenset[str]:
        """Those that have one."""
        return frozenset(self._routes)

    def placed(self, observed: KernelState, wanted: Mapping[str, Placement]) -> frozenset[str]:
        """Those that have one on the interface where they are wanted."""
        names = {link.index: link.name for link in observed.links if link.is_up}
        return frozenset(
            address
            for address, alias in self._routes.items()
            if (where := wanted.get(address)) and where.interface == names.get(alias.link)
        )

    def batches(
        self, aliases: Sequence[IfAddress], observed: KernelState
    ) -> Iterator[Sequence[IfAddress]]:
        """Which of these to begin with a route, some at a time."""
        for link in observed.links:
            fit = [
                alias
                for alias in aliases
                if alias.link == link.index
                and alias.mask == _HOST_MASK
                and ":" not in alias.address
            ]
            present = sum(alias.link == link.index for alias in observed.aliases) if fit else 0
            steps = len(fit) * (present + len(fit) // 2)
            if steps > MIN_LIST_STEPS and self._kernel.answers_arp_for_routes(link.name):
                yield from (
                    fit[start : start + BATCH_SIZE] for start in range(0, len(fit), BATCH_SIZE)
                )

    def add(self, aliases: Sequence[IfAddress]) -> frozenset[str]:
        """Let these be answered for; gives back the addresses that are."""
        refused = self._kernel.add_routes(aliases)
        self._routes |= {alias.address: alias for alias in aliases if alias not in refused}
        return frozenset(alias.address for alias in aliases if alias not in refused)

    def remove(self, addresses: Collection[str]) -> None:
        """Remove those of these, if they have any."""
        gone = [self._routes.pop(a) for a in self._routes.keys() & set(addresses)]
        if gone:
            self._kernel.delete_routes(gone)


Item = TypeVar("Item")

CHUNK_SIZE = 256
"""Addresses that are changed before the loop looks for newer events."""

SHOWN_RANGES = 8
"""A line of the log names no more."""


class AddressManager:
    """Holds the picture of the kernel and changes it. For the loop's thread."""

    def __init__(
        self,
        kernel: Netlink,
        metrics: Metrics,
        before_delete: Callable[[frozenset[str], frozenset[str]], None] = lambda *_: None,
    ) -> None:
        """`before_delete` is called with addresses and the names of the interfaces they are on."""
        self._kernel, self._metrics, self._before_delete = kernel, metrics, before_delete
        self._retries = RetrySchedule()
        self.local_routes = LocalRoutes(kernel)
        self._expected: frozenset[str] = frozenset()
        """What was there after the last step: what is missing now was removed by others."""
        self._ours: frozenset[IfAddress] = frozenset()
        """What of ours was there after the last step, with its place."""
        self._placed: tuple[KernelState, Mapping[str, Placement], frozenset[str]] | None = None
        self._interfaces: tuple[KernelState, Mapping[str, str], UsableInterfaces] | None = None
        self._marked: tuple[KernelState, frozenset[str]] | None = None
        self._step_failures: dict[str, str] = {}
        """What has failed in this step so far."""
        self._behind: list[IfAddress] = []
        """Addresses of this step that took the place of routes, which the log names already."""
        self._gone: list[IfAddress] = []
        self._ordered: Mapping[str, Placement] | None = None
        self._ranks: Mapping[str, int] = {}
        """Which address comes after which, as the specs have it, or had it."""
        self.observed = KernelState()
        self.failures: dict[str, str] = {}

    def read_kernel(self, *, with_links: bool) -> None:
        """Take a new picture of the kernel.

        What was ours a moment ago, and is there without our mark, is ours still: somebody has
        put it there once more, as `ip address replace` does.
        """
        state = self._kernel.read_state(with_links=with_links)
        robbed = [a for a in state.aliases if not a.is_marked and _marked(a) in self._ours]
        self.observed = self._restore_marks(state, robbed) if robbed else state

    def _restore_marks(self, state: KernelState, robbed: Collection[IfAddress]) -> KernelState:
        """Mark these again, at most as often as what others delete is added again."""
        now = time.monotonic()
        held_back = self._retries.held_back(now)
        due = [_marked(alias) for alias in robbed if alias.address not in held_back]
        self._retries.tried((alias.address for alias in due), now)
        refused = self._kernel.restore_mark(due) if due else set()
        if refused:
            self._kernel.delete(list(refused))  # and added again, as it should be
        self._metrics.repaired.inc(len(due))
        self._log("marked again what something had put in its place:", due)
        aliases = (_marked(alias) if alias in robbed else alias for alias in state.aliases)
        return replace(state, aliases=tuple(alias for alias in aliases if alias not in refused))

    def interfaces(self, unguarded: Mapping[str, str]) -> UsableInterfaces:
        """What the interfaces are good for."""
        cached = self._interfaces
        if cached is None or cached[0] is not self.observed or cached[1] != unguarded:
            cached = (self.observed, dict(unguarded), usable_interfaces(self.observed, unguarded))
            self._interfaces = cached
        return cached[2]

    def settings_changed(self) -> bool:
        """Whether an interface is set otherwise than at the last look with links."""
        return self._kernel.settings_changed()

    def placed(self, wanted: Mapping[str, Placement]) -> frozenset[str]:
        """The addresses that the kernel has exactly where they are wanted."""
        cached = self._placed
        if cached is None or cached[0] is not self.observed or cached[1] is not wanted:
            addresses = frozenset(placed_and_misplaced(wanted, self.observed)[0])
            cached = self._placed = (self.observed, wanted, addresses)
        gaps = self.local_routes.placed(self.observed, wanted)
        return cached[2] | gaps if gaps else cached[2]

    def has_ungranted(self, wanted: Mapping[str, Placement]) -> bool:
        """Whether something has to be deleted: only what was just read from the kernel may be."""
        return not self.present <= self.placed(wanted)

    @property
    def present(self) -> frozenset[str]:
        """All that the node would answer for."""
        if self._marked is None or self._marked[0] is not self.observed:
            self._marked = (self.observed, addresses_of(self.observed.marked))
        return self._marked[1] | self.local_routes.addresses

    def plan(self, wanted: Mapping[str, Placement], now: float) -> AddressPlan:
        """Begin a step: what has to be done."""
        self._retries.forget(wanted, now)
        if wanted is not self._ordered:
            self._ordered, self._ranks = wanted, order_of(wanted, self._ranks, self.present)
        plan = make_plan(wanted, self.observed, self._retries.held_back(now))
        plan = replace(plan, delete=self._last_first(plan.delete))
        self._step_failures, self._behind, self._gone = dict(plan.failures), [], []
        return plan

    def _last_first(self, aliases: Iterable[IfAddress]) -> tuple[IfAddress, ...]:
        """What follows another address was added after it, and goes before it."""
        return tuple(sorted(aliases, key=lambda a: self._ranks.get(a.address, -1), reverse=True))

    def delete(self, aliases: Sequence[IfAddress]) -> frozenset[str]:
        """Delete; gives back the addresses that are gone."""
        if not aliases:
            return frozenset()
        names = {link.index: link.name for link in self.observed.links}
        cards = frozenset(names[alias.link] for alias in aliases if alias.link in names)
        self._before_delete(addresses_of(aliases), cards)
        refused = self._kernel.delete(aliases)
        gone = set(aliases) - refused.keys()
        left = tuple(alias for alias in self.observed.aliases if alias not in gone)
        self.observed = replace(self.observed, aliases=left)
        self._expected -= addresses_of(gone)
        self._metrics.withdrawn.inc(len(gone))
        self._refused(refused)
        self._gone += gone
        return addresses_of(gone) - addresses_of(self.observed.marked)

    def add(self, aliases: Sequence[IfAddress]) -> frozenset[str]:
        """Add; gives back the addresses that are there now."""
        self._retries.tried((alias.address for alias in aliases), time.monotonic())
        refused = self._kernel.add(aliases)
        for alias, message in refused.items():
            self._retries.refused(alias.address, message)
        added = [alias for alias in aliases if alias not in refused]
        self.observed = replace(self.observed, aliases=(*self.observed.aliases, *added))
        self._metrics.plumbed.inc(len(added))
        self._refused(refused)
        behind = [alias for alias in added if alias.address in self.local_routes.addresses]
        self._behind += behind
        self._log_added(set(added) - set(behind))
        self.local_routes.remove(addresses_of(behind))
        return addresses_of(added)

    def add_as_routes(self, aliases: Sequence[IfAddress]) -> frozenset[str]:
        """Let routes answer until these are there; gives back the addresses that are answered."""
        answered = self.local_routes.add(aliases)
        self._log_added({alias for alias in aliases if alias.address in answered})
        return answered

    def finish_step(self) -> None:
        """End a step: note, and log, what was done and what failed."""
        self._log("removed", self._gone)
        self._log("plumbed behind their routes:", self._behind)
        self._set_failures(self._step_failures)
        self._expected = addresses_of(self.observed.marked)
        self._ours = frozenset(self.observed.marked)

    def remove_all(self, between: Callable[[], None] = lambda: None) -> None:
        """Delete everything of ours, and forget what was refused before.

        `between` is called again and again meanwhile.
        """
        self._expected, self._step_failures, self._gone = frozenset(), {}, []
        self._retries = RetrySchedule()
        self.local_routes.remove(self.local_routes.addresses)
        self.read_kernel(with_links=False)
        for chunk in chunks(self.observed.marked):
            between()
            self.delete(chunk)
        self._log("removed", self._gone)
        self._set_failures(self._step_failures)

    def next_due(self, now: float) -> float:
        """When an address may be tried again."""
        due = self._retries.next_due(now)
        return float("inf") if due is None else due

    def _log_added(self, added: Collection[IfAddress]) -> None:
        """At once: clients wait for it, and a log tells where their time went."""
        again = [alias for alias in added if alias.address in self._expected]
        self._metrics.repaired.inc(len(again))
        self._log("plumbed again what something had removed:", again)
        self._log("plumbed", set(added) - set(again))

    def _refused(self, refused: Mapping[IfAddress, str]) -> None:
        self._metrics.refused.inc(len(refused))
        self._step_failures |= {alias.address: message for alias, message in refused.items()}

    def _set_failures(self, failures: dict[str, str]) -> None:
        """Remember what failed, and log what was not known before."""
        new: dict[str, list[str]] = {}
        for address, message in failures.items():
            if self.failures.get(address) != message:
                new.setdefault(message, []).append(address)
        for message, addresses in new.items():
            log.warning("cannot hold %s as granted: %s", format_addresses(addresses), message)
        self.failures = failures

    def _log(self, verb: str, aliases: Iterable[IfAddress]) -> None:
        names = {link.index: link.name for link in self.observed.links}
        by_link: dict[str, list[str]] = {}
        for alias in aliases:
            by_link.setdefault(names.get(alias.link, "?"), []).append(alias.address)
        for name, addresses in sorted(by_link.items()):
            log.info("%s %s on %s", verb, format_addresses(addresses), name)


def order_of(
    wanted: Iterable[str], before: Mapping[str, int], present: frozenset[str]
) -> dict[str, int]:
    """The order of what is wanted; what is still there and was wanted before keeps its place."""
    kept = {address: before[address] for address in before.keys() & present}
    return kept | {address: rank for rank, address in enumerate(wanted)}


def chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """The items in chunks that everything else need not wait long for."""
    return (items[start : start + CHUNK_SIZE] for start in range(0, len(items), CHUNK_SIZE))


def format_addresses(addresses: Iterable[str]) -> str:
    """Addresses for a line of the log."""
    return summarize(to_ranges(addresses), SHOWN_RANGES, "ranges")


def _marked(alias: IfAddress) -> IfAddress:
    return alias._replace(is_marked=True)
