"""The statuses that still have to be written, in the order in which they are.

The last status of an object wins, one is being written at a time, changes of owner come first.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

Key = tuple[str, str, str]
"""Kind, namespace (empty for a Topology) and name."""

Status = Mapping[str, Any]


class Item(NamedTuple):
    """One status to write."""

    key: Key
    status: Status
    urgent: bool


class Pending:
    """A queue without threads or clock."""

    def __init__(self) -> None:
        self._urgent: OrderedDict[Key, Status] = OrderedDict()
        self._others: OrderedDict[Key, Status] = OrderedDict()
        self._busy: set[Key] = set()

    def __len__(self) -> int:
        return len(self._urgent) + len(self._others)

    def put(self, item: Item) -> None:
        """Add a status, in place of one of the same object that still waits."""
        was_urgent = self._urgent.pop(item.key, None) is not None
        self._others.pop(item.key, None)
        queue = self._urgent if item.urgent or was_urgent else self._others
        queue[item.key] = item.status

    def put_back(self, item: Item) -> None:
        """Add one that could not be written, unless there is a newer one meanwhile."""
        self._busy.discard(item.key)
        if item.key not in self._urgent and item.key not in self._others:
            self.put(item)

    def take(self) -> Item | None:
        """The next one to write, if any; its object is busy until `done` or `put_back`."""
        for queue, urgent in ((self._urgent, True), (self._others, False)):
            key = next((key for key in queue if key not in self._busy), None)
            if key is not None:
                self._busy.add(key)
                return Item(key, queue.pop(key), urgent)
        return None

    def done(self, key: Key) -> None:
        """It was written, or never can be."""
        self._busy.discard(key)

    def clear(self) -> None:
        """Drop what waits."""
        self._urgent.clear()
        self._others.clear()
