"""One step: look at the kernel, and make it hold what is granted.

What is not granted goes first, since another node may wait for it; only then is anything added.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from duravip_agent.announcer import Announcer
from duravip_agent.core.grant import Placement
from duravip_agent.core.observed import Alias, Observed, addresses_of
from duravip_agent.core.plan import planned
from duravip_agent.core.retrying import Retries
from duravip_agent.metrics import Metrics
from duravip_agent.netlink import Kernel
from duravip_api.addresses import ranges

log = logging.getLogger(__name__)

CHUNK = 256
"""So many addresses are added and announced before anything newer is looked at."""

SHOWN_RANGES = 8
"""A line of the log names no more."""


class Plumber:
    """Holds the picture of the kernel and changes it. For the loop's thread."""

    def __init__(self, kernel: Kernel, announcer: Announcer, metrics: Metrics) -> None:
        self._kernel, self._announcer, self._metrics = kernel, announcer, metrics
        self._retries = Retries()
        self._expected: frozenset[str] = frozenset()
        """What was there after the last step: what is missing now was removed by others."""
        self.observed = Observed()
        self.failures: dict[str, str] = {}

    def look(self, now: float, *, with_links: bool) -> None:
        """Take a new picture of the kernel."""
        self.observed = self._kernel.observed(with_links=with_links)
        self._announcer.links_changed(self.observed.links, now)

    def step(
        self,
        wanted: Mapping[str, Placement],
        now: float,
        on_release: Callable[[], None],
        must_yield: Callable[[], bool],
    ) -> bool:
        """Delete what is not wanted, add what is missing; False when not all was added yet.

        `on_release` is called between the two when there is something to do after it.
        """
        self._retries.forget(wanted, now)
        plan = planned(wanted, self.observed, self._retries.held_back(now))
        failures = {**plan.failures, **self._delete(plan.delete)}
        added: list[Alias] = []
        is_done = True
        self._announcer.serving(self._served(wanted), now)
        if plan.delete and plan.add:
            self._note(failures)
            on_release()
        for chunk in _chunks(plan.add):
            if must_yield():
                is_done = False
                break
            failures |= self._add(chunk, wanted)
            added += chunk
        self._log_added([alias for alias in added if alias.address not in failures])
        self._note(failures)
        self._expected = addresses_of(self.observed.marked)
        return is_done

    def withdraw(self) -> None:
        """Delete everything of ours."""
        self._expected = frozenset()
        self.observed = self._kernel.observed(with_links=False)
        self._note(self._delete(self.observed.marked))

    def next_due(self, now: float) -> float:
        """When an address may be tried again."""
        due = self._retries.next_due(now)
        return float("inf") if due is None else due

    def _delete(self, aliases: Sequence[Alias]) -> dict[str, str]:
        if not aliases:
            return {}
        refused = self._kernel.delete(aliases)
        gone = set(aliases) - refused.keys()
        left = tuple(alias for alias in self.observed.aliases if alias not in gone)
        self.observed = replace(self.observed, aliases=left)
        self._expected -= addresses_of(gone)
        self._metrics.withdrawn.inc(len(gone))
        self._metrics.refused.inc(len(refused))
        self._log("removed", gone)
        return {alias.address: message for alias, message in refused.items()}

    def _add(self, aliases: Sequence[Alias], wanted: Mapping[str, Placement]) -> dict[str, str]:
        now = time.monotonic()
        self._retries.tried((alias.address for alias in aliases), now)
        refused = self._kernel.add(aliases)
        for alias, message in refused.items():
            self._retries.refused(alias.address, message)
        added = [alias for alias in aliases if alias not in refused]
        self.observed = replace(self.observed, aliases=(*self.observed.aliases, *added))
        self._announcer.plumbed(_by_placement(added, wanted), now)
        self._metrics.plumbed.inc(len(added))
        self._metrics.refused.inc(len(refused))
        return {alias.address: message for alias, message in refused.items()}

    def _served(self, wanted: Mapping[str, Placement]) -> dict[Placement, frozenset[str]]:
        return _by_placement(self.observed.marked, wanted)

    def _note(self, failures: dict[str, str]) -> None:
        """Remember what failed, and log what was not known before."""
        new: dict[str, list[str]] = {}
        for address, message in failures.items():
            if self.failures.get(address) != message:
                new.setdefault(message, []).append(address)
        for message, addresses in new.items():
            log.warning("cannot hold %s as granted: %s", _listed(addresses), message)
        self.failures = failures

    def _log_added(self, added: Sequence[Alias]) -> None:
        again = [alias for alias in added if alias.address in self._expected]
        self._metrics.repaired.inc(len(again))
        self._log("plumbed again what something had removed:", again)
        self._log("plumbed", set(added) - set(again))

    def _log(self, verb: str, aliases: Iterable[Alias]) -> None:
        names = {link.index: link.name for link in self.observed.links}
        by_link: dict[str, list[str]] = {}
        for alias in aliases:
            by_link.setdefault(names.get(alias.link, "?"), []).append(alias.address)
        for name, addresses in sorted(by_link.items()):
            log.info("%s %s on %s", verb, _listed(addresses), name)


def _by_placement(
    aliases: Iterable[Alias], wanted: Mapping[str, Placement]
) -> dict[Placement, frozenset[str]]:
    found: dict[Placement, set[str]] = {}
    for alias in aliases:
        place = wanted.get(alias.address)
        if place is not None:
            found.setdefault(place, set()).add(alias.address)
    return {place: frozenset(addresses) for place, addresses in found.items()}


def _chunks(aliases: Sequence[Alias]) -> Iterable[Sequence[Alias]]:
    return (aliases[start : start + CHUNK] for start in range(0, len(aliases), CHUNK))


def _listed(addresses: Sequence[str]) -> str:
    """Addresses for a line of the log."""
    names = ranges(addresses)
    more = len(names) - SHOWN_RANGES
    return ", ".join(islice(names, SHOWN_RANGES)) + (
        f" and {more} more ranges" if more > 0 else ""
    )
