"""Checks at the start that the kinds are installed and the permissions granted.

What a person must mend ends the start with one line; an API server that is away is waited for.
"""

import logging
import time
from collections.abc import Callable
from functools import partial
from threading import Event

from kubernetes.client import CoordinationV1Api, CoreV1Api, CustomObjectsApi, DiscoveryV1Api

from duravip_api import GROUP, PLURALS, VERSION
from duravip_operator.settings import Settings
from duravip_runtime.api_error import ApiError
from duravip_runtime.kube import client_for, request
from duravip_runtime.settings import SettingsError

log = logging.getLogger(__name__)

RETRY_EVERY_S = 0.5
LOG_EVERY_S = 60.0
FORBIDDEN_FOR_S = 3.0
"""A refusal must last this long: an API server that has just started refuses what it allows."""


def preflight(settings: Settings, stopping: Event) -> None:
    """Try each permission to read once; raises SettingsError for the first that is missing."""
    client = client_for("duravip-operator", settings.kubeconfig)
    custom, core, leases = CustomObjectsApi(client), CoreV1Api(client), CoordinationV1Api(client)
    for plural in PLURALS.values():
        call = partial(custom.list_cluster_custom_object, GROUP, VERSION, plural, limit=1)
        _require(call, f"list {plural}.{GROUP}", plural, stopping)
    _require(partial(core.list_node, limit=1), "list nodes", "nodes", stopping)
    if settings.serves_load_balancers:
        services = partial(core.list_service_for_all_namespaces, limit=1)
        _require(services, "list services", "services", stopping)
    slices = DiscoveryV1Api(client).list_endpoint_slice_for_all_namespaces
    _require(partial(slices, limit=1), "list endpointslices", "endpointslices", stopping)
    namespace = settings.namespace
    call = partial(leases.list_namespaced_lease, namespace, limit=1)
    _require(call, f"list leases in the namespace {namespace}", "leases", stopping)


def _require(call: Callable[..., object], permission: str, kind: str, stopping: Event) -> None:
    """Make one request until it is answered."""
    said, say_at, refused_since = False, 0.0, None
    while not stopping.is_set():
        try:
            request(call)
        except ApiError as error:
            if error.is_absent:
                raise SettingsError(
                    f"the API server does not know the kind {kind}: apply DuraVIP's "
                    "CustomResourceDefinitions first (the folder crds/ of the chart)"
                ) from error
            now = time.monotonic()
            refused_since = (refused_since or now) if error.is_refused else None
            if refused_since is not None and now - refused_since >= FORBIDDEN_FOR_S:
                raise SettingsError(f"the operator may not {permission}: {error}") from error
            if not (error.is_refused or error.is_transient):
                raise SettingsError(f"cannot {permission}: {error}") from error
            if time.monotonic() >= say_at:
                say_at = time.monotonic() + LOG_EVERY_S
                log.warning("the API server does not answer yet: %s", error)
            said = True
            stopping.wait(RETRY_EVERY_S)
        else:
            if said:
                log.info("the API server answers")
            return
