"""Writes the status in a thread of its own, so that a slow API server delays nothing else.

The last report wins. Reports go out at once as long as they are fewer than 10 a second. At rest
nothing is written; when the object is seen without our status, it is written again.
"""

import json
import logging
import time
from collections import deque
from collections.abc import Callable
from hashlib import blake2b
from threading import Condition, Thread
from typing import NamedTuple

from duravip_agent import clock
from duravip_agent.clock import BootTime
from duravip_agent.core.node_spec import resource_version
from duravip_runtime.api_error import HOPELESS_PAUSE_S, ApiError, Body, pause_after

log = logging.getLogger(__name__)

OPERATOR_CONDITION = "Heard"
"""The one condition that is not the agent's but the operator's."""
MAX_WRITES_PER_SECOND = 10
RESTORE_EVERY_S = 1.0


class _StatusVersion(NamedTuple):
    version: int
    status: bytes
    """A digest: the status itself can be long."""


def _status_version(body: Body) -> _StatusVersion:
    status = body.get("status")
    if isinstance(status, dict):
        conditions = [
            c for c in status.get("conditions") or () if c.get("type") != OPERATOR_CONDITION
        ]
        status = {**status, "conditions": conditions}
    text = json.dumps(status, sort_keys=True)
    return _StatusVersion(resource_version(body), blake2b(text.encode(), digest_size=16).digest())


def _operator_conditions(body: Body) -> list[Body]:
    conditions = (body.get("status") or {}).get("conditions") or ()
    return [condition for condition in conditions if condition.get("type") == OPERATOR_CONDITION]


class StatusWriter:
    """Keeps the status in the API equal to the last report."""

    def __init__(
        self,
        patch_status: Callable[[Body], Body],
        on_written: Callable[[Body, BootTime], None],
        on_trouble: Callable[[ApiError], None],
    ) -> None:
        """`patch_status` merges into the status and gives back the object; raises ApiError."""
        self._patch_status = patch_status
        self._on_written, self._on_trouble = on_written, on_trouble
        self._lock = Condition()
        self._wanted: Body | None = None
        self._is_pending = False
        self._is_absent = False
        self._stored = _StatusVersion(0, b"")
        """The object as the API server gave it back for our last write."""
        self._observed = self._stored
        """The object as the watch saw it last."""
        self._heard: list[Body] = []
        """The operator's condition as it was seen last."""
        self._written: Body | None = None
        """The status that was stored last."""
        self._put_back_at = float("-inf")
        self._failures = 0
        self._recent: deque[float] = deque(maxlen=MAX_WRITES_PER_SECOND)

    def start(self) -> None:
        """Begin to write."""
        Thread(target=self._run, name="status-writer", daemon=True).start()

    def submit(self, status: Body) -> None:
        """Let this be the status."""
        with self._lock:
            if status != self._wanted:
                self._wanted, self._is_pending = status, True
                self._lock.notify_all()

    def observe(self, body: Body) -> None:
        """Compare with the object as it was just seen."""
        with self._lock:
            self._observed, self._heard = _status_version(body), _operator_conditions(body)
            if self._is_absent or self._is_lost():
                self._is_absent, self._is_pending = False, self._wanted is not None
                self._lock.notify_all()

    def wait_until_written(self, deadline: float) -> bool:
        """Wait for the last report to be in the API, at most until then."""
        with self._lock:
            return self._lock.wait_for(
                lambda: self._is_absent or not self._is_pending,
                max(0.0, deadline - time.monotonic()),
            )

    def _is_lost(self) -> bool:
        """Whether a later version of the object has another status than the one we wrote."""
        stored, noticed = self._stored, self._observed
        return noticed.version > stored.version > 0 and noticed.status != stored.status

    def _run(self) -> None:
        while True:
            with self._lock:
                self._lock.wait_for(lambda: self._is_pending and not self._is_absent)
                status = self._wanted
                self._spare(status)
                status = self._wanted
            pause = self._write(status or {})
            with self._lock:
                # A new report is worth a try of its own, however long the server made us wait.
                self._lock.wait_for(lambda: self._wanted is not status, pause)  # noqa: B023
            self._recent.append(time.monotonic())
            if len(self._recent) == MAX_WRITES_PER_SECOND:
                time.sleep(max(0.0, self._recent[0] + 1.0 - time.monotonic()))

    def _spare(self, status: Body | None) -> None:
        """Restore an overwritten status at once, then once a second at most."""
        if status is not self._written:
            return
        left = self._put_back_at + RESTORE_EVERY_S - time.monotonic()
        self._lock.wait_for(lambda: self._wanted is not status, max(0.0, left))
        self._put_back_at = time.monotonic()

    def _write(self, status: Body) -> float:
        """Write once; gives back for how long to wait because it failed."""
        begun_at = clock.now()
        try:
            body = self._patch_status(self._with_heard(status))
        except ApiError as error:
            return self._failed(error)
        if self._failures:
            log.info("the status can be written again")
        with self._lock:
            self._failures = 0
            self._stored, self._written = _status_version(body), status
            self._is_pending = self._wanted is not status or self._is_lost()
            self._lock.notify_all()
        self._on_written(body, begun_at)
        return 0.0

    def _with_heard(self, status: Body) -> Body:
        """The status with the operator's condition: a list is only ever replaced whole."""
        with self._lock:
            theirs = list(self._heard)
        if not theirs:
            return status
        return {**status, "conditions": [*(status.get("conditions") or ()), *theirs]}

    def _failed(self, error: ApiError) -> float:
        if error.is_absent:
            with self._lock:
                self._is_absent = True  # until it is seen
            return 0.0
        self._failures += 1
        if self._failures == 1:
            log.warning("cannot write the status: %s", error)
        self._on_trouble(error)
        if error.is_hopeless:
            return HOPELESS_PAUSE_S
        return pause_after(self._failures, error.retry_after)
