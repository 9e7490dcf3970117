"""Watches objects for as long as the program runs, through the client's SharedInformer.

That lists again as it should after a 410, and when a watch ends (see tests/api). What it lacks is
added here: a failed list or watch is tried again by `api_error.pause_after`, where the library
would wait for 5 s or not at all, and a connection that has frozen is noticed.
"""

import logging
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final

from kubernetes.informer import ADDED, DELETED, ERROR, MODIFIED, SharedInformer

from duravip_runtime.api_error import ApiError, Body, pause_after
from duravip_runtime.kube import list_all, to_api_error

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S: Final = 3.0
LIST_S: Final = 10.0
"""What one page of a list may take, after the connection."""
_INFORMER: Any = SharedInformer  # it has no types


class Informer:
    """Tells of each object of one list, and of each change, from a thread of its own."""

    def __init__(
        self,
        what: str,
        method: Callable[..., object],
        on_object: Callable[[Body], None],
        on_deleted: Callable[[Body], None],
        *,
        on_listed: Callable[[list[Body]], None] = lambda _: None,
        on_trouble: Callable[[ApiError], None] = lambda _: None,
        on_recovered: Callable[[], None] = lambda: None,
        watch_s: int | None = None,
        silence_s: float = 75.0,
        list_s: float = LIST_S,
    ) -> None:
        """`what` is watched, for the log, by `method`, a list call of the client.

        `on_trouble` is called for each failure, and `on_recovered` once when a watch begins after
        one. A watch lasts `watch_s` seconds (None: as long as the API server likes) and fails
        when it is silent for `silence_s`, bookmarks included; a list may take `list_s`.
        """
        self._what, self._method = what, method
        self._on_object, self._on_deleted, self._on_listed = on_object, on_deleted, on_listed
        self._on_trouble, self._on_recovered = on_trouble, on_recovered
        self._watch_s = watch_s
        self._watch_timeout = (CONNECT_TIMEOUT_S, silence_s)
        self._list_timeout = (CONNECT_TIMEOUT_S, list_s)
        self._failures = 0
        self._ended = threading.Event()
        self._informer: Any = None

    def start(self) -> None:
        """Begin to watch."""

        # Without the annotation the library forgets the resourceVersion that it has reached.
        def method(**options: Any) -> object:
            return self._watch(options) if options.get("watch") else self._list(options)

        informer = _INFORMER(method, key_func=_key)
        informer.add_event_handler(ADDED, self._unless_ended(self._on_object))
        informer.add_event_handler(MODIFIED, self._unless_ended(self._on_object))
        informer.add_event_handler(DELETED, self._unless_ended(self._on_deleted))
        informer.add_event_handler(ERROR, self._failed)
        self._informer = informer
        informer.start()

    def end(self) -> None:
        """Tell of nothing any more; the thread ends in a while."""
        self._ended.set()
        threading.Thread(target=self._informer.stop, name="watch-end", daemon=True).start()

    def stop(self) -> None:
        """Tell of nothing any more, and wait for the thread to end."""
        self._ended.set()
        self._informer.stop()

    def _unless_ended(self, handler: Callable[[Body], None]) -> Callable[[Body], None]:
        return lambda body: None if self._ended.is_set() else handler(body)

    def _watch(self, options: dict[str, Any]) -> object:
        if self._watch_s:
            options["timeout_seconds"] = self._watch_s
        response = self._method(
            allow_watch_bookmarks=True, _request_timeout=self._watch_timeout, **options
        )
        if self._failures:
            log.info("%s is watched again", self._what)
            self._on_recovered()
        self._failures = 0
        return response

    def _list(self, options: dict[str, Any]) -> object:
        while not self._ended.is_set():
            try:
                items, version = list_all(
                    self._method, _request_timeout=self._list_timeout, **options
                )
            except ApiError as error:
                self._failed(error)
                continue
            if not self._ended.is_set():
                self._on_listed(items)
            return SimpleNamespace(items=items, metadata=SimpleNamespace(resource_version=version))
        raise ApiError("the watch was ended")

    def _failed(self, raised: object) -> None:
        error = to_api_error(raised)
        if error.is_gone or self._ended.is_set():
            return  # a new list follows at once
        self._failures += 1
        if self._failures == 1:
            log.warning("cannot watch %s: %s", self._what, error)
        self._on_trouble(error)
        self._ended.wait(pause_after(self._failures, error.retry_after))


def _key(body: Body) -> tuple[str, str]:
    meta = body["metadata"]
    return meta.get("namespace", ""), meta["name"]
