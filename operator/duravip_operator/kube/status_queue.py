"""The statuses that still have to be written, in the order in which they are.

The last status of an object wins, and one is being written at a time. Changes of owner come first.
What is only in passing waits a moment: in a fail-over the next owner is mostly known by then, so
that one status is written and not two. How many nodes take part comes last, and at a pace at which
a node that was away for a moment does not cost a write for each of thousands of addresses.
"""

from collections import OrderedDict
from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Final, NamedTuple

from duravip_api.reasons import State

Key = tuple[str, str, str]
"""Kind, namespace (empty for a Topology) and name."""

Status = Mapping[str, Any]


class Urgency(IntEnum):
    """What a status tells; the lower ones are written first."""

    NODE = -1
    """Whether a node's agent is heard: one for a node, and nothing says it as plainly."""
    MOVED = 0
    """Another owner."""
    NEWS = 1
    """Anything that is none of the others."""
    PASSING = 2
    """A state between two owners."""
    FIGURES = 3
    """Nothing but how many nodes take part."""


def urgency_of(before: Status, after: Status) -> Urgency:
    """How soon a status is to be written where `before` stands."""
    if after["state"] == State.MOVING:
        return Urgency.PASSING
    if after.get("owner") != before.get("owner"):
        return Urgency.MOVED
    return Urgency.FIGURES if _essence(before) == _essence(after) else Urgency.NEWS


def _essence(status: Status) -> Status:
    """All but how many nodes take part, and which ones a warning names."""
    conditions = [
        {**condition, **_PASSING_OF.get(str(condition.get("type")), {"message": ""})}
        for condition in status.get("conditions") or ()
    ]
    return {**status, "participants": 0, "conditions": conditions}


_PASSING_OF: Final[Mapping[str, Status]] = {
    "Ready": {},
    "PreferenceNotMet": {"message": "", "reason": ""},
}
"""What does not count of a condition of this type; of others, the message."""

WAITS: Final = {
    Urgency.NODE: 0.3,
    Urgency.MOVED: 0.0,
    Urgency.NEWS: 0.0,
    Urgency.PASSING: 0.5,
    Urgency.FIGURES: 0.2,
}
"""How long a status waits for a newer one, in seconds."""

PAUSE: Final = 1 / 200
"""From one status that tells nothing but figures to the next: a hundred are written within a
second, and of ten thousand most are withdrawn again when a node that was lost is back soon."""


class Item(NamedTuple):
    """One status to write."""

    key: Key
    status: Status
    urgency: Urgency
    due: float = 0.0
    """Not before then."""
    epoch: int | None = None
    """The reign in which it was decided: later it is not to be written."""


class Pending:
    """A queue without threads; times are arguments, of one clock."""

    def __init__(self) -> None:
        self._waiting: dict[Urgency, OrderedDict[Key, Item]] = {u: OrderedDict() for u in Urgency}
        """In each of them the ones that are due first come first."""
        self._busy: dict[Key, Status] = {}
        self.epoch: int | None = None
        """The reign of what is added from now on."""
        self._figures_due = float("-inf")
        """When the next status may be taken that tells nothing but figures."""

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def put(self, key: Key, status: Status, urgency: Urgency, now: float) -> None:
        """Add a status, in place of one of the same object that still waits."""
        known = self._known(key)
        if known is None and self._busy.get(key) == status:
            return  # that very one is being written
        if known is None:
            self._add(Item(key, status, urgency, now + WAITS[urgency], self.epoch))
        elif urgency < known.urgency:
            del self._waiting[known.urgency][key]
            self._add(Item(key, status, urgency, now + WAITS[urgency], self.epoch))
        elif known.urgency is Urgency.FIGURES and status != known.status:
            del self._waiting[known.urgency][key]  # it has not settled
            self._add(Item(key, status, urgency, now + WAITS[urgency], self.epoch))
        else:
            self._waiting[known.urgency][key] = known._replace(status=status, epoch=self.epoch)

    def withdraw(self, key: Key) -> bool:
        """Drop what waits, for it is no longer true; False when it may have been written."""
        known = self._known(key)
        if known:
            del self._waiting[known.urgency][key]
        return known is not None and key not in self._busy

    def put_back(self, item: Item) -> None:
        """Add one that could not be written, unless there is a newer one meanwhile."""
        self._busy.pop(item.key, None)
        known = self._known(item.key)
        if known is None:
            last = next(reversed(self._waiting[item.urgency].values()), item)
            self._add(item._replace(due=max(item.due, last.due)))
        else:
            self.put(item.key, known.status, item.urgency, item.due)

    def take(self, now: float) -> Item | None:
        """The next one to write, if any; its object is busy until `done` or `put_back`."""
        for urgency, waiting in self._waiting.items():
            is_paced = urgency is Urgency.FIGURES
            for key, item in waiting.items():
                if item.due > now or (is_paced and self._figures_due > now):
                    break
                if key not in self._busy:
                    del waiting[key]
                    self._busy[key] = item.status
                    if is_paced:
                        self._figures_due = max(self._figures_due, now - PAUSE) + PAUSE
                    return item
        return None

    def next_due(self) -> float | None:
        """When the next one is due, of those that nobody writes an earlier one of."""
        firsts = (
            next((item.due for key, item in waiting.items() if key not in self._busy), None)
            for waiting in self._waiting.values()
        )
        dues = [
            max(due, self._figures_due) if urgency is Urgency.FIGURES else due
            for urgency, due in zip(self._waiting, firsts, strict=True)
            if due is not None
        ]
        return min(dues, default=None)

    def done(self, key: Key) -> None:
        """It was written, or never can be."""
        self._busy.pop(key, None)

    def clear(self) -> None:
        """Drop what waits."""
        for waiting in self._waiting.values():
            waiting.clear()

    def _known(self, key: Key) -> Item | None:
        found = (waiting.get(key) for waiting in self._waiting.values())
        return next((item for item in found if item is not None), None)

    def _add(self, item: Item) -> None:
        self._waiting[item.urgency][item.key] = item
