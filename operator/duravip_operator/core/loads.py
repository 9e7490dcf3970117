"""How many addresses each node has while owners are found, and which node has the fewest.

Of equally loaded nodes the next one in the order of names counts, from a place that the address
gives: so every replica finds the same one.
"""

from collections import Counter

from duravip_api.addresses import to_int


class Loads:
    """Loads only grow while owners are found: nobody falls below what was once the least."""

    def __init__(self, most: int) -> None:
        """`most` is how many addresses a node may have."""
        self._most = most
        self._load: Counter[str] = Counter()
        self._rings: dict[frozenset[str], _Ring] = {}

    def add(self, node: str, weight: int) -> None:
        """The node gets so many addresses more."""
        self._load[node] += weight

    def has_room(self, node: str, weight: int) -> bool:
        """Whether the node may get so many more."""
        return self._load[node] + weight <= self._most

    def least_loaded(self, nodes: frozenset[str], address: str) -> str:
        """The one of them with the fewest addresses; empty when there are no nodes."""
        if not nodes:
            return ""
        ring = self._rings.get(nodes)
        if ring is None:
            ring = self._rings[nodes] = _Ring(sorted(nodes))
        start = (to_int(address)[1] - 1) % len(ring.names)  # a network's first host is number 1
        while True:
            for name in ring.names[start:] + ring.names[:start]:
                if self._load[name] == ring.least:
                    return name
            ring.least = min(self._load[name] for name in ring.names)


class _Ring:
    """A set of nodes in the order of names, and the least load of any of them, seen last."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.least = 0
