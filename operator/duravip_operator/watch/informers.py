"""Feeds the store: informers, a periodic relist of every kind, the API server's own addresses.

Informers watch NodePlumbings and Nodes, and re-list right after a 410. kopf, which watches the
kinds that people write (`kopf_source`), then misses deletions: so every 30 s all kinds are listed
and compared with the store. The first such relist is what makes the store synced.

The addresses at which the API server is reached may be given to nobody. Those are the endpoints of
the Service `kubernetes`, and the host that this program itself speaks to. They change seldom, and
are read once a minute.
"""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import partial
from threading import Event, Thread
from typing import Any, Final
from urllib.parse import urlsplit

from kubernetes.client import CoreV1Api, CustomObjectsApi, DiscoveryV1Api

from duravip_api import GROUP, PLURALS, VERSION, timing
from duravip_api.addresses import parse_address
from duravip_operator.metrics import Metrics
from duravip_operator.settings import Settings
from duravip_operator.watch.store import KINDS, Kind, Store, observe, observe_unchanged
from duravip_runtime.api_error import MAX_PAUSE_S, ApiError
from duravip_runtime.informer import CONNECT_TIMEOUT_S, LIST_S, Informer
from duravip_runtime.kube import client_for, credentials_from, list_all

log = logging.getLogger(__name__)

LIST_TIMEOUT_S: Final = (CONNECT_TIMEOUT_S, LIST_S)
FIRST_RELIST_AFTER_S: Final = 1.0
"""The second relist comes so soon after the first, the third after twice that, and so on."""

FIRST_PAUSE_S: Final = 0.1
"""Before a list is tried again as long as there has been none."""

WATCHED: Final[dict[Kind, tuple[int | None, float]]] = {
    "NodePlumbing": (5, 6.5),
    "Node": (None, 75.0),
}
"""How long one watch lasts (None: as long as the API server likes), and how long it may say
nothing: a frozen connection is noticed after that. Bookmarks come every minute."""


class Informers:
    """Feeds the store from threads of its own, for ever."""

    def __init__(
        self,
        settings: Settings,
        into: Store,
        stopping: Event,
        metrics: Metrics,
    ) -> None:
        client = client_for("duravip-operator", settings.kubeconfig)
        custom = CustomObjectsApi(client)
        self._lists: dict[Kind, Callable[..., object]] = {
            kind: partial(custom.list_cluster_custom_object, GROUP, VERSION, PLURALS[kind])
            for kind in KINDS
            if kind != "Node"
        }
        self._lists["Node"] = CoreV1Api(client).list_node
        self._store = into
        self._relist = Relist(
            self._lists, into, stopping, lambda kind: metrics.missed_changes.labels(kind).inc()
        )
        self._running: list[Informer] = []

    def start(self) -> None:
        """Begin to watch, and to sweep."""
        self._watch()
        Thread(target=self._relist.run, name="sweep", daemon=True).start()

    def restart(self) -> None:
        """The store has gone back: list everything now, and watch from what is listed."""
        self._relist.relist_soon()
        for informer in self._running:
            informer.end()
        self._watch()

    def stop(self) -> None:
        """End the watches; `stopping` must be set. A program that ends may do without."""
        for informer in self._running:
            informer.stop()

    def _watch(self) -> None:
        self._running = [
            Informer(
                kind,
                self._lists[kind],
                partial(self._store.put, kind),
                partial(self._store.remove, kind),
                on_recovered=self._relist.relist_soon,
                watch_s=lasts,
                silence_s=silence,
            )
            for kind, (lasts, silence) in WATCHED.items()
        ]
        for informer in self._running:
            informer.start()


class Relist:
    """Compares the store with whole lists, now and every 30 s."""

    def __init__(
        self,
        lists: dict[Kind, Callable[..., object]],
        into: Store,
        stopping: Event,
        on_missed: Callable[[Kind], None] = lambda _: None,
    ) -> None:
        """`on_missed` is called when a list tells of a kind what no watch has told."""
        self._on_missed = on_missed
        self._lists = lists
        self._store = into
        self._stopping = stopping
        self._is_troubled = False
        self._soon = Event()

    def run(self) -> None:
        """Sweep until the program ends: often at first, while kopf has yet to begin."""
        pause, usual = 0.0, FIRST_RELIST_AFTER_S
        while not self._wait(pause):
            if self._soon.is_set():
                self._soon.clear()
                usual = FIRST_RELIST_AFTER_S
            pause, usual = usual, min(timing.SWEEP, 2 * usual)
            try:
                news = [self._relist(kind) for kind in KINDS]
                if any(news):
                    # kopf should have told us: until it is seen to do so again, ask often.
                    usual = FIRST_RELIST_AFTER_S
                self._note(None)
            except ApiError as error:
                self._note(error)
                pause = MAX_PAUSE_S if self._store.has_synced else FIRST_PAUSE_S
            except Exception:
                log.exception("a sweep failed; the next one comes in %g s", pause)

    def relist_soon(self) -> None:
        """The API server was away: kopf may miss what was deleted until it watches again."""
        self._soon.set()

    def _wait(self, pause: float) -> bool:
        """Wait until the next sweep; whether the program ends."""
        self._soon.wait(pause)
        return self._stopping.is_set()

    def _relist(self, kind: Kind) -> bool:
        """List a kind; whether that told anything new."""
        is_first = not self._store.has_synced
        restore_count = self._store.restore_count
        before = self._call_in_loop(self._store.snapshot_versions, kind)
        items, _ = list_all(self._lists[kind], _request_timeout=LIST_TIMEOUT_S)
        found = [
            seen
            for body in items
            if (seen := observe_unchanged(kind, body, before) or observe(kind, body))
        ]
        if self._store.restore_count != restore_count:
            return True  # it may have been read before that
        is_news = bool(self._call_in_loop(self._store.replace_all, kind, before, found))
        if is_news and not is_first:
            self._on_missed(kind)
        return is_news

    def _call_in_loop(self, call: Callable[..., Any], *args: Any) -> Any:
        """Call it in the asyncio thread and wait for what it gives."""
        answer: Future[Any] = Future()

        def there() -> None:
            try:
                answer.set_result(call(*args))
            except Exception as error:  # noqa: BLE001 - whatever it is, this thread gets it
                answer.set_exception(error)

        self._store.call_in_loop(there)
        return answer.result()

    def _note(self, error: ApiError | None) -> None:
        if error and not self._is_troubled:
            log.warning("cannot list all kinds: %s", error)
        elif not error and self._is_troubled:
            log.info("all kinds were listed again")
        self._is_troubled = error is not None


HOSTS_EVERY_S: Final = 60.0
HOSTS_RETRY_S: Final = 2.0
_ENDPOINTS_SELECTOR: Final = "kubernetes.io/service-name=kubernetes"


class ApiHostsReader:
    """Reads the addresses of the API server, in a thread of its own."""

    def __init__(self, settings: Settings, into: Store, stopping: Event) -> None:
        client = client_for("duravip-operator", settings.kubeconfig)
        self._own = credentials_from(settings.kubeconfig).server
        self._list = DiscoveryV1Api(client).list_namespaced_endpoint_slice
        self._store, self._stopping = into, stopping
        self._is_troubled = False

    def start(self) -> None:
        """Begin to read."""
        Thread(target=self._run, name="api-hosts", daemon=True).start()

    def _run(self) -> None:
        pause = 0.0
        while not self._stopping.wait(pause):
            try:
                slices, _ = list_all(
                    self._list,
                    "default",
                    label_selector=_ENDPOINTS_SELECTOR,
                    _request_timeout=LIST_TIMEOUT_S,
                )
                self._is_troubled, pause = False, HOSTS_EVERY_S
            except ApiError as error:
                if not self._is_troubled:
                    log.warning("cannot read the endpoints of the API server: %s", error)
                self._is_troubled, slices = True, None
                pause = HOSTS_EVERY_S if error.is_refused else HOSTS_RETRY_S
            if slices is not None or not self._store.api_hosts:
                hosts = frozenset(api_addresses(slices or [], self._own))
                self._store.call_in_loop(self._store.set_api_hosts, hosts)


def api_addresses(slices: list[dict[str, Any]], server: str) -> Iterator[str]:
    """The addresses of EndpointSlices, and of the URL of a server that is named by one."""
    named = [urlsplit(server).hostname or ""]
    for one in slices:
        for endpoint in one.get("endpoints") or ():
            named += endpoint.get("addresses") or ()
    for address in named:
        try:
            yield str(parse_address(address))
        except ValueError:
            continue  # a name
