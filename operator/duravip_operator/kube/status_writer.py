"""Statuses of objects, written in the background.

Nothing is lost while the API server is away, and nothing is written while a write is outstanding
that a fail-over waits for.
"""

import logging
import time
from threading import Condition, Thread

from duravip_operator.kube.status_queue import Item, Key, Pending, Status, Urgency
from duravip_operator.kube.writer import STATUS_THREADS, Cluster, LeadershipLostError
from duravip_operator.metrics import Metrics
from duravip_runtime.api_error import ApiError, pause_after

log = logging.getLogger(__name__)


class StatusWriter:
    """Takes statuses from any thread, and writes them from its own."""

    def __init__(self, cluster: Cluster, metrics: Metrics) -> None:
        self._cluster = cluster
        self._changed = Condition()
        self._pending = Pending()
        self._is_away = False
        metrics.pending.set_function(lambda: len(self._pending))

    def start(self) -> None:
        """Begin to write."""
        for number in range(STATUS_THREADS):
            Thread(target=self._run, name=f"status-{number}", daemon=True).start()

    def put(self, key: Key, status: Status, urgency: Urgency) -> None:
        """Write this status soon, in place of one of this object that still waits."""
        with self._changed:
            before = self._pending.next_due()
            self._pending.put(key, status, urgency, time.monotonic())
            due = self._pending.next_due()
            if due is not None and (before is None or due < before):
                self._changed.notify()  # who takes it sees to it that the others wake up

    def withdraw(self, key: Key) -> bool:
        """Drop what waits of this object, for it is no longer true; False: it may be written."""
        with self._changed:
            return self._pending.withdraw(key)

    def is_at_rest(self) -> bool:
        """Whether there is no status that could be written now: what matters less may be."""
        with self._changed:
            due = self._pending.next_due()
        return self._cluster.calm.is_set() and (due is None or due > time.monotonic())

    def clear(self, epoch: int | None = None) -> None:
        """Forget what still waits: somebody else leads now, or we in this epoch."""
        with self._changed:
            self._pending.clear()
            self._pending.epoch = epoch

    def stop(self) -> None:
        """Write nothing more; to be called after the cluster was closed."""
        with self._changed:
            self._changed.notify_all()

    def _run(self) -> None:
        failures = 0
        while (item := self._taken()) is not None:
            try:
                self._cluster.write_status(*item.key, item.status, item.epoch)
                self._done(item)
                failures = 0
            except LeadershipLostError:
                self._done(item)
            except ApiError as error:
                failures += 1
                self._cluster.stopping.wait(self._failed(item, error, failures))
            except Exception:
                log.exception("cannot write the status of %s", _label(item.key))
                self._done(item)

    def _taken(self) -> Item | None:
        """The next status, once there is one and hot writes allow it; None: stop."""
        while True:
            self._cluster.calm.wait()
            with self._changed:
                if self._cluster.stopping.is_set():
                    return None
                now = time.monotonic()
                item, due = self._pending.take(now), self._pending.next_due()
                if item is None:
                    self._changed.wait(None if due is None else max(0.0, due - now))
                    continue
                if due is not None and due <= now:
                    self._changed.notify()
                return item

    def _done(self, item: Item) -> None:
        with self._changed:
            self._pending.done(item.key)
            # Another status of the same object may have waited for this one.
            self._changed.notify()
            was_away, self._is_away = self._is_away, False
        if was_away:
            log.info("statuses are written again")

    def _failed(self, item: Item, error: ApiError, failures: int) -> float:
        """Keep the status if it may be written later; how long to wait before that."""
        if not (error.is_transient or error.is_conflict):
            if not error.is_absent:
                log.warning("cannot write the status of %s: %s", _label(item.key), error)
            with self._changed:
                self._pending.done(item.key)
                self._changed.notify()
            return 0.0
        with self._changed:
            self._pending.put_back(item)
            was_away, self._is_away = self._is_away, True
        if not was_away:
            log.warning("statuses cannot be written, and wait: %s", error)
        return pause_after(failures, error.retry_after)


def _label(key: Key) -> str:
    kind, namespace, name = key
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"
