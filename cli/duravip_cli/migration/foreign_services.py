"""Services of type LoadBalancer as other programs serve them: what they ask for, and with what."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from duravip_api.services import LOAD_BALANCER_CLASS
from duravip_cli.objects import Body, annotations_of, label_of, spec_of
from duravip_runtime.text import summarize

_ADDRESS_ANNOTATIONS: Final = (
    "kube-vip.io/loadbalancerIPs",
    "metallb.io/loadBalancerIPs",
    "metallb.universe.tf/loadBalancerIPs",
    "purelb.io/addresses",
)
_SHARING: Final = "no key is needed: Services of one namespace that ask for an address share it"
_EGRESS: Final = "pods keep their own source address: there is no egress yet"
WITHOUT_COUNTERPART: Final[Mapping[str, Mapping[str, str]]] = {
    "metallb": {
        "metallb.io/allow-shared-ip": _SHARING,
        "metallb.universe.tf/allow-shared-ip": _SHARING,
    },
    "kube-vip": {
        "kube-vip.io/egress": _EGRESS,
        "kube-vip.io/serviceInterface": "the interface is the Topology's",
        "kube-vip.io/loadbalancerHostname": "there are no addresses by DHCP",
        "kube-vip.io/forwardUPNP": "no port is opened on a router",
        "kube-vip.io/ignore": "what is not to be served needs another loadBalancerClass",
        "kube-vip.io/ignore-service-security": "undeclared ports are always closed",
        "kube-vip.io/rp_filter": "rp_filter is never written",
    },
    "purelb": {
        "purelb.io/allow-shared-ip": _SHARING,
        "purelb.io/service-group": "it is not read: annotate it with duravip.io/pool",
        "purelb.io/addresses": "it is not read: annotate it with duravip.io/addresses",
        "purelb.io/multi-pool": "a Service gets one address of each family",
    },
}
"""By program: annotations that have no effect here, and why."""


def is_load_balancer(service: Body) -> bool:
    """Whether it is of type LoadBalancer."""
    return spec_of(service).get("type") == "LoadBalancer"


def asked_addresses(service: Body) -> list[str]:
    """The addresses that a Service of type LoadBalancer names, in whosever words."""
    if not is_load_balancer(service):
        return []
    notes = annotations_of(service)
    given = [str(notes[key]) for key in _ADDRESS_ANNOTATIONS if notes.get(key)]
    given.append(str(spec_of(service).get("loadBalancerIP") or ""))
    found = [part.strip() for text in given for part in text.split(",")]
    return list(dict.fromkeys(filter(None, found)))


def service_notes(program: str, services: Iterable[Body]) -> Iterator[str]:
    """What Services of this program have to do with, one line a cause."""
    causes: dict[str, list[str]] = defaultdict(list)
    for service in filter(is_load_balancer, services):
        label = label_of("Service", service)
        for key, why in WITHOUT_COUNTERPART[program].items():
            if key in annotations_of(service):
                causes[f"{key}: no counterpart: {why}"].append(label)
        name = str(spec_of(service).get("loadBalancerClass") or "")
        if name not in {"", LOAD_BALANCER_CLASS}:
            causes[
                f"loadBalancerClass {name} cannot be changed: start the operator with "
                f"--load-balancer-class {name}, or make the Service anew"
            ].append(label)
    for cause, labels in causes.items():
        yield f"{summarize(labels)}: {cause}"
