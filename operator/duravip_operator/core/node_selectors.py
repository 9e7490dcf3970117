"""Which nodes match what people write as `nodeSelector`.

A tenant may write thousands of selectors, and all that matters of them is whom they match. So each
is looked up once, as long as no label changes: by label, the nodes that have it, which for a
selector are intersected and for the entities of one unit united. Selectors that match the same
nodes have the very same set, by which whatever follows from it is found again.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from duravip_operator.core.snapshot import Node, Selector, Service

Nodes = frozenset[str]
Offers = frozenset[tuple[Selector, frozenset[Service]]]
MAX_CACHED_SETS = 32768
"""Sets of selectors that are remembered: three times as many as there may be addresses."""


class SelectorIndex:
    """Answers for one state of all labels. In numbers that stand for nodes each has one bit."""

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
        """Those that no administrator has taken out."""
        self._same: dict[int, Nodes] = {self._all: self.all}
        self._united: dict[frozenset[Selector], Nodes] = {}
        self.declared_differences: dict[tuple[Selector, Offers], str] = {}
        """What is said of services that are offered like this: `services` keeps it here."""

    def is_current_for(self, nodes: Mapping[str, Node]) -> bool:
        """Whether these have the labels that were looked at."""
        if self._nodes == nodes:
            return True
        before = [(name, node.labels) for name, node in self._nodes.items()]
        return before == [(name, node.labels) for name, node in nodes.items()]

    def matching(self, selector: Selector) -> Nodes:
        """The nodes that have all of the labels: the same object for the same nodes."""
        return self._named(self._matching(selector))

    def matching_any(self, selectors: frozenset[Selector]) -> Nodes:
        """The nodes that match any of these: the same object for the same nodes."""
        found = self._united.get(selectors)
        if found is None:
            self.limit_size()
            bits = 0
            for selector in selectors:
                bits |= self._matching(selector)
            found = self._united[selectors] = self._named(bits)
        return found

    def limit_size(self) -> None:
        """Forget everything, before it becomes too much."""
        for known in (self._united, self._same, self.declared_differences):
            if len(known) >= MAX_CACHED_SETS:
                known.clear()

    def _matching(self, selector: Iterable[tuple[str, str]]) -> int:
        bits, by_label = self._all, self._by_label
        for label in selector:
            bits &= by_label.get(label, 0)
            if not bits:
                break
        return bits

    def _named(self, bits: int) -> Nodes:
        found = self._same.get(bits)
        if found is None:
            names = (name for position, name in enumerate(self._names) if bits >> position & 1)
            found = self._same[bits] = frozenset(names)
        return found
