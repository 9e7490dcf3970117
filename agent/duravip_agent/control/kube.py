"""This node's NodePlumbing on the API server: read, watched, and its status written."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol

from kubernetes.client import CustomObjectsApi

from duravip_agent.metrics import Metrics
from duravip_api import GROUP, PLURALS, VERSION
from duravip_api.timing import LONGEST_REQUEST, REQUEST_TIMEOUT
from duravip_runtime.api_error import ApiError, Body
from duravip_runtime.informer import Informer
from duravip_runtime.kube import MERGE_PATCH, client_for, request
from duravip_runtime.request_timeout import RequestTimeout

PLURAL = PLURALS["NodePlumbing"]
WATCH_S = 5
"""One watch lasts this long; a connection that froze is noticed soon after."""
SILENCE_S = 6.5


class ObjectHandler(Protocol):
    """Handles what the watch brings; called from the thread of the watch."""

    def on_object(self, body: Body) -> None:
        """The object looks like this now."""

    def on_absent(self) -> None:
        """There is no such object."""

    def on_error(self, error: ApiError) -> None:
        """It cannot be watched at this moment."""


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

    def watch(self, watcher: ObjectHandler) -> Callable[[], None]:
        """Tell `watcher` of the object and of each change, from a thread; gives what ends it."""

        def listed(items: list[Body]) -> None:
            if not items:
                watcher.on_absent()

        informer = Informer(
            "the NodePlumbing",
            partial(
                self._api.list_cluster_custom_object,
                GROUP,
                VERSION,
                PLURAL,
                field_selector=f"metadata.name={self._node}",
            ),
            watcher.on_object,
            lambda _: watcher.on_absent(),
            on_listed=listed,
            on_trouble=watcher.on_error,
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
