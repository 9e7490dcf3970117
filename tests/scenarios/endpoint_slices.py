"""EndpointSlices as scenarios write them: the state of each endpoint, by node."""

from collections.abc import Mapping
from typing import Any, Final

CONDITIONS: Final = {
    "ready": {"ready": True, "serving": True, "terminating": False},
    "unready": {"ready": False, "serving": False, "terminating": False},
    "serving": {"ready": False, "serving": True, "terminating": True},
    "ended": {"ready": False, "serving": False, "terminating": True},
}
NO_NODE: Final = "-"
"""Stands for the node of an endpoint that names none."""


def slice_of(service: str, states: Mapping[str, str]) -> dict[str, Any]:
    """The one EndpointSlice of a Service, `NAME` or `NAMESPACE/NAME`."""
    namespace, _, name = service.rpartition("/")
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "addressType": "IPv4",
        "metadata": {
            "name": f"{name}-1",
            "namespace": namespace or "default",
            "labels": {"kubernetes.io/service-name": name},
        },
        "endpoints": [
            {
                "addresses": [f"10.244.9.{number}"],
                "conditions": CONDITIONS[state],
                **({} if node == NO_NODE else {"nodeName": node}),
            }
            for number, (node, state) in enumerate(states.items(), 1)
        ],
    }
