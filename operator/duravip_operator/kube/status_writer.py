"""Writes queued statuses in background threads, and retries them with back-off.

Nothing is lost while the API server is away, and no status is written while an urgent write, one
that a fail-over waits for, is outstanding.
"""

import logging
import time
from threading import Condition, Thread

from duravip_operator.kube.status_queue import Key, Priority, QueuedStatus, Status, StatusQueue
from duravip_operator.kube.writer import STATUS_THREADS, KubeWriter, LeadershipLostError
from duravip_operator.metrics import Metrics
from duravip_runtime.api_error import ApiError, pause_after

log = logging.getLogger(__name__)


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
                self._done(item)
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
            was_away, self._is_failing = self._is_failing, True
        if not was_away:
            log.warning("statuses cannot be written, and wait: %s", error)
        return pause_after(failures, error.retry_after)


def _label(key: Key) -> str:
    kind, namespace, name = key
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"
