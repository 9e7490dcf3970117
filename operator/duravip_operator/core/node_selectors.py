"""Which nodes match the node selectors that people write.

Tenants may write thousands of selectors, and all that matters about each is which nodes it
matches. So each is looked up once, as long as no label changes: an index by label gives the
nodes that have it; these sets are intersected for one selector, and united over the objects of
a unit. Selectors that match the same nodes return the identical set object, so whatever is
derived from a set is found again by identity or hash.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from duravip_operator.core.snapshot import Node, Selector, Service

Nodes = frozenset[str]
Offers = frozenset[tuple[Selector, frozenset[Service]]]
MAX_CACHED_SETS = 32768
"""Sets of selectors that are cached: three times as many as there may be addresses."""


class SelectorIndex:
    """The index for one state of all labels. Node sets are kept as integers, one bit a node."""

    def __init__(self, nodes: Mapping[str, Node]) -> None:
        self._nodes = dict(nodes)
        self._names = list(nodes)
        self._all = (1 << len(nodes)) - 1
        self._by_label: dict[tuple[str, str], int] = defaultdict(int)
        for position, node in enumerate(nodes.values()):
            for label in node.labels.items():
                self._by_label[label] |= 1 << position
        self.all = frozenset(nodes)
        self.included = frozenset(n for n, node in nodes.items() if not node.excluded)
        """The nodes that no administrator has excluded."""
        self._same: dict[int, Nodes] = {self._all: self.all}
        self._united: dict[frozenset[Selector], Nodes] = {}
        self.declared_differences: dict[tuple[Selector, Offers], str] = {}
        """Cache of `service_consistency`: its message for services declared with these
        selectors."""

    def is_current_for(self, nodes: Mapping[str, Node]) -> bool:
        """Whether these nodes have the labels that the index was built from."""
        if self._nodes == nodes:
            return True
        before = [(name, node.labels) for name, node in self._nodes.items()]
        return before == [(name, node.labels) for name, node in nodes.items()]

    def matching(self, selector: Selector) -> Nodes:
        """The nodes that have all labels of it: the identical object for the same nodes."""
        return self._named(self._matching(selector))

    def matching_any(self, selectors: frozenset[Selector]) -> Nodes:
        """The nodes that match any of them: the identical object for the same nodes."""
        nodes = self._united.get(selectors)
        if nodes is None:
            self.limit_size()
            bits = 0
            for selector in selectors:
                bits |= self._matching(selector)
            nodes = self._united[selectors] = self._named(bits)
        return nodes

    def limit_size(self) -> None:
        """Drop the caches that have reached `MAX_CACHED_SETS`."""
        for cache in (self._united, self._same, self.declared_differences):
            if len(cache) >= MAX_CACHED_SETS:
                cache.clear()

    def _matching(self, selector: Iterable[tuple[str, str]]) -> int:
        bits, by_label = self._all, self._by_label
        for label in selector:
            bits &= by_label.get(label, 0)
            if not bits:
                break
        return bits

    def _named(self, bits: int) -> Nodes:
        nodes = self._same.get(bits)
        if nodes is None:
            names = (name for position, name in enumerate(self._names) if bits >> position & 1)
            nodes = self._same[bits] = frozenset(names)
        return nodes
