"""Watches the EndpointSlices of the Services that some object names, and of no others.

A cluster may have tens of thousands of slices. The API server is asked for those alone whose
label names one of our Services, and the watch begins anew when the set of Services changes; what
was known stays until the new list has come. What is watched is known, whether it is still named or
not: a Service that is named again may be the same watch's. A slice is parsed when it arrives, in
the thread of the watch, and only on which nodes it has endpoints is kept.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final, NamedTuple

from kubernetes.client import DiscoveryV1Api

from duravip_operator.core.endpoints import (
    SERVICE_NAME_LABEL,
    ServiceEndpoints,
    merge_slices,
    parse_slice,
    service_of,
)
from duravip_operator.core.readiness import ServiceTable
from duravip_operator.settings import Settings
from duravip_runtime.informer import Informer
from duravip_runtime.kube import client_for

MAX_NAMES: Final = 250
"""Services that one watch names: proxies before an API server limit the length of a request."""
WATCH_S: Final = 5
SILENCE_S: Final = 6.5
"""How long one watch lasts, and how long it may say nothing: a frozen connection is noticed."""
RESTART_PAUSE_S: Final = 1.0
"""From one begin of the watches to the next, however many Services are named meanwhile."""
LIST_PATIENCE_S: Final = 1.0
"""A list is waited for so long before the Services of which nothing is known count as unknown."""


class _Slice(NamedTuple):
    """An EndpointSlice, parsed."""

    service: str
    name: str
    endpoints: ServiceEndpoints


class EndpointSlices:
    """Endpoints by Service. In the asyncio thread, but for what watches report."""

    def __init__(
        self,
        settings: Settings,
        on_change: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`on_change` is called when some Service has endpoints on other nodes than before."""
        client = client_for("duravip-operator", settings.kubeconfig)
        self._list = DiscoveryV1Api(client).list_endpoint_slice_for_all_namespaces
        self._on_change, self._clock = on_change, clock
        self._loop = asyncio.get_running_loop()
        self.services: dict[str, ServiceEndpoints] = {}
        """By `namespace/name`; a Service without a slice is missing."""
        self.has_synced = False
        """Whether all that were named at first have been listed."""
        self._slices: dict[str, dict[str, ServiceEndpoints]] = defaultdict(dict)
        """By Service and name of the slice."""
        self._named: frozenset[str] = frozenset()
        """The Services that are wanted."""
        self._watched: frozenset[str] = frozenset()
        self._unlisted: set[frozenset[str]] = set()
        """The parts of `_watched` that were not listed yet."""
        self._running: list[Informer] = []
        self._began = -RESTART_PAUSE_S
        self._round = 0
        self._retry: asyncio.TimerHandle | None = None

    def table(self) -> ServiceTable:
        """What is known, and what is on the way."""
        unread = self._named - self._watched  # their list begins soon
        if self._clock() < self._began + LIST_PATIENCE_S:
            unread = unread.union(*self._unlisted) & self._named
        return ServiceTable(self.services, unread)

    def follow(self, services: frozenset[str]) -> None:
        """Watch exactly these Services from now on."""
        self._named = services
        if not services <= self._watched or 2 * len(services) < len(self._watched):
            self._watch_soon()
        self.has_synced |= not services

    def restart(self) -> None:
        """The API server's store has gone back: list everything now."""
        self._watch()

    def stop(self) -> None:
        """End the watches. A program that ends may do without."""
        for informer in self._running:
            informer.stop()

    def _watch_soon(self) -> None:
        pause = self._began + RESTART_PAUSE_S - self._clock()
        if pause <= 0:
            self._watch()
        elif self._retry is None:
            self._retry = self._loop.call_later(pause, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        self._on_change()  # a pass comes here again

    def _watch(self) -> None:
        for informer in self._running:
            informer.end()
        self._began, self._retry = self._clock(), None
        self._round += 1
        self._watched = self._named
        for service in self._slices.keys() - self._watched:
            del self._slices[service]
            self.services.pop(service, None)
        names = sorted({_name_of(service) for service in self._watched})
        parts = [names[i : i + MAX_NAMES] for i in range(0, len(names), MAX_NAMES)]
        self._unlisted = {self._part(part) for part in parts}
        self._running = [self._informer(part, self._round) for part in parts]
        for informer in self._running:
            informer.start()
        self._loop.call_later(LIST_PATIENCE_S, self._on_change)

    def _part(self, names: Iterable[str]) -> frozenset[str]:
        part = frozenset(names)
        return frozenset(service for service in self._watched if _name_of(service) in part)

    def _informer(self, names: list[str], number: int) -> Informer:
        part = self._part(names)
        selector = f"{SERVICE_NAME_LABEL} in ({','.join(names)})"

        def listed(bodies: list[dict[str, Any]]) -> None:
            self._call(self._listed, number, part, [_parsed(body) for body in bodies])

        def seen(body: dict[str, Any]) -> None:
            self._call(self._seen, number, _parsed(body))
            body.pop("endpoints", None)  # the library keeps the object for ever

        def deleted(body: dict[str, Any]) -> None:
            self._call(self._deleted, number, _parsed(body))

        method = partial(self._list, label_selector=selector)
        return Informer(
            "EndpointSlice",
            method,
            seen,
            deleted,
            on_listed=listed,
            watch_s=WATCH_S,
            silence_s=SILENCE_S,
        )

    def _call(self, call: Callable[..., None], *args: object) -> None:
        self._loop.call_soon_threadsafe(call, *args)

    def _listed(self, number: int, part: frozenset[str], slices: list[_Slice]) -> None:
        if number != self._round:
            return
        by_service: dict[str, dict[str, ServiceEndpoints]] = {service: {} for service in part}
        for one in slices:
            if one.service in by_service:
                by_service[one.service][one.name] = one.endpoints
        is_news = [self._take(service, found) for service, found in by_service.items()]
        is_first = part in self._unlisted
        self._unlisted.discard(part)
        self.has_synced |= not self._unlisted
        if is_first or any(is_news):
            self._on_change()

    def _seen(self, number: int, one: _Slice) -> None:
        if number == self._round and one.service in self._watched:
            found = {**self._slices[one.service], one.name: one.endpoints}
            if self._take(one.service, found):
                self._on_change()

    def _deleted(self, number: int, one: _Slice) -> None:
        if number == self._round and one.service in self._watched:
            left = {name: e for name, e in self._slices[one.service].items() if name != one.name}
            if self._take(one.service, left):
                self._on_change()

    def _take(self, service: str, slices: dict[str, ServiceEndpoints]) -> bool:
        """Take all slices of a Service; whether its endpoints differ."""
        self._slices[service] = slices
        before = self.services.pop(service, None)
        if not slices:
            return before is not None
        after = merge_slices(slices.values())
        # The same object stays: passes see by identity that nothing is new.
        self.services[service] = before if before == after and before else after
        return before != after


def _parsed(body: Mapping[str, Any]) -> _Slice:
    return _Slice(service_of(body), str(body["metadata"]["name"]), parse_slice(body))


def _name_of(service: str) -> str:
    return service.rpartition("/")[2]
