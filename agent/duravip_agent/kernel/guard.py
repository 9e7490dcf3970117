"""The guard: what guarded addresses let in, as a part of the fence's table.

`codec/guard_ruleset.py` has the rules; this module keeps their sets. `Fence` loads it whenever it
builds its tables, and changes it in its own transactions. Where the kernel does not take the rules
(`problem`) the fence stands without them, and passes no guarded address: what cannot be guarded is
not served.
"""

import logging
import time
from collections.abc import Iterator, Mapping

from duravip_agent.codec import guard_ruleset
from duravip_agent.codec.guard_ruleset import OpenPort
from duravip_agent.codec.nf_tables import INET, NftRequest
from duravip_agent.kernel.nftables import Nftables, NftError, run_nft
from duravip_api.guards import NO_GUARDS, Guards, Ports

log = logging.getLogger(__name__)

RETRY_AFTER_S = 10.0
"""Pause before a refused guard is tried again."""


class Guard:
    """Which addresses are guarded, and which of their ports are open. For one thread."""

    def __init__(self) -> None:
        self.problem = ""
        """Why nothing can be guarded; empty: it can."""
        self._guards: Guards = NO_GUARDS
        self._ports: Mapping[str, Ports] = {}
        """By guarded address."""
        self._retry_at = 0.0

    @property
    def unguardable(self) -> frozenset[str]:
        """The addresses that should be guarded, and are not."""
        return frozenset(self._ports) if self.problem else frozenset()

    def change(self, guards: Guards) -> list[NftRequest]:
        """Want these from now on; gives back what is to be changed in the kernel for it."""
        if guards is self._guards:
            return []
        before, after = self._ports, {a: p for p, some in guards.items() for a in some}
        self._guards, self._ports = guards, after
        if self.problem:
            return []
        changed = {a for a, ports in after.items() if before.get(a) != ports}
        changed.update(before.keys() - after.keys())
        old = {address: before[address] for address in changed if address in before}
        new = {address: after[address] for address in changed if address in after}
        opened, closed = set(_open_ports(new)), set(_open_ports(old))
        return [
            *guard_ruleset.changes(old.keys() - new.keys(), closed - opened, is_new=False),
            *guard_ruleset.changes(new.keys() - old.keys(), opened - closed, is_new=True),
        ]

    def load(self) -> None:
        """Load the rules into the fence's table, which was built anew; the sets are empty."""
        before = self.problem
        try:
            run_nft(guard_ruleset.guard_chains())
        except NftError as error:
            self.problem, self._retry_at = str(error), time.monotonic() + RETRY_AFTER_S
            if before != self.problem:
                log.warning("addresses with expose: Declared cannot be served: %s", error)
        else:
            self.problem = ""

    def is_due(self) -> bool:
        """Whether a refused guard should be tried again."""
        return bool(self.problem) and time.monotonic() >= self._retry_at

    def elements(self) -> list[NftRequest]:
        """All that belongs into the sets."""
        if self.problem:
            return []
        return list(guard_ruleset.changes(self._ports, _open_ports(self._ports), is_new=True))

    def wanted_keys(self) -> list[tuple[str, bytes]]:
        """`(set, key)` of all elements, one of each set first: an emptied set shows at once."""
        if self.problem:
            return []
        keys = guard_ruleset.guarded_keys(self._ports)
        keys |= guard_ruleset.open_keys(_open_ports(self._ports))
        first = [(name, some[0]) for name, some in keys.items()]
        return first + [(name, key) for name, some in keys.items() for key in some[1:]]


def holds(nft: Nftables, keys: list[tuple[str, bytes]]) -> bool:
    """Whether the kernel's sets have all these elements."""
    by_set: dict[str, list[bytes]] = {}
    for name, key in keys:
        by_set.setdefault(name, []).append(key)
    return all(nft.lookup(INET, name, some) is not None for name, some in by_set.items())


def _open_ports(ports: Mapping[str, Ports]) -> Iterator[OpenPort]:
    return ((address, port) for address, some in ports.items() for port in some)
