"""Watches the Services of type LoadBalancer, and the AddressPools that give them addresses.

The API server is asked for Services of that type alone: a cluster may have thousands of others.
Where the operator serves no Services nothing is watched at all.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

from kubernetes.client import CoreV1Api, CustomObjectsApi

from duravip_api import GROUP, PLURALS, VERSION
from duravip_operator.core.address_pools import AddressPool, parse_pool
from duravip_operator.core.service_objects import ServiceObject, parse_service
from duravip_operator.settings import Settings
from duravip_operator.watch.watched_objects import WatchedObjects
from duravip_runtime.kube import client_for

TYPE_SELECTOR: Final = "spec.type=LoadBalancer"


class LoadBalancers:
    """Services and pools, by `namespace/name` and by name. In the asyncio thread."""

    def __init__(self, settings: Settings) -> None:
        client = client_for("duravip-operator", settings.kubeconfig)
        services = CoreV1Api(client).list_service_for_all_namespaces
        pools = CustomObjectsApi(client).list_cluster_custom_object
        self.are_served = settings.serves_load_balancers
        """Whether the operator serves Services; otherwise there are none."""
        self.on_change: Callable[[], None] = lambda: None
        """Called when something differs."""
        self.services: WatchedObjects[ServiceObject] = WatchedObjects(
            "Service",
            partial(services, field_selector=TYPE_SELECTOR),
            parse_service,
            self._changed,
        )
        self.pools: WatchedObjects[AddressPool] = WatchedObjects(
            "AddressPool",
            partial(pools, GROUP, VERSION, PLURALS["AddressPool"]),
            parse_pool,
            self._changed,
        )

    @property
    def has_synced(self) -> bool:
        """Whether all were listed once: before that, what is missing may well exist."""
        return not self.are_served or (self.services.has_synced and self.pools.has_synced)

    def start(self) -> None:
        """Begin to watch, if there is anything to do with it."""
        if self.are_served:
            self.services.start()
            self.pools.start()

    def restart(self) -> None:
        """The API server's store has gone back: list everything now."""
        self.services.restart()
        self.pools.restart()

    def stop(self) -> None:
        """End the watches. A program that ends may do without."""
        self.services.stop()
        self.pools.stop()

    def _changed(self) -> None:
        self.on_change()
