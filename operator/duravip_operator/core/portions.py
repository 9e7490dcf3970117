"""What serves clients moves in portions.

Nobody answers for an address while it is handed over, and the more of them are on their way
together the longer that takes: what 300 do in less than 0.1 s took 3400 more than half a second.
So only so many at a time are taken out of the spec of a node that serves them. The next portion
goes as soon as the node has let go of the last one, by the same pass that grants that to its new
owners. What no client reaches, because the node or its link is down, goes at once.

It is no matter of safety: what is not taken out yet nobody else is granted (O1).
"""

from collections.abc import Mapping

from duravip_api.addresses import joined, numbered
from duravip_operator.core.conflicts import Unit
from duravip_operator.core.snapshot import Placement, Plumbing

NOTHING: frozenset[str] = frozenset()


def held_over(
    plumbing: Plumbing, leaving: frozenset[str], room: int, units: Mapping[str, Unit]
) -> frozenset[str]:
    """Those of the `leaving` addresses that stay on the node until the next portion.

    `room` is how many may be taken out of its spec now.
    """
    if len(leaving) <= room:
        return NOTHING
    reached = [a for where, a in plumbing.grants.items() if _has_link(plumbing, where)]
    served = leaving & plumbing.served & joined(reached)

    def rank(address: str) -> tuple[tuple[int, int], str]:
        """Followers beside their leaders."""
        return numbered(units[address].leader or address), address

    return served.difference(sorted(served, key=rank)[: max(0, room)])


def _has_link(plumbing: Plumbing, where: Placement) -> bool:
    nic = plumbing.nics.get(where.interface)
    return nic is not None and nic.up and nic.carrier
