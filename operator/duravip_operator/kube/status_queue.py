"""The queue of statuses to write: by priority, one entry an object, the last status wins.

Changes of owner come first. A transient state waits for a moment: in a fail-over the next owner is
mostly known by then, and one status is written instead of two. Counts of participants come last
and within a rate limit, so that a node that was away for a moment does not cost a write for each
of thousands of addresses.
"""

from collections import OrderedDict
from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Final, NamedTuple

from duravip_api.reasons import State

Key = tuple[str, str, str]
"""Kind, namespace (empty for a Topology) and name."""

Status = Mapping[str, Any]


class Priority(IntEnum):
    """What a status tells; the lower ones are written first."""

    NODE_CONDITION = -1
    """Whether a node's agent is heard: one for a node, and nothing says it as plainly."""
    OWNER_CHANGE = 0
    """Another owner."""
    CHANGE = 1
    """Anything that is none of the others."""
    TRANSIENT = 2
    """A state between two owners."""
    COUNTS = 3
    """Nothing but how many nodes take part."""


def priority_of(before: Status, after: Status) -> Priority:
    """How soon a status is to be written where `before` stands."""
    if after["state"] == State.MOVING:
        return Priority.TRANSIENT
    if after.get("owner") != before.get("owner"):
        return Priority.OWNER_CHANGE
    return (
        Priority.COUNTS if _without_counts(before) == _without_counts(after) else Priority.CHANGE
    )


def _without_counts(status: Status) -> Status:
    """All but how many nodes take part, and which ones a warning names."""
    conditions = [
        {**condition, **_CLEARED_FIELDS.get(str(condition.get("type")), {"message": ""})}
        for condition in status.get("conditions") or ()
    ]
    return {**status, "participants": 0, "conditions": conditions}


_CLEARED_FIELDS: Final[Mapping[str, Status]] = {
    "Ready": {},
    "PreferenceNotMet": {"message": "", "reason": ""},
}
"""What does not count of a condition of this type; of others, the message."""

WAIT_S: Final = {
    Priority.NODE_CONDITION: 0.3,
    Priority.OWNER_CHANGE: 0.0,
    Priority.CHANGE: 0.0,
    Priority.TRANSIENT: 0.5,
    Priority.COUNTS: 0.2,
}
"""How long a status waits for a newer one, in seconds."""

COUNTS_EVERY_S: Final = 1 / 200
"""From one status that tells nothing but figures to the next: a hundred are written within a
second, and of ten thousand most are withdrawn again when a node that was lost is back soon."""


class QueuedStatus(NamedTuple):
    """One status to write."""

    key: Key
    status: Status
    priority: Priority
    due: float = 0.0
    """Not before then."""
    epoch: int | None = None
    """The epoch in which it was decided: later it is not to be written."""


class StatusQueue:
    """A queue without threads; times are arguments, of one clock."""

    def __init__(self) -> None:
        self._waiting: dict[Priority, OrderedDict[Key, QueuedStatus]] = {
            u: OrderedDict() for u in Priority
        }
        """In each of them the ones that are due first come first."""
        self._being_written: dict[Key, Status] = {}
        self.epoch: int | None = None
        """The epoch of what is added from now on."""
        self._counts_due = float("-inf")
        """When the next status may be taken that tells nothing but figures."""

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def put(self, key: Key, status: Status, priority: Priority, now: float) -> None:
        """Add a status, in place of one of the same object that still waits."""
        known = self._waiting_status(key)
        if known is None and self._being_written.get(key) == status:
            return  # that very one is being written
        if known is None:
            self._add(QueuedStatus(key, status, priority, now + WAIT_S[priority], self.epoch))
        elif priority < known.priority:
            del self._waiting[known.priority][key]
            self._add(QueuedStatus(key, status, priority, now + WAIT_S[priority], self.epoch))
        elif known.priority is Priority.COUNTS and status != known.status:
            del self._waiting[known.priority][key]  # it has not settled
            self._add(QueuedStatus(key, status, priority, now + WAIT_S[priority], self.epoch))
        else:
            self._waiting[known.priority][key] = known._replace(status=status, epoch=self.epoch)

    def cancel(self, key: Key) -> bool:
        """Drop what waits, for it is no longer true; False when it may have been written."""
        known = self._waiting_status(key)
        if known:
            del self._waiting[known.priority][key]
        return known is not None and key not in self._being_written

    def requeue(self, item: QueuedStatus) -> None:
        """Add one that could not be written, unless there is a newer one meanwhile."""
        self._being_written.pop(item.key, None)
        known = self._waiting_status(item.key)
        if known is None:
            last = next(reversed(self._waiting[item.priority].values()), item)
            self._add(item._replace(due=max(item.due, last.due)))
        else:
            self.put(item.key, known.status, item.priority, item.due)

    def take(self, now: float) -> QueuedStatus | None:
        """The next one to write, if any; its object is busy until `done` or `put_back`."""
        for priority, waiting in self._waiting.items():
            is_paced = priority is Priority.COUNTS
            for key, item in waiting.items():
                if item.due > now or (is_paced and self._counts_due > now):
                    break
                if key not in self._being_written:
                    del waiting[key]
                    self._being_written[key] = item.status
                    if is_paced:
                        self._counts_due = (
                            max(self._counts_due, now - COUNTS_EVERY_S) + COUNTS_EVERY_S
                        )
                    return item
        return None

    def next_due(self) -> float | None:
        """When the next one is due, of those that nobody writes an earlier one of."""
        firsts = (
            next(
                (item.due for key, item in waiting.items() if key not in self._being_written), None
            )
            for waiting in self._waiting.values()
        )
        dues = [
            max(due, self._counts_due) if priority is Priority.COUNTS else due
            for priority, due in zip(self._waiting, firsts, strict=True)
            if due is not None
        ]
        return min(dues, default=None)

    def done(self, key: Key) -> None:
        """It was written, or never can be."""
        self._being_written.pop(key, None)

    def clear(self) -> None:
        """Drop what waits."""
        for waiting in self._waiting.values():
            waiting.clear()

    def _waiting_status(self, key: Key) -> QueuedStatus | None:
        found = (waiting.get(key) for waiting in self._waiting.values())
        return next((item for item in found if item is not None), None)

    def _add(self, item: QueuedStatus) -> None:
        self._waiting[item.priority][item.key] = item
