"""Services of type LoadBalancer, as tenants write them, and what is made of them."""

import json
from collections.abc import Mapping
from typing import Any, Final

from duravip_api.duravip import DuraVIPSpec
from duravip_operator.core import parsing
from duravip_operator.core.address_pools import parse_pool
from duravip_operator.core.service_objects import parse_service
from duravip_operator.core.service_statuses import status_patch
from duravip_operator.core.service_vips import ServiceSettings, plan_services
from fuzz.registry import IGNORED, Target, target

LAN: Final = parsing.topology(
    {"metadata": {"name": "lan"}, "spec": {"cidr": "10.1.0.0/16", "interface": "eth1"}}
)
NOW: Final = "2026-01-01T00:00:00Z"
ASKED: Final[list[dict[str, str]]] = [
    {"duravip.io/addresses": "10.1.1.1,fd00::1", "duravip.io/preference": "n1"},
    {"metallb.io/address-pool": "front", "duravip.io/node-selector": "rack=a,example.org/b="},
    {"duravip.io/vip": "front,back", "duravip.io/prefer-local": "true"},
]


@target("service")
def service() -> Target:
    """What a Service asks for, the DuraVIP that it gets, and the patch of its status."""
    ports = [{"port": 80, "protocol": "TCP", "name": "http"}, {"port": 53, "protocol": "UDP"}]
    spec = {"ports": ports, "ipFamilies": ["IPv4"], "loadBalancerIP": "10.1.1.2"}
    ingress = [{"ip": "10.1.1.3", "ipMode": "VIP"}, {"hostname": "a.example"}]
    status = {"loadBalancer": {"ingress": ingress}, "conditions": [{"type": "duravip.io/Ready"}]}
    pool = {"ranges": ["10.1.1.0/28", "10.1.2.1-10.1.2.9"], "namespaces": ["d"]}

    def check(data: bytes) -> str:
        try:
            found = json.loads(data)
        except (ValueError, RecursionError):
            return IGNORED
        if not isinstance(found, dict):
            return IGNORED
        meta = {"name": "web", "namespace": "d", "uid": "u", "annotations": found.get("notes")}
        written = found.get("spec")
        whole = written if isinstance(written, Mapping) else {}
        body: dict[str, Any] = {"metadata": meta, "status": found.get("status")}
        parsed = parse_service(body | {"spec": {**whole, "loadBalancerClass": "duravip.io/vip"}})
        front = parse_pool({"metadata": {"name": "front"}, "spec": found.get("pool")})
        plan = plan_services({parsed.key: parsed}, [front], [], [LAN], ServiceSettings())
        for made in plan.creates.values():
            DuraVIPSpec.model_validate(made["spec"])
            assert parsing.vip_object("DuraVIP", made).rejection is None
        for wanted in plan.statuses.values():
            assert len(json.dumps(status_patch(parsed, wanted, NOW))) < LONGEST_PATCH
        return f"{len(plan.creates)} {sorted(event.reason for event in plan.events)[:2]}"

    examples = [{"spec": spec, "notes": notes, "status": status, "pool": pool} for notes in ASKED]
    return Target(
        check, tuple(json.dumps(e).encode() for e in examples), longest=6000, within_s=0.2
    )


LONGEST_PATCH: Final = 20_000
