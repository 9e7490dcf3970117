"""Records Kubernetes Events on people's objects and on Nodes, for `kubectl describe`.

Events are a courtesy: written once, by a thread, behind the statuses and within a rate limit.
Which of them are kept is decided in `core.event_queue`.
"""

import logging
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from enum import StrEnum
from threading import Condition, Thread
from threading import Event as Flag
from typing import Any, Final

from kubernetes.client import CoreV1Api

from duravip_api.annotations import format_time
from duravip_operator.core.event_queue import (
    EventQueue,
    InvolvedObject,
    Kind,
    OwnerChange,
    PendingEvent,
)
from duravip_operator.core.object_status import whole_seconds
from duravip_operator.core.snapshot import VipObject
from duravip_operator.metrics import Metrics
from duravip_operator.settings import Settings
from duravip_runtime.api_error import ApiError, Body
from duravip_runtime.kube import client_for, request

log = logging.getLogger(__name__)

COMPONENT: Final = "duravip-operator"
EVENTS_PER_SECOND: Final = 10.0
EVENTS_BURST: Final = 50.0
MAX_MESSAGE_CHARS: Final = 1000
RECHECK_EVERY_S: Final = 0.2
"""Pause before the next look whether something may be written, in seconds."""


class TokenBucket:
    """A token bucket; times are arguments."""

    def __init__(self, a_second: float, burst: float, now: float) -> None:
        self._a_second = a_second
        self._burst = burst
        self._tokens = burst
        self._then = now

    def wait(self, now: float) -> float:
        """Take a token; how long to wait before it may be used."""
        gained = (now - self._then) * self._a_second
        self._tokens = min(self._burst, self._tokens + gained) - 1
        self._then = now
        return max(0.0, -self._tokens / self._a_second)


class EventRecorder:
    """Takes Events from any thread."""

    def __init__(
        self, settings: Settings, metrics: Metrics, stopping: Flag, may_say_all: Callable[[], bool]
    ) -> None:
        """While `may_say_all` is false, only what concerns Nodes is written."""
        self._api = CoreV1Api(client_for("duravip-operator", settings.kubeconfig, 1))
        self._identity = settings.identity
        self._metrics = metrics
        self._stopping = stopping
        self._may_say_all = may_say_all
        self._tidings = EventQueue()
        self._epoch: int | None = None
        self.leads_in: Callable[[int | None], bool] = lambda _: True
        """Whether we lead in this epoch at this moment. From any thread."""
        self._changed = Condition()

    def start(self) -> None:
        """Begin to write."""
        Thread(target=self._run, name="events", daemon=True).start()

    def begin(self, epoch: int | None) -> None:
        """Another leadership: Events of an earlier one are not written any more."""
        with self._changed:
            if epoch != self._epoch:
                self._epoch, self._tidings = epoch, EventQueue()

    def record(
        self,
        vip: VipObject,
        reason: StrEnum,
        message: str,
        kind: Kind = "Normal",
        time: str = "",
    ) -> None:
        """Say this of a DuraVIP or Binding, soon; its status may know the time."""
        self._put(PendingEvent(InvolvedObject.of(vip), reason, message, kind, time))

    def record_for_node(
        self, node: str, reason: StrEnum, message: str, kind: Kind = "Normal"
    ) -> None:
        """Say this of a Node, soon."""
        self._put(PendingEvent(InvolvedObject.node(node), reason, message, kind))

    def record_for_service(
        self,
        service: tuple[str, str, str],
        reason: str,
        message: str,
        kind: Kind = "Normal",
    ) -> None:
        """Say this of a Service, given by namespace, name and uid, soon."""
        self._put(PendingEvent(InvolvedObject.service(*service), reason, message, kind))

    def record_takeovers(self, moves: Iterable[OwnerChange]) -> None:
        """Say of Nodes that they took these over."""
        with self._changed:
            for move in moves:
                self._tidings.add_takeover(move, time.monotonic())
            self._changed.notify()

    def _put(self, told: PendingEvent) -> None:
        with self._changed:
            is_kept = self._tidings.put(told)
            self._changed.notify()
        if not is_kept:
            self._metrics.events.labels("dropped").inc()

    def _run(self) -> None:
        bucket = TokenBucket(EVENTS_PER_SECOND, EVENTS_BURST, time.monotonic())
        while not self._stopping.is_set():
            with self._changed:
                if not self._tidings:
                    self._changed.wait()
                told = self._tidings.pop(time.monotonic(), may_say_all=self._may_say_all())
                epoch = self._epoch
            if told is None:
                self._stopping.wait(RECHECK_EVERY_S)
            elif not self._stopping.wait(bucket.wait(time.monotonic())):
                self._write(event(told, self._identity), epoch)

    def _write(self, body: Body, epoch: int | None) -> None:
        # A Lease that ran out is often renewed a moment later, in the same epoch.
        while epoch is not None and not self.leads_in(epoch):
            if self._epoch != epoch or self._stopping.wait(RECHECK_EVERY_S):
                return
        call: Any = self._api.create_namespaced_event
        try:
            request(call, body["metadata"]["namespace"], body)
            self._metrics.events.labels("ok").inc()
        except ApiError as error:
            self._metrics.events.labels(str(error.status or "no answer")).inc()
            log.debug("cannot write an event: %s", error)


def event(told: PendingEvent, identity: str) -> Body:
    """The Event as the API server takes it."""
    about, reason, message, kind, happened = told
    time = whole_seconds(happened or format_time(datetime.now(UTC)))
    named = {"apiVersion": about.api_version, "kind": about.kind, "name": about.name}
    where = {"namespace": about.namespace} if about.namespace else {}
    return {
        "metadata": {
            "generateName": f"{about.name[:200]}.",
            "namespace": about.namespace or "default",
        },
        "involvedObject": {**named, **where, "uid": about.uid},
        "reason": str(reason),
        "message": message[:MAX_MESSAGE_CHARS],
        "type": kind,
        "source": {"component": COMPONENT, "host": identity},
        "reportingComponent": COMPONENT,
        "reportingInstance": identity,
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    }
