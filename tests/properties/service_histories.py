"""Histories of Services: an API server, watches that lag, and leaders that die at any write.

The API server applies one write after the other; many objects are created in one second. Each of
its two watches (Services, DuraVIPs) reaches the leader in order, and as late as it likes. A leader
plans, and sends the writes of its plan; after each it may be replaced by another one, which lists
everything anew and remembers nothing.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, NamedTuple

from duravip_operator.core import parsing
from duravip_operator.core.address_pools import AddressPool, parse_pool
from duravip_operator.core.service_objects import parse_service
from duravip_operator.core.service_vips import ServicePlan, ServiceSettings, plan_services
from duravip_operator.core.snapshot import Topology, VipObject

Body = dict[str, Any]

NAMES = [f"{namespace}/{name}" for namespace in "ab" for name in ("x", "y", "z")]
ASKED = ["", "", "", "", "10.1.1.2", "10.1.1.3", "10.1.1.7"]
"""What a Service asks for: mostly nothing."""
PORTS = ["TCP/80", "TCP/443", "UDP/53"]
TOPOLOGY: Topology = parsing.topology(
    {"metadata": {"name": "lan"}, "spec": {"cidr": "10.1.1.0/24", "interface": "eth1"}}
)
POOL: AddressPool = parse_pool(
    {"metadata": {"name": "few"}, "spec": {"ranges": ["10.1.1.1-10.1.1.4"]}}
)


class Event(NamedTuple):
    """A change of one object; no body: it was deleted."""

    key: str
    body: Body | None


class Api:
    """What is stored, and all that has happened to it."""

    def __init__(self) -> None:
        self.clock = 0
        self.objects: dict[str, dict[str, Body]] = {"Service": {}, "DuraVIP": {}}
        self.log: dict[str, list[Event]] = {"Service": [], "DuraVIP": []}

    def put(self, kind: str, body: Body) -> None:
        """Store an object; it gets a uid and a time when it is new."""
        self.clock += 1
        meta = body["metadata"]
        key = f"{meta['namespace']}/{meta['name']}"
        known = self.objects[kind].get(key)
        kept = known["metadata"] if known else {}
        body = deepcopy(body)
        body["metadata"]["uid"] = kept.get("uid") or f"uid-{self.clock}"
        body["metadata"]["creationTimestamp"] = (
            kept.get("creationTimestamp") or f"{self.clock >> 5:09}"
        )
        body["metadata"]["resourceVersion"] = str(self.clock)
        self.objects[kind][key] = body
        self.log[kind].append(Event(key, body))

    def delete(self, kind: str, key: str) -> None:
        """Delete an object, if it is there."""
        if self.objects[kind].pop(key, None):
            self.log[kind].append(Event(key, None))

    def collect(self) -> None:
        """Delete the DuraVIPs whose Service is gone, as Kubernetes' garbage collector does."""
        alive = {body["metadata"]["uid"] for body in self.objects["Service"].values()}
        for key, body in [*self.objects["DuraVIP"].items()]:
            if body["metadata"]["ownerReferences"][0]["uid"] not in alive:
                self.delete("DuraVIP", key)

    def shared_wrongly(self) -> list[str]:
        """Addresses that Services have which may not share them, and ports that two have."""
        found: list[str] = []
        services = {body["metadata"]["uid"]: body for body in self.objects["Service"].values()}
        held: dict[str, list[tuple[Body, Body]]] = {}
        for body in self.objects["DuraVIP"].values():
            service = services.get(body["metadata"]["ownerReferences"][0]["uid"])
            if service:
                held.setdefault(body["spec"]["address"], []).append((service, body))
        for address, pairs in held.items():
            if len(pairs) > 1:
                asks = [s["metadata"]["annotations"].get("duravip.io/addresses") for s, _ in pairs]
                ports = Counter(
                    port
                    for service, vip in pairs
                    for port in _ports(service["spec"]["ports"]) & _ports(vip["spec"]["services"])
                )
                if set(asks) != {address}:
                    found.append(f"{address} was given out twice")
                if len({s["metadata"]["namespace"] for s, _ in pairs}) > 1:
                    found.append(f"{address} is that of two namespaces")
                found += [f"{port} of {address} is two's" for port, n in ports.items() if n > 1]
        return found


class Leader:
    """An operator that leads: its caches, what it has sent, and its last plan."""

    def __init__(self, api: Api, *, counts_unseen: bool) -> None:
        self._api = api
        self._counts_unseen = counts_unseen
        self._seen = {kind: len(log) for kind, log in api.log.items()}
        self._services = {k: parse_service(b) for k, b in api.objects["Service"].items()}
        self._vips = {k: _parsed(b) for k, b in api.objects["DuraVIP"].items()}
        self._versions = {
            key: body["metadata"]["resourceVersion"]
            for key, body in api.objects["DuraVIP"].items()
        }
        self._unseen: dict[str, tuple[str, VipObject]] = {}
        """By `namespace/name`: `(the version that a write led to, what was written)`."""
        self.last: ServicePlan | None = None

    def watch(self, kind: str, events: int) -> None:
        """So many events of a watch arrive."""
        start = self._seen[kind]
        for event in self._api.log[kind][start : start + events]:
            self._seen[kind] += 1
            if kind == "Service":
                _set(self._services, event.key, event.body and parse_service(event.body))
                continue
            _set(self._vips, event.key, event.body and _parsed(event.body))
            version = event.body["metadata"]["resourceVersion"] if event.body else ""
            _set(self._versions, event.key, version)
            sent = self._unseen.get(event.key)
            if sent and (not version or int(version) >= int(sent[0])):
                del self._unseen[event.key]

    def plan(self) -> ServicePlan:
        """The plan by what is known."""
        vips = [*self._vips.values()]
        if self._counts_unseen:
            vips += [vip for _, vip in self._unseen.values()]
        what: Any = (self._services, [POOL], vips, [TOPOLOGY], ServiceSettings())
        plan, fresh = plan_services(*what, last=self.last), plan_services(*what)
        assert plan[:4] == fresh[:4], "what is taken over from the last plan makes no difference"
        self.last = plan
        return plan

    def writes(self, plan: ServicePlan) -> Iterator[None]:
        """Send the writes of a plan, one after the other."""
        for key, body in plan.creates.items():
            if key not in self._api.objects["DuraVIP"]:
                self._put(key, body)
            yield
        for key, body in plan.updates.items():
            there = self._api.objects["DuraVIP"].get(key)
            if there and there["metadata"]["resourceVersion"] == self._versions.get(key):
                self._put(key, body)
            yield
        for key in sorted(plan.deletes):
            there = self._api.objects["DuraVIP"].get(key)
            if there and there["metadata"]["uid"] == self._vips[key].uid:
                self._api.delete("DuraVIP", key)
            yield

    def _put(self, key: str, body: Mapping[str, Any]) -> None:
        self._api.put("DuraVIP", dict(body))
        self._unseen[key] = (str(self._api.clock), parsing.vip_object("DuraVIP", body))


def service_body(key: str, asked: str, ports: list[str]) -> Body:
    """A Service that asks for an address, or for none."""
    namespace, _, name = key.partition("/")
    listed = [
        {"protocol": protocol, "port": int(port)}
        for protocol, port in (one.split("/") for one in ports)
    ]
    return {
        "metadata": {
            "namespace": namespace,
            "name": name,
            "annotations": {"duravip.io/addresses": asked} if asked else {},
        },
        "spec": {"loadBalancerClass": "duravip.io/vip", "ports": listed, "ipFamilies": ["IPv4"]},
    }


def settle(api: Api, leader: Leader, *, is_mending: bool = False) -> None:
    """All watches catch up, and plans are made until there is nothing to write.

    On the way nothing is shared wrongly, unless that is what is being mended.
    """
    for _ in range(50):
        for kind in ("Service", "DuraVIP"):
            leader.watch(kind, len(api.log[kind]))
        plan = leader.plan()
        if not (plan.creates or plan.updates or plan.deletes):
            assert not api.shared_wrongly()
            return
        for _ in leader.writes(plan):
            assert is_mending or not api.shared_wrongly()
    raise AssertionError("the world does not settle")


def _ports(listed: list[Body]) -> set[str]:
    return {f"{port['protocol']}/{port['port']}" for port in listed}


def _parsed(body: Body) -> VipObject:
    return parsing.vip_object("DuraVIP", body)


def _set(where: dict[str, Any], key: str, value: Any) -> None:
    if value:
        where[key] = value
    else:
        where.pop(key, None)
