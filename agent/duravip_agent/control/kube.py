"""This node's NodePlumbing on the API server: read, watched for the loop, its status written."""

import logging
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Event as Flag
from threading import Thread

from kubernetes.client import CustomObjectsApi

from duravip_agent import clock
from duravip_agent.events import ApiTrouble, Inbox, ObjectAbsent, ObjectSeen
from duravip_agent.metrics import Metrics
from duravip_api import GROUP, PLURALS, VERSION
from duravip_api.timing import LONGEST_REQUEST, REQUEST_TIMEOUT
from duravip_runtime.api_error import ApiError, Body, pause_after
from duravip_runtime.informer import Informer
from duravip_runtime.kube import MERGE_PATCH, RequestTimeout, client_for, request

log = logging.getLogger(__name__)

PLURAL = PLURALS["NodePlumbing"]
WATCH_S = 5
"""One watch lasts this long; a connection that froze is noticed soon after."""
SILENCE_S = 6.5


class NodePlumbingClient:
    """One node's NodePlumbing on one API server. For any thread."""

    def __init__(self, node: str, metrics: Metrics, kubeconfig: Path | None = None) -> None:
        """Raises SettingsError when it is not known how to reach the API server."""
        self._node = node
        self._metrics = metrics
        self._timeout = RequestTimeout(REQUEST_TIMEOUT, LONGEST_REQUEST)
        self._api = CustomObjectsApi(client_for("duravip-agent", kubeconfig))

    def get(self) -> Body:
        """Read the object as it is now; raises ApiError."""
        return self._request("get", self._api.get_cluster_custom_object)

    def patch_status(self, status: Body) -> Body:
        """Merge into the status; gives back the whole object as it was at that moment."""
        return self._request(
            "patch",
            self._api.patch_cluster_custom_object_status,
            body={"status": status},
            _content_type=MERGE_PATCH,
        )

    def watch(
        self,
        on_object: Callable[[Body], None],
        on_absent: Callable[[], None],
        on_error: Callable[[ApiError], None],
    ) -> Callable[[], None]:
        """Tell of the object and of each change, from a thread; gives what ends it."""
        informer = Informer(
            "the NodePlumbing",
            partial(
                self._api.list_cluster_custom_object,
                GROUP,
                VERSION,
                PLURAL,
                field_selector=f"metadata.name={self._node}",
            ),
            on_object,
            lambda _: on_absent(),
            on_listed=lambda items: None if items else on_absent(),
            on_trouble=on_error,
            watch_s=WATCH_S,
            silence_s=SILENCE_S,
            list_s=SILENCE_S,
        )
        informer.start()
        return informer.end

    def _request(self, verb: str, method: Callable[..., object], **options: object) -> Body:
        where = (GROUP, VERSION, PLURAL, self._node)
        try:
            body = request(method, *where, timeout=self._timeout, **options)
        except ApiError as error:
            self._metrics.requests.labels(verb, str(error.status or "none")).inc()
            raise
        self._metrics.requests.labels(verb, "200").inc()
        return body


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
        self._watch()
        Thread(target=self._run, name="spec-reader", daemon=True).start()

    def watch_again(self) -> None:
        """Watch from what the API server has now: it counts its versions from an earlier one."""
        self._end_watch()
        self._watch()

    def read_soon(self) -> None:
        """Read the object now: there is a newer one than the watch has brought."""
        self._wanted.set()

    def _watch(self) -> None:
        self._end_watch = self._cluster.watch(
            self.on_object,
            lambda: self._inbox.put(ObjectAbsent()),
            lambda error: self._inbox.put(ApiTrouble(error)),
        )

    def on_object(self, body: Body) -> None:
        """The watch has brought the object."""
        metadata, spec = body["metadata"], body.get("spec") or {}
        self._brought = (metadata.get("uid"), metadata.get("generation"), spec.get("epoch"))
        self._inbox.put(ObjectSeen(body))

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
