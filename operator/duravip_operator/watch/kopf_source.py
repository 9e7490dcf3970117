"""The adapter to kopf: it watches the kinds that people write, and serves the webhooks.

Its handlers put bodies into the store, and decide and write nothing. kopf runs in a thread and an
asyncio loop of its own: it needs nearly a millisecond for each event, takes the signals of the
main thread, and at its end waits for every task that it finds in its loop. None of that may touch
the loop that a fail-over waits for.
"""

import asyncio
import logging
import threading
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

import kopf

from duravip_api import GROUP, PLURALS, VERSION
from duravip_operator.core.address_pools import AddressPool
from duravip_operator.health_checks import RestartHistory
from duravip_operator.metrics import Metrics
from duravip_operator.settings import Settings
from duravip_operator.watch import webhooks
from duravip_operator.watch.store import Kind, Store
from duravip_runtime.kube import PAGE, Credentials, credentials_from

log = logging.getLogger(__name__)

WATCHED_KINDS: Final[tuple[Kind, ...]] = ("DuraVIP", "Binding", "Topology")
STOP_TIMEOUT_S: Final = 1.0
"""How long kopf may take to end; after that the process ends without it."""


class _EndlessBackoff:
    """Pauses between the tries of a request, for ever: kopf ends when there are no more."""

    def __iter__(self) -> Iterator[float]:
        yield from (0.2, 0.5, 1.0)
        while True:
            yield 2.0


class KopfSource:
    """Runs kopf in a thread, again and again if need be, and says whether it stays up."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        metrics: Metrics,
        pools: Mapping[str, AddressPool] = MappingProxyType({}),
    ) -> None:
        """Of AddressPools, which are watched elsewhere, only the webhook asks."""
        self._settings = settings
        self._metrics = metrics
        self._restarts = RestartHistory("kopf")
        self._gate = webhooks.WebhookServer(settings, metrics) if settings.webhook_listen else None
        self._registry = make_registry(store, settings, metrics, pools)

    def problem(self) -> str:
        """Why people's objects are not watched, or not judged when they are written."""
        return self._restarts.problem() or (self._gate.problem() if self._gate else "")

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set."""
        flag = threading.Event()
        thread = threading.Thread(target=self._run, args=(flag,), name="kopf", daemon=True)
        thread.start()
        try:
            await stop.wait()
        finally:
            flag.set()
            await asyncio.to_thread(thread.join, STOP_TIMEOUT_S)

    def _run(self, stop: threading.Event) -> None:
        """Run kopf, and run it again when it ends for any reason but ours."""
        while not stop.is_set():
            why = "without a reason"
            try:
                asyncio.run(self._operator(stop))
            except BaseException as error:  # noqa: BLE001 - a framework may raise anything
                why = " ".join(str(error).split()) or type(error).__name__
            if stop.is_set():
                return
            self._metrics.kopf_restarts.inc()
            pause = self._restarts.record_end(why)
            log.warning("kopf has ended, and starts again in %g s: %s", pause, why)
            stop.wait(pause)

    async def _operator(self, stop: threading.Event) -> None:
        # Without one kopf asks for the user's name, which not every uid of a pod has.
        identity: Any = self._settings.identity
        await kopf.operator(
            registry=self._registry,
            settings=_kopf_settings(self._gate),
            identity=identity,
            standalone=True,
            clusterwide=True,
            stop_flag=stop,
        )


def make_registry(
    store: Store,
    settings: Settings,
    metrics: Metrics,
    pools: Mapping[str, AddressPool] = MappingProxyType({}),
) -> kopf.OperatorRegistry:
    """What kopf does with what it sees."""
    found = kopf.OperatorRegistry()

    @kopf.on.login(registry=found)
    def login(**_: Any) -> kopf.ConnectionInfo:
        return _connection_info(credentials_from(settings.kubeconfig))

    for kind in WATCHED_KINDS:
        _register_watch(kind, found, store)
    if settings.webhook_listen:
        webhooks.register(found, store, pools, settings, metrics)
    return found


def _register_watch(kind: Kind, into: kopf.OperatorRegistry, store: Store) -> None:
    @kopf.on.event(GROUP, VERSION, PLURALS[kind], id=f"see-{kind}", registry=into)
    async def see(event: kopf.RawEvent, **_: Any) -> None:
        if event["type"] == "DELETED":
            store.remove(kind, event["object"])
        else:
            store.put(kind, event["object"])


def _kopf_settings(gate: webhooks.WebhookServer | None) -> kopf.OperatorSettings:
    configured = kopf.OperatorSettings()
    if gate:
        configured.admission.server = gate
    configured.posting.enabled = False  # kopf's own events and ...
    configured.scanning.disabled = True  # ... CRD watches need permissions that we do not ask for
    configured.watching.chunk_size = PAGE
    configured.watching.connect_timeout = 3.0
    configured.networking.connect_timeout = 3.0
    configured.networking.request_timeout = 10.0
    configured.networking.error_backoffs = _EndlessBackoff()
    configured.queueing.exit_timeout = 0.2
    return configured


def _connection_info(found: Credentials) -> kopf.ConnectionInfo:
    scheme, _, token = found.authorization.rpartition(" ")
    return kopf.ConnectionInfo(
        server=found.server,
        ca_path=found.ca_file,
        insecure=not found.verify,
        scheme=scheme or None,
        token=token or None,
        certificate_path=found.cert_file,
        private_key_path=found.key_file,
    )
