"""Writes statuses in background threads, from a queue that orders them, and retries with back-off.

The queue holds one entry an object, the last status wins. Changes of owner come first. A
transient state waits for a moment: in a fail-over the next owner is mostly known by then, and one
status is written instead of two. Counts of participants come last and within a rate limit, so
that a node that was away for a moment does not cost a write for each of thousands of addresses.

Nothing is lost while the API server is away, and no status is written while an urgent write, one
that a fail-over waits for, is outstanding.
"""

import logging
import time
from collections import OrderedDict
from collections.abc import Mapping
from enum import IntEnum
from threading import Condition, Thread
from typing import Any, Final, NamedTuple

from duravip_api.reasons import State
from duravip_operator.kube.writer import STATUS_THREADS, KubeWriter, LeadershipLostError
from duravip_operator.metrics import Metrics
from duravip_runtime.api_error import ApiError, pause_after

log = logging.getLogger(__name__)

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

LAPSE_S: Final = 0.1
"""Before another try where the Lease has run out, and nobody leads in a new epoch yet."""


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
        if known is not None:
            is_unsettled = known.priority is Priority.COUNTS and status != known.status
            if priority >= known.priority and not is_unsettled:
                waiting = self._waiting[known.priority]
                waiting[key] = known._replace(status=status, epoch=self.epoch)
                return
            del self._waiting[known.priority][key]
        self._add(QueuedStatus(key, status, priority, now + WAIT_S[priority], self.epoch))

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


class StatusWriter:
    """Takes statuses from any thread, and writes them from its own."""

    def __init__(self, cluster: KubeWriter, metrics: Metrics) -> None:
        self._cluster = cluster
        self._changed = Condition()
        self._queue = StatusQueue()
        self._is_failing = False
        metrics.pending.set_function(lambda: len(self._queue))

    def start(self) -> None:
        """Begin to write."""
        for number in range(STATUS_THREADS):
            Thread(target=self._run, name=f"status-{number}", daemon=True).start()

    def put(self, key: Key, status: Status, priority: Priority) -> None:
        """Write this status soon, in place of one of this object that still waits."""
        with self._changed:
            before = self._queue.next_due()
            self._queue.put(key, status, priority, time.monotonic())
            due = self._queue.next_due()
            if due is not None and (before is None or due < before):
                self._changed.notify()  # who takes it sees to it that the others wake up

    def cancel(self, key: Key) -> bool:
        """Drop what waits of this object, for it is no longer true; False: it may be written."""
        with self._changed:
            return self._queue.cancel(key)

    def is_idle(self) -> bool:
        """Whether there is no status that could be written now: what matters less may be."""
        with self._changed:
            due = self._queue.next_due()
        return self._cluster.no_urgent_write.is_set() and (due is None or due > time.monotonic())

    def reset(self, epoch: int | None = None) -> None:
        """Forget what still waits: somebody else leads now, or we in this epoch."""
        with self._changed:
            self._queue.clear()
            self._queue.epoch = epoch

    def stop(self) -> None:
        """Write nothing more; to be called after the cluster was closed."""
        with self._changed:
            self._changed.notify_all()

    def _run(self) -> None:
        failures = 0
        while (item := self._next_status()) is not None:
            try:
                self._cluster.write_status(*item.key, item.status, item.epoch)
                self._done(item)
                failures = 0
            except LeadershipLostError:
                self._cluster.stopping.wait(self._not_leading(item))
            except ApiError as error:
                failures += 1
                self._cluster.stopping.wait(self._failed(item, error, failures))
            except Exception:
                log.exception("cannot write the status of %s", _label(item.key))
                self._done(item)

    def _next_status(self) -> QueuedStatus | None:
        """The next status, once there is one and no urgent write is outstanding; None: stop."""
        while True:
            self._cluster.no_urgent_write.wait()
            with self._changed:
                if self._cluster.stopping.is_set():
                    return None
                now = time.monotonic()
                item, due = self._queue.take(now), self._queue.next_due()
                if item is None:
                    self._changed.wait(None if due is None else max(0.0, due - now))
                    continue
                if due is not None and due <= now:
                    self._changed.notify()
                return item

    def _done(self, item: QueuedStatus) -> None:
        with self._changed:
            self._queue.done(item.key)
            # Another status of the same object may have waited for this one.
            self._changed.notify()
            was_away, self._is_failing = self._is_failing, False
        if was_away:
            log.info("statuses are written again")

    def _not_leading(self, item: QueuedStatus) -> float:
        """Keep the status as long as its leadership may go on; how long to wait before a try.

        A Lease that ran out is often renewed a moment later in the same epoch, and no pass has
        noticed: nobody would say it again.
        """
        with self._changed:
            if item.epoch == self._queue.epoch:
                self._queue.requeue(item)
                return LAPSE_S
        self._done(item)
        return 0.0

    def _failed(self, item: QueuedStatus, error: ApiError, failures: int) -> float:
        """Keep the status if it may be written later; how long to wait before that."""
        if not (error.is_transient or error.is_conflict):
            if not error.is_absent:
                log.warning("cannot write the status of %s: %s", _label(item.key), error)
            with self._changed:
                self._queue.done(item.key)
                self._changed.notify()
            return 0.0
        with self._changed:
            self._queue.requeue(item)
            is_news = error.is_transient and not self._is_failing
            self._is_failing |= is_news
        if is_news:
            log.warning("statuses cannot be written, and wait: %s", error)
        return pause_after(failures, error.retry_after)


def _label(key: Key) -> str:
    kind, namespace, name = key
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"
