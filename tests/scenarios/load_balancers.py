"""Services of type LoadBalancer in a scenario: what the operator writes for them."""

from collections.abc import Mapping
from typing import Any

from duravip_operator.core import parsing
from duravip_operator.core.address_pools import PoolStatus, parse_pool
from duravip_operator.core.service_objects import parse_service
from duravip_operator.core.service_statuses import status_patch
from duravip_operator.core.service_vips import ServicePlan, ServiceSettings, plan_services

Body = dict[str, Any]
Key = tuple[str, str, str]
CLASS = "duravip.io/vip"


def service_spec(spec: Mapping[str, Any]) -> Body:
    """A Service's spec as the API server completes it; its ports are written as `TCP/80`."""
    ports = [one.partition("/") for one in spec.get("ports", ["TCP/80"])]
    return {
        "type": "LoadBalancer",
        "loadBalancerClass": CLASS,
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
        **spec,
        "ports": [{"protocol": protocol, "port": int(port)} for protocol, _, port in ports],
    }


class LoadBalancers:
    """The part of a world that gives Services their addresses."""

    objects: dict[Key, Body]
    services_are_default: bool
    told: list[tuple[str, str]]
    """`(namespace/name of the Service, reason)` of the Events since the step began."""
    pools: Mapping[str, PoolStatus]
    _planned: ServicePlan | None = None

    def leave_status(self, addresses: Mapping[str, list[str]]) -> None:
        """Another controller has given Services these addresses."""
        for name, listed in addresses.items():
            ingress = [{"ip": address} for address in listed]
            self.objects["Service", "default", name]["status"] = {
                "loadBalancer": {"ingress": ingress}
            }

    def restart_operator(self, _: object) -> None:
        """Another replica leads, which has made no plan before."""
        self._planned = None

    def _plan_services(self, time: str) -> None:
        """One plan, and everything that it writes."""
        bodies = {kind: [b for k, b in self.objects.items() if k[0] == kind] for kind in _KINDS}
        services = {one.key: one for one in map(parse_service, bodies["Service"])}
        pools = list(map(parse_pool, bodies["AddressPool"]))
        if not (services or pools or self._planned):
            return
        plan = self._planned = plan_services(
            services,
            pools,
            [
                parsing.vip_object("Binding" if kind == "Binding" else "DuraVIP", body)
                for kind in ("DuraVIP", "Binding")
                for body in bodies[kind]
            ],
            map(parsing.topology, bodies["Topology"]),
            ServiceSettings(is_default=self.services_are_default),
            last=self._planned,
        )
        for key in plan.deletes:
            del self.objects["DuraVIP", *_split(key)]
        for key, body in (*plan.creates.items(), *plan.updates.items()):
            self._put_generated(("DuraVIP", *_split(key)), body)
        for key, status in plan.statuses.items():
            patch = status_patch(services[key], status, time)
            if patch:
                self.objects["Service", *_split(key)]["status"] |= patch["status"]
        self.told += [(event.service, event.reason) for event in plan.events]
        self.pools = plan.pools

    def _put_generated(self, key: Key, body: Mapping[str, Any]) -> None:
        known = self.objects.get(key)
        meta = known["metadata"] if known else self._new_metadata(key)
        generation = meta["generation"] + 1
        self.objects[key] = {
            "metadata": {**meta, **body["metadata"], "generation": generation},
            "spec": body["spec"],
            "status": known["status"] if known else {},
        }

    def _new_metadata(self, key: Key) -> Body:
        raise NotImplementedError

    def look_at_service(self, namespace: str, name: str) -> Body:
        """What `then` can ask of a Service."""
        status = self.objects["Service", namespace, name]["status"]
        ingress = (status.get("loadBalancer") or {}).get("ingress") or []
        ready: Body = next(iter(status.get("conditions", [])), {})
        return {
            "ingress": [item["ip"] for item in ingress],
            "ready": ready.get("status"),
            "reason": ready.get("reason"),
            "message": ready.get("message"),
            "told": [reason for key, reason in self.told if key == f"{namespace}/{name}"],
        }


_KINDS = ("Service", "AddressPool", "DuraVIP", "Binding", "Topology")


def _split(key: str) -> tuple[str, str]:
    namespace, _, name = key.partition("/")
    return namespace, name
