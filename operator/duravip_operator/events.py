"""Kubernetes Events on the objects that people write: what `kubectl describe` shows below them.

They are a courtesy: said once, from a thread, no faster than the API server can well take, and
dropped with a count when there are too many. What matters stands in the statuses.
"""

import logging
import queue
import time
from datetime import UTC, datetime
from enum import StrEnum
from threading import Event as Flag
from threading import Thread
from typing import Any, Final, Literal

from kubernetes.client import CoreV1Api

from duravip_api import API_VERSION
from duravip_operator.cluster.requests import ApiError, Body, asked, client_for
from duravip_operator.core.snapshot import Entity
from duravip_operator.metrics import Metrics
from duravip_operator.settings import Settings

log = logging.getLogger(__name__)

COMPONENT: Final = "duravip-operator"
A_SECOND: Final = 10.0
BURST: Final = 50.0
MOST_WAITING: Final = 1000
LONGEST_MESSAGE: Final = 1000


class Bucket:
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


class Events:
    """Takes events from any thread."""

    def __init__(self, settings: Settings, metrics: Metrics, stopping: Flag) -> None:
        self._api = CoreV1Api(client_for(settings.kubeconfig, 1))
        self._identity = settings.identity
        self._metrics = metrics
        self._stopping = stopping
        self._waiting: queue.Queue[Body] = queue.Queue(MOST_WAITING)

    def start(self) -> None:
        """Begin to write."""
        Thread(target=self._run, name="events", daemon=True).start()

    def say(
        self,
        entity: Entity,
        reason: StrEnum,
        message: str,
        kind: Literal["Normal", "Warning"] = "Normal",
    ) -> None:
        """Say this of the object, soon."""
        try:
            self._waiting.put_nowait(event(entity, (reason, message, kind), self._identity))
        except queue.Full:
            self._metrics.events.labels("dropped").inc()

    def _run(self) -> None:
        bucket = Bucket(A_SECOND, BURST, time.monotonic())
        while True:
            body = self._waiting.get()
            if self._stopping.wait(bucket.wait(time.monotonic())):
                return
            namespace = body["metadata"]["namespace"]
            call: Any = self._api.create_namespaced_event
            try:
                asked(call, namespace, body)
                self._metrics.events.labels("ok").inc()
            except ApiError as error:
                self._metrics.events.labels(str(error.status or "no answer")).inc()
                log.debug("cannot write an event: %s", error)


def event(entity: Entity, said: tuple[str, str, str], identity: str) -> Body:
    """The event as the API server takes it."""
    reason, message, kind = said
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "metadata": {"generateName": f"{entity.name[:200]}.", "namespace": entity.namespace},
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": entity.kind,
            "namespace": entity.namespace,
            "name": entity.name,
            "uid": entity.uid,
        },
        "reason": str(reason),
        "message": message[:LONGEST_MESSAGE],
        "type": kind,
        "source": {"component": COMPONENT, "host": identity},
        "reportingComponent": COMPONENT,
        "reportingInstance": identity,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
