"""The addresses at which the API server is reached: nobody may be given them.

Those are the endpoints of the Service `kubernetes`, and the host that this program itself speaks
to. They change seldom, and are read once a minute.
"""

import logging
from collections.abc import Iterator
from threading import Event, Thread
from typing import Any, Final
from urllib.parse import urlsplit

from kubernetes.client import DiscoveryV1Api

from duravip_api.addresses import parse_address
from duravip_operator.settings import Settings
from duravip_operator.watch.store import Store
from duravip_runtime.api_error import ApiError
from duravip_runtime.kube import client_for, credentials_from, list_all

log = logging.getLogger(__name__)

READ_EVERY_S: Final = 60.0
RETRY_EVERY_S: Final = 2.0
_SELECTOR: Final = "kubernetes.io/service-name=kubernetes"
_TIMEOUT_S: Final = (3.0, 10.0)


class ApiHostsReader:
    """Reads them in a thread of its own."""

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
                    self._list, "default", label_selector=_SELECTOR, _request_timeout=_TIMEOUT_S
                )
                self._is_troubled, pause = False, READ_EVERY_S
            except ApiError as error:
                if not self._is_troubled:
                    log.warning("cannot read the endpoints of the API server: %s", error)
                self._is_troubled, slices = True, None
                pause = READ_EVERY_S if error.is_refused else RETRY_EVERY_S
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
