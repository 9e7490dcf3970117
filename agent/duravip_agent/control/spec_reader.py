"""Brings the node's object to the loop: from the watch, or read at once when that is needed."""

import logging
import time
from collections.abc import Callable
from threading import Event as Flag
from threading import Thread

from duravip_agent import clock
from duravip_agent.control.kube import NodePlumbingClient
from duravip_agent.events import ApiTrouble, Inbox, ObjectAbsent, ObjectSeen
from duravip_runtime.api_error import ApiError, Body, pause_after

log = logging.getLogger(__name__)

MIN_INTERVAL_S, MAX_INTERVAL_S = 0.05, 1.0
"""Between two reads of our own, in seconds: the first doubles up to the second while what is read
is what was read before. Then whoever asks for it is wrong."""

WATCH_GRACE_S = 0.015
"""What we are told to read mostly comes by the watch within this time; if not, the next answer to
a heartbeat asks for it again."""


class SpecReader:
    """Watches the object, and reads it on demand."""

    def __init__(self, cluster: NodePlumbingClient, inbox: Inbox) -> None:
        self._cluster, self._inbox = cluster, inbox
        self._wanted = Flag()
        self._end_watch: Callable[[], None] = lambda: None
        self._brought: tuple[object, ...] = ()
        """Which spec the watch has brought last: what agents report comes by it as well."""

    def start(self) -> None:
        """Begin to watch."""
        self._end_watch = self._cluster.watch(self)
        Thread(target=self._run, name="spec-reader", daemon=True).start()

    def watch_again(self) -> None:
        """Watch from what the API server has now: it counts its versions from an earlier one."""
        self._end_watch()
        self._end_watch = self._cluster.watch(self)

    def read_soon(self) -> None:
        """Read the object now: there is a newer one than the watch has brought."""
        self._wanted.set()

    def on_object(self, body: Body) -> None:
        """The watch has brought the object."""
        metadata, spec = body["metadata"], body.get("spec") or {}
        self._brought = (metadata.get("uid"), metadata.get("generation"), spec.get("epoch"))
        self._inbox.put(ObjectSeen(body))

    def on_absent(self) -> None:
        """The watch says that there is none."""
        self._inbox.put(ObjectAbsent())

    def on_error(self, error: ApiError) -> None:
        """The watch does not work at this moment."""
        self._inbox.put(ApiTrouble(error))

    def _run(self) -> None:
        failures, interval, last = 0, MIN_INTERVAL_S, ""
        while True:
            self._wanted.wait()
            brought = self._brought
            time.sleep(WATCH_GRACE_S)
            self._wanted.clear()
            if self._brought != brought:
                interval = MIN_INTERVAL_S
                continue
            requested_at = clock.now()
            try:
                body = self._cluster.get()
                self._inbox.put(ObjectSeen(body, requested_at))
                failures, version = 0, body["metadata"].get("resourceVersion", "")
                interval = min(2 * interval, MAX_INTERVAL_S) if version == last else MIN_INTERVAL_S
                last = version
                time.sleep(interval)
            except ApiError as error:
                # No retry here: as long as it is needed, the next acknowledgement asks for it.
                failures += 1
                log.debug("cannot read the NodePlumbing: %s", error)
                time.sleep(pause_after(failures, error.retry_after))
