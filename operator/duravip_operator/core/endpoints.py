"""EndpointSlices: on which nodes a Service has endpoints, by the conditions of each.

kube-proxy's own rule decides what an endpoint is good for. It is *ready* unless its slice says
otherwise, and a terminating one is not ready any more, but may still *serve* for a while
(KEP-1669). The pods of a Service with `publishNotReadyAddresses` are listed as ready: so they are.

A slice is written by a controller, or by anybody who may write one: whatever cannot be parsed
counts as absent, and so does what is beyond the API's own limit.
"""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Final, NamedTuple

from duravip_api.untrusted import mapping_of

SERVICE_NAME_LABEL: Final = "kubernetes.io/service-name"
MAX_ENDPOINTS: Final = 1000
"""More endpoints of one slice are ignored: the API server accepts no more."""

NO_NODES: frozenset[str] = frozenset()


class ServiceEndpoints(NamedTuple):
    """On which nodes a Service has endpoints, or one slice of it has."""

    ready: frozenset[str] = NO_NODES
    """Nodes with an endpoint that is ready and not terminating."""
    serving: frozenset[str] = NO_NODES
    """Other nodes, with one that is terminating and still serves."""
    is_anywhere: bool = False
    """Whether a ready endpoint names no node: it is reached from any of them."""


def service_key(namespace: str, name: str) -> str:
    """What identifies a Service, e.g. `mail/web`."""
    return f"{namespace}/{name}"


def service_of(body: Mapping[str, Any]) -> str:
    """The Service that an EndpointSlice belongs to; empty: none."""
    meta = mapping_of(body.get("metadata"))
    name = str(mapping_of(meta.get("labels")).get(SERVICE_NAME_LABEL) or "")
    return service_key(str(meta.get("namespace") or ""), name) if name else ""


def parse_slice(body: Mapping[str, Any]) -> ServiceEndpoints:
    """The endpoints of an EndpointSlice."""
    listed = body.get("endpoints")
    ready: set[str] = set()
    serving: set[str] = set()
    is_anywhere = False
    for item in islice(listed if isinstance(listed, list) else (), MAX_ENDPOINTS):
        endpoint = mapping_of(item)
        conditions = mapping_of(endpoint.get("conditions"))
        is_ready = conditions.get("ready") is not False
        is_terminating = conditions.get("terminating") is True
        node = endpoint.get("nodeName")
        if is_ready and not is_terminating:
            is_anywhere |= not node
            ready.add(str(node or ""))
        elif is_ready or conditions.get("serving") is True:
            serving.add(str(node or ""))
    return ServiceEndpoints(
        frozenset(ready - {""}), frozenset(serving - ready - {""}), is_anywhere
    )


def merge_slices(slices: Iterable[ServiceEndpoints]) -> ServiceEndpoints:
    """The endpoints of a Service with these slices."""
    parts = list(slices)
    if len(parts) == 1:
        return parts[0]
    ready = NO_NODES.union(*(part.ready for part in parts))
    serving = NO_NODES.union(*(part.serving for part in parts)) - ready
    return ServiceEndpoints(ready, serving, any(part.is_anywhere for part in parts))
