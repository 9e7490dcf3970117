"""Which nodes have a socket that takes what comes to an address, by what their agents have seen.

Nodes name ranges of addresses, as wide as they like. Nothing is spelled out: of each port the ends
of all ranges are sorted once, and between two of them the answer is the same for every address. It
is worked out again only when an agent has seen something else.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from duravip_api.listeners import WILDCARD, Listening, Port
from duravip_operator.core.snapshot import Plumbing

Nodes = frozenset[str]
NOBODY: Nodes = frozenset()


@dataclass(frozen=True, slots=True)
class _Ranges:
    """The nodes whose sockets are bound to single addresses: from each start to the next one."""

    starts: tuple[int, ...] = ()
    nodes: tuple[Nodes, ...] = ()

    def at(self, number: int) -> Nodes:
        before = bisect_right(self.starts, number) - 1
        return self.nodes[before] if before >= 0 else NOBODY


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who listens."""

    looked: Mapping[str, Nodes]
    """`{port: nodes whose agents have looked}`."""
    uneven: Mapping[int, frozenset[str]]
    """By family, the ports on which not all nodes have a socket for all addresses, but some have
    any: only these need a closer look."""
    _everywhere: Mapping[tuple[str, int], Nodes]
    _ranges: Mapping[tuple[str, int], _Ranges]

    def on(self, port: str, family: int, number: int) -> Nodes:
        """The nodes with a socket on a port that takes what comes to this address."""
        key = (port, family)
        single = self._ranges.get(key)
        everywhere = self._everywhere.get(key, NOBODY)
        return everywhere | single.at(number) if single else everywhere


def listeners(plumbings: Mapping[str, Plumbing]) -> Listeners:
    """What all agents have seen."""
    return _listeners(tuple((n, p.listening) for n, p in plumbings.items() if p.listening))


@lru_cache(maxsize=2)
def _listeners(seen: tuple[tuple[str, Listening], ...]) -> Listeners:
    looked: dict[str, set[str]] = defaultdict(set)
    everywhere: dict[tuple[str, int], set[str]] = defaultdict(set)
    single: dict[tuple[str, int], list[tuple[str, Port]]] = defaultdict(list)
    for node, ports in seen:
        for port in ports:
            looked[port.name].add(node)
            for family in {span.family for span in port.bound}:
                if port.takes(family, 0):
                    everywhere[port.name, family].add(node)
                else:
                    single[port.name, family].append((node, port))
    uneven: dict[int, set[str]] = {family: set() for family in WILDCARD}
    for name, family in everywhere.keys() | single.keys():
        if everywhere[name, family] != looked[name]:
            uneven[family].add(name)
    return Listeners(
        {port: frozenset(nodes) for port, nodes in looked.items()},
        {family: frozenset(ports) for family, ports in uneven.items()},
        {key: frozenset(nodes) for key, nodes in everywhere.items()},
        {key: _ranges(key[1], bound) for key, bound in single.items()},
    )


def _ranges(family: int, bound: Iterable[tuple[str, Port]]) -> _Ranges:
    changes: dict[int, list[tuple[str, bool]]] = defaultdict(list)
    for node, port in bound:
        for span in port.bound:
            if span.family == family:
                changes[span.first].append((node, True))
                changes[span.last + 1].append((node, False))
    starts, found = sorted(changes), []
    among: set[str] = set()
    for start in starts:
        for node, begins in sorted(changes[start], key=lambda change: change[1]):
            (among.add if begins else among.discard)(node)
        found.append(frozenset(among))
    return _Ranges(tuple(starts), tuple(found))
