"""A cluster in memory for the command line, filled from the scenarios' world."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from duravip_cli.cluster import Cluster
from duravip_cli.errors import CommandError
from duravip_cli.objects import Body, Kind
from scenarios.machine import Machine
from scenarios.world import World


class Memory(Cluster):
    """Answers from lists; what is refused is refused with this error."""

    def __init__(self, **lists: list[dict[str, Any]]) -> None:
        self.lists: dict[str, list[dict[str, Any]]] = lists
        self.about: list[dict[str, Any]] = []
        """All Events."""
        self.slices: tuple[Body, ...] | None = ()
        """All EndpointSlices; None: they may not be read."""
        self.held: list[dict[str, Any]] = []
        """All Leases."""
        self.kinds: dict[str, dict[str, Any]] = {}
        """`{name: CustomResourceDefinition}`."""
        self.refusal: CommandError | None = None
        self.skew: float | None = 0.0
        self.started: list[dict[str, Any]] = []
        """All pods."""
        self.gate: dict[str, Any] | None = {"metadata": {"name": "duravip"}}
        self.proxy: dict[str, Any] | None = None
        """kube-proxy's ConfigMap."""
        self.mail: dict[str, str | CommandError] = {}
        """What `duravip-mail` prints, by the pod that is asked."""
        self.asked: list[Sequence[str]] = []
        """What was run in pods."""
        self.verdict = 'admission webhook "admission.duravip.io" denied the request'

    def list(self, kind: Kind, namespace: str = "", selector: str = "") -> tuple[Body, ...]:
        if self.refusal:
            raise self.refusal
        found = self.lists.get(kind, [])
        wanted = dict(part.split("=") for part in selector.split(",") if part)
        return tuple(
            b
            for b in found
            if namespace in {"", b["metadata"].get("namespace")}
            and wanted.items() <= (b["metadata"].get("labels") or {}).items()
        )

    def services(self, namespace: str = "", selector: str = "") -> tuple[Body, ...]:
        return self.list("Service", namespace, selector)  # type: ignore[arg-type]

    def others(self, path: str, kind: str) -> tuple[Body, ...]:
        version = "v1" if path.startswith("/api/v1/") else "/".join(path.split("/")[2:4])
        return tuple({**b, "apiVersion": version, "kind": kind} for b in self.lists.get(kind, []))

    def read(self, kind: Kind, name: str, namespace: str = "") -> Body | None:
        found = self.list(kind, namespace)
        return next((b for b in found if b["metadata"]["name"] == name), None)

    def annotate(self, kind: Kind, body: Body, values: Mapping[str, str | None]) -> None:
        if self.refusal:
            raise self.refusal
        held = self.read(kind, body["metadata"]["name"], body["metadata"].get("namespace", ""))
        assert held is not None
        notes = held["metadata"].setdefault("annotations", {})
        for name, value in values.items():
            notes.pop(name, None)
            if value is not None:
                notes[name] = value

    def label_node(self, name: str, label: str, value: str | None) -> None:
        (node,) = (b for b in self.lists["Node"] if b["metadata"]["name"] == name)
        node["metadata"]["labels"].pop(label, None)
        if value is not None:
            node["metadata"]["labels"][label] = value

    def events(self, namespace: str = "", name: str = "") -> tuple[Body, ...]:
        about = [e for e in self.about if name in {"", e["involvedObject"]["name"]}]
        return tuple(e for e in about if namespace in {"", e["metadata"]["namespace"]})

    def leases(self, namespace: str) -> tuple[Body, ...]:
        return tuple(b for b in self.held if b["metadata"]["namespace"] == namespace)

    def endpoint_slices(self, services: Collection[str]) -> tuple[Body, ...] | None:
        label = "kubernetes.io/service-name"
        return self.slices and tuple(
            b for b in self.slices if b["metadata"]["labels"][label] in services
        )

    def leader_lease(self) -> Body | None:
        named = [b for b in self.held if b["metadata"]["name"] == "duravip-operator"]
        return named[0] if named else None

    def definition(self, name: str) -> Body | None:
        return self.kinds.get(name)

    def pods(self, namespace: str) -> tuple[Body, ...]:
        return tuple(b for b in self.started if b["metadata"]["namespace"] == namespace)

    def run_in_pod(self, namespace: str, pod: str, container: str, command: Sequence[str]) -> str:
        assert (namespace, container) == ("duravip-system", "sidecar")
        self.asked.append(command)
        said = self.mail[pod]
        if isinstance(said, CommandError):
            raise said
        return said

    def webhook(self) -> Body | None:
        return self.gate

    def config_map(self, namespace: str, name: str) -> Body | None:
        return self.proxy if (namespace, name) == ("kube-system", "kube-proxy") else None

    def dry_run(self, body: Body) -> str:
        nodes = self.lists["Node"]
        known = {a["address"] for n in nodes for a in n["status"]["addresses"]}
        return self.verdict if body["spec"]["address"] in known else ""

    def version(self) -> str:
        return "v1.99"

    def clock_ahead(self) -> float | None:
        return self.skew

    def now(self) -> datetime:
        return datetime.now(UTC)


def memory_of(world: World) -> Memory:
    """What the API server of this world holds now."""
    found = Memory(**{kind: [] for kind in ("DuraVIP", "Binding", "Topology")})
    for (kind, *_), body in world.objects.items():
        found.lists[kind].append(body)
    found.slices = tuple(world.slices.values())
    found.lists["Node"] = [_node(n, m) for n, m in world.machines.items() if m.labels is not None]
    found.lists["NodePlumbing"] = [_plumbing(m) for m in world.machines.values() if m.plumbing]
    return found


def _node(name: str, machine: Machine) -> dict[str, Any]:
    address = {"type": "InternalIP", "address": "10.77.0.11"}
    metadata = {"name": name, "labels": dict(machine.labels)}
    return {"metadata": metadata, "status": {"addresses": [address]}}


def _plumbing(machine: Machine) -> dict[str, Any]:
    """With what only a real operator and agent write."""
    body = machine.plumbing
    status = body.get("status") or {}
    agent = {"agent": {"version": "0.1.0", "boot": "b"}} if status else {}
    counted = {"servedCount": len(status.get("served", ()))} if status else {}
    return {**body, "status": {**status, **agent, **counted}}
