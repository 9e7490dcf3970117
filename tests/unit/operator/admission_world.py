"""A small cluster for the tests of admission, and what people write in it."""

from typing import Any

from duravip_api.nodeplumbing import Nic
from duravip_operator.core import admission, parsing
from duravip_operator.core.snapshot import Node, Plumbing, Snapshot, Topology, VipObject

NIC = Nic(name="eth1", index=2, up=True, carrier=True, addresses=["10.1.0.11/16", "fd00:1::11/64"])


def topology(name: str = "lan", cidr: str = "10.1.0.0/16", **spec: Any) -> Topology:
    meta = {"name": name, "uid": name, "creationTimestamp": "2026-01-01T00:00:00Z"}
    spec = {"cidr": cidr, "interface": "eth1", **spec}
    return parsing.topology({"metadata": meta, "spec": spec})


def duravip(path: str, address: str, **spec: Any) -> VipObject:
    return parsing.vip_object("DuraVIP", _body(path, address, spec))


def binding(path: str, address: str, **spec: Any) -> VipObject:
    return parsing.vip_object("Binding", _body(path, address, spec))


def _body(path: str, address: str, spec: dict[str, Any]) -> dict[str, Any]:
    namespace, _, name = path.partition("/")
    meta = {"namespace": namespace, "name": name, "uid": path}
    meta["creationTimestamp"] = "2026-01-02T00:00:00Z"
    return {"metadata": meta, "spec": {"address": address, **spec} if address else spec}


def world(*vips: VipObject, topologies: tuple[Topology, ...] = (topology(),)) -> Snapshot:
    return Snapshot(
        vips=vips,
        topologies=topologies,
        nodes={"n1": Node("n1", addresses=frozenset({"10.77.0.11"})), "n2": Node("n2")},
        plumbings={"n1": Plumbing("n1", nics={"eth1": NIC})},
    )


def refusal(
    known: Snapshot, new: VipObject | Topology, old: VipObject | Topology | None = None
) -> str:
    """What is said to whoever writes it; empty when it is let in."""
    found = admission.refusal(known, new, old)
    return found.message if found else ""
