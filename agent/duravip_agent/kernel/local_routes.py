"""Local routes that answer ARP for thousands of addresses at once, until the addresses are added.

The kernel walks a list for each address that it adds: 10 240 on one interface take 1.6 s. A local
route takes microseconds, and the kernel answers ARP for it just as for an address. Not for IPv6,
and not where arp_ignore requires an address.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from duravip_agent.core.kernel_state import IfAddress, KernelState
from duravip_agent.core.node_spec import Placement
from duravip_agent.kernel.netlink import Netlink

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
