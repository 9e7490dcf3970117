"""The API server: this node's NodePlumbing, watched, and its status, written.

Whatever the server answers, or does not, becomes an ApiError here and nowhere else.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import urllib3
from kubernetes import config
from kubernetes.client import ApiClient, Configuration, CustomObjectsApi
from kubernetes.client.exceptions import ApiException, OpenApiException
from kubernetes.informer import ADDED, DELETED, ERROR, MODIFIED, SharedInformer

from duravip_agent.core.api_error import ApiError, Body
from duravip_agent.core.retry import pause_after
from duravip_agent.metrics import Metrics
from duravip_api import GROUP, VERSION
from duravip_api.timing import LONGEST_REQUEST, REQUEST_TIMEOUT
from duravip_runtime.credentials import Renewing, kubeconfigs_of
from duravip_runtime.request_timeout import Patience
from duravip_runtime.settings import PROGRAM_VERSION

log = logging.getLogger(__name__)

PLURAL = "nodeplumbings"
USER_AGENT = f"duravip-agent/{PROGRAM_VERSION}"
"""What the API server takes for the manager of the fields that are written."""
WATCH_SECONDS = 5
"""One watch lasts this long; a connection that froze is noticed soon after."""

_WATCH_TIMEOUT = (3.0, 6.5)
_MERGE_PATCH = "application/merge-patch+json"


class Watcher(Protocol):
    """Whoever is told about the object; called from the thread of the watch."""

    def seen(self, body: Body) -> None:
        """The object looks like this now."""

    def absent(self) -> None:
        """There is no such object."""

    def troubled(self, error: ApiError) -> None:
        """It cannot be watched at this moment."""


class Client(Renewing, ApiClient):
    """A client that follows its credentials."""


class Cluster:
    """One node's NodePlumbing on one API server. For any thread."""

    def __init__(
        self, node: str, configuration: Configuration, metrics: Metrics,
        kubeconfig: Path | None = None,
    ) -> None:  # fmt: skip
        self._node = node
        self._metrics = metrics
        self._patience = Patience(REQUEST_TIMEOUT, LONGEST_REQUEST)
        configuration.retries = False
        client = Client(configuration)
        client.user_agent = USER_AGENT  # type: ignore[attr-defined]
        client.follow(partial(_loaded, kubeconfig), kubeconfigs_of(kubeconfig))
        self._api = CustomObjectsApi(client)

    def get(self) -> Body:
        """Read the object as it is now."""
        return self._asked("get", self._api.get_cluster_custom_object)

    def patch_status(self, status: Body) -> Body:
        """Merge into the status; gives back the whole object as it was at that moment."""
        return self._asked(
            "patch",
            self._api.patch_cluster_custom_object_status,
            body={"status": status},
            _content_type=_MERGE_PATCH,
        )

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Tell `watcher` of the object and of each change, from a thread; gives what ends it."""
        watch = _Watch(self._api, self._node, watcher)
        watch.start()
        return watch.stop

    def _asked(self, verb: str, call: Callable[..., object], **options: object) -> Body:
        options.setdefault("_request_timeout", self._patience.timeout)
        started = time.monotonic()
        try:
            answer = call(GROUP, VERSION, PLURAL, self._node, **options)
        except (OpenApiException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            found = _translated(error)
            took = time.monotonic() - started
            (self._patience.answered if found.status else self._patience.unanswered)(took)
            self._metrics.requests.labels(verb, str(found.status or "none")).inc()
            raise found from error
        self._patience.answered(time.monotonic() - started)
        self._metrics.requests.labels(verb, "200").inc()
        if not isinstance(answer, dict):
            raise ApiError(f"the API server answered with {type(answer).__name__}")
        return answer


_INFORMER: Any = SharedInformer  # has no types


class _Watch:
    """Feeds a SharedInformer, which survives what a plain watch does not: see tests/api."""

    def __init__(self, api: CustomObjectsApi, node: str, watcher: Watcher) -> None:
        self._api = api
        self._selector = f"metadata.name={node}"
        self._watcher = watcher
        self._failures = 0
        self._stopped = threading.Event()
        self._informer: Any = None

    def start(self) -> None:
        def asked(**options: Any) -> object:
            return self._watched(options) if options.get("watch") else self._listed(options)

        informer = _INFORMER(asked, key_func=lambda body: body["metadata"]["name"])
        informer.add_event_handler(ADDED, self._seen)
        informer.add_event_handler(MODIFIED, self._seen)
        informer.add_event_handler(DELETED, lambda _: self._absent())
        informer.add_event_handler(ERROR, self._failed)
        self._informer = informer
        informer.start()

    def stop(self) -> None:
        """Tell of nothing any more; its threads end in a while."""
        self._stopped.set()
        threading.Thread(target=self._informer.stop, name="watch-end", daemon=True).start()

    def _seen(self, body: Body) -> None:
        if not self._stopped.is_set():
            self._watcher.seen(body)

    def _absent(self) -> None:
        if not self._stopped.is_set():
            self._watcher.absent()

    def _watched(self, options: Body) -> object:
        response = self._api.list_cluster_custom_object(
            GROUP,
            VERSION,
            PLURAL,
            field_selector=self._selector,
            allow_watch_bookmarks=True,
            timeout_seconds=WATCH_SECONDS,
            _request_timeout=_WATCH_TIMEOUT,
            **options,
        )
        self._failures = 0
        return response

    def _listed(self, options: Body) -> object:
        """List until it works: the informer itself would pause for 5 s after each failure."""
        while not self._stopped.is_set():
            try:
                found: Any = self._api.list_cluster_custom_object(
                    GROUP,
                    VERSION,
                    PLURAL,
                    field_selector=self._selector,
                    _request_timeout=_WATCH_TIMEOUT,
                    **options,
                )
            except (OpenApiException, urllib3.exceptions.HTTPError, OSError) as error:
                self._failed(error)
                continue
            if not found["items"]:
                self._absent()
            version = found["metadata"]["resourceVersion"]
            metadata = SimpleNamespace(resource_version=version)
            return SimpleNamespace(items=found["items"], metadata=metadata)
        raise ApiError("the watch was ended")

    def _failed(self, error: object) -> None:
        """Wait, which the informer does not do by itself: it would spin."""
        found = _translated(error)
        if found.status == 410:  # noqa: PLR2004 - Gone: it lists again at once
            return
        if self._stopped.is_set():
            return
        self._failures += 1
        self._watcher.troubled(found)
        self._stopped.wait(pause_after(self._failures, found.retry_after))


def configuration_from(kubeconfig: Path | None) -> Configuration:
    """How to reach the API server; raises ValueError with a sentence when that is not known."""
    configuration = Configuration()
    try:
        if kubeconfig is not None:
            config.load_kube_config(str(kubeconfig), client_configuration=configuration)
        elif "KUBERNETES_SERVICE_HOST" in os.environ:
            config.load_incluster_config(client_configuration=configuration)
        else:
            config.load_kube_config(client_configuration=configuration)
    except Exception as error:
        where = kubeconfig or "no kubeconfig was given and this is no pod"
        line = " ".join(str(error).split())
        raise ValueError(f"cannot read how to reach the API server ({where}): {line}") from error
    return configuration


def _loaded(kubeconfig: Path | None) -> Configuration:
    configuration = configuration_from(kubeconfig)
    configuration.retries = False
    return configuration


def _translated(error: object) -> ApiError:
    if isinstance(error, ApiError):
        return error
    if not isinstance(error, ApiException):
        return ApiError(f"no answer: {' '.join(str(error).split())}")
    body = " ".join(str(error.body or error.reason or "").split())
    headers = error.headers or {}
    after = headers.get("Retry-After", "")
    pause = float(after) if str(after).isdigit() else 0.0
    return ApiError(f"{error.status}: {body[:500]}", error.status or 0, pause)
