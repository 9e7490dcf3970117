"""`doctor`: what is well, what is not, and what one may not see."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from duravip_api import DRAINED, EXCLUDE_LABEL
from duravip_api.manifest import KINDS, definition
from duravip_cli.__main__ import run
from duravip_cli.doctor import installation_checks, machine_probe
from duravip_cli.errors import CommandError
from duravip_cli.objects import Body, Kind
from duravip_operator.core import lease_annotations
from duravip_operator.leadership import leases
from scenarios.world import World
from unit.cli.memory import Memory, memory_of
from unit.cli.test_services import service, vip

OBJECTS = [
    {"kind": "Topology", "name": "lan", "spec": {"cidr": "10.1.0.0/16", "interface": "eth1"}},
    {"kind": "DuraVIP", "name": "a", "spec": {"address": "10.1.1.1"}},
]


def _well(*objects: dict[str, Any]) -> Memory:
    """A cluster in which everything is as it should be, but for these objects."""
    memory = memory_of(World({"nodes": ["n1", "n2"], "objects": [*OBJECTS, *objects]}))
    for bodies in memory.lists.values():
        for body in bodies:
            if "status" in body and "spec" in body:
                body["status"].setdefault("observedGeneration", body["metadata"]["generation"])
    memory.kinds = {kind.name: definition(kind) for kind in KINDS}
    member = {"labels": {installation_checks.REPLICA_LABEL: installation_checks.LEASE}}
    memory.held = [
        _lease("duravip-operator", holderIdentity="one"),
        *(_lease(f"duravip-operator-{name}", **member) for name in ("one", "two")),
    ]
    return memory


def _lease(name: str, ago: float = 0, labels: Any = None, **spec: Any) -> dict[str, Any]:
    time = (datetime.now(UTC) - timedelta(seconds=ago)).isoformat().replace("+00:00", "Z")
    meta = {"name": name, "namespace": "duravip-system", "labels": labels or {}}
    return {"metadata": meta, "spec": {"renewTime": time, **spec}}


def _said(memory: Memory, capsys: pytest.CaptureFixture[str]) -> dict[str, list[str]]:
    """`{verdict: lines}`."""
    code = run(["doctor", "-o", "json"], lambda _: memory, lambda _: None)
    found: dict[str, list[str]] = {"ok": [], "warn": [], "FAIL": []}
    for finding in json.loads(capsys.readouterr().out):
        found[finding["verdict"]].append(f"{finding['check']}: {finding['message']}")
    assert code == int(bool(found["FAIL"]))
    return found


def test_a_cluster_that_is_well_gets_only_ok(capsys: pytest.CaptureFixture[str]) -> None:
    memory = _well()
    found = _said(memory, capsys)
    assert found["warn"] == found["FAIL"] == []
    assert "operator: one leads" in found["ok"]
    assert "replicas: one, two" in found["ok"]
    assert run(["doctor"], lambda _: memory) == 0
    assert capsys.readouterr().out.splitlines()[0] == "ok    API server: it answers, version v1.99"


def test_the_leases_are_those_of_the_operator() -> None:
    assert (installation_checks.LEASE, installation_checks.REPLICA_LABEL) == (
        leases.LEASE,
        leases.REPLICA_LABEL,
    )


def test_kinds_that_are_missing_or_older_fail(capsys: pytest.CaptureFixture[str]) -> None:
    memory = _well()
    del memory.kinds["duravips.duravip.io"]
    version = memory.kinds["topologies.duravip.io"]["spec"]["versions"][0]
    del version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["fencing"]
    memory.kinds["vipbindings.duravip.io"]["spec"]["versions"][0]["name"] = "v1"
    del memory.kinds["nodeplumbings.duravip.io"]["spec"]["versions"][0]["additionalPrinterColumns"]
    found = _said(memory, capsys)
    assert "fields are missing: spec.fencing" in " ".join(found["FAIL"])
    assert len(found["FAIL"]) == 3
    assert "columns are missing: Node" in found["warn"][0]


@pytest.mark.parametrize(
    ("held", "verdict", "wanted"),
    [
        ([], "FAIL", "operator: nobody leads"),
        ([_lease("duravip-operator", 100, holderIdentity="one")], "FAIL", "one leads, but its"),
        ([_lease("duravip-operator", holderIdentity="one")], "warn", "replicas: none has"),
    ],
)
def test_an_operator_that_does_not_lead_fails(
    capsys: pytest.CaptureFixture[str], held: list[Any], verdict: str, wanted: str
) -> None:
    memory = _well()
    memory.held = held
    assert any(wanted in line for line in _said(memory, capsys)[verdict])


def test_a_lease_that_moves_is_fresh_whatever_the_clocks_say() -> None:
    before = (_lease("duravip-operator", 100, holderIdentity="one"),)
    after = (_lease("duravip-operator", 98, holderIdentity="one"),)
    ages = {body["spec"]["renewTime"]: 100.0 for body in (*before, *after)}
    first, _ = installation_checks.check_operator(before, after, ages.get)
    assert first.verdict == "warn"
    assert "differ by 100 s" in first.message


def test_addresses_without_an_owner_fail_with_their_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = _said(
        _well(
            {"kind": "DuraVIP", "name": "n", "spec": {"address": "192.0.2.1"}},
            {"kind": "DuraVIP", "name": "own", "spec": {"address": "10.1.0.11"}},
            {"kind": "DuraVIP", "name": "late", "namespace": "x", "spec": {"address": "10.1.1.1"}},
        ),
        capsys,
    )
    said = "\n".join(found["FAIL"])
    assert "addresses: Unassigned: NoTopology: 192.0.2.1" in said
    assert "addresses: Broken: NodeAddress: 10.1.0.11" in said
    assert "objects: DuraVIP x/late: NamespaceConflict" in said


def test_nodes_that_are_not_well_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    memory = _well()
    memory.lists["Node"].append(
        {"metadata": {"name": "n3", "labels": {}}, "status": {"addresses": []}}
    )
    first = memory.lists["NodePlumbing"][0]
    first["status"]["observedGeneration"] = 99
    first["status"]["agent"]["version"] = "0.0.9"
    found = _said(memory, capsys)
    assert any("n3: no NodePlumbing" in line for line in found["FAIL"])
    assert any("n1: the agent has not acted" in line for line in found["FAIL"])
    assert any("0.0.9 on n1; 0.1.0 on n2" in line for line in found["warn"])


def test_statuses_and_topologies_are_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    memory = _well({"kind": "Topology", "name": "far",
                    "spec": {"cidr": "10.2.0.0/16", "interface": "eth9"}})  # fmt: skip
    memory.lists["DuraVIP"][0]["metadata"]["generation"] = 7
    found = _said(memory, capsys)
    assert any("1 statuses are behind their objects: DuraVIP default/a" in line
               for line in found["FAIL"])  # fmt: skip
    assert any("topologies: far: NoNodeHasInterface" in line for line in found["warn"])


class _Tenant(Memory):
    """May read no kinds, no Leases, no pods and no webhooks."""

    def pods(self, namespace: str) -> Any:
        raise CommandError(f"you may not list pods in {namespace}")

    def webhook(self) -> Any:
        raise CommandError("you may not get the ValidatingWebhookConfiguration duravip")

    def definition(self, name: str) -> Any:
        raise CommandError(f"you may not get {name}")

    def leases(self, namespace: str) -> Any:
        raise CommandError(f"you may not list leases in {namespace}")


def test_what_one_may_not_see_is_only_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    memory = _well()
    tenant = _Tenant(**memory.lists)
    found = _said(tenant, capsys)
    assert found["FAIL"] == []
    assert len(found["warn"]) == 8
    assert found["warn"][0].startswith("kind DuraVIP: not checked: you may not")


class _OfOneNamespace(_Tenant):
    """Who may read the addresses of one namespace, and nothing else."""

    def list(self, kind: Kind, namespace: str = "", selector: str = "") -> tuple[Body, ...]:
        if namespace != "default" or kind not in {"DuraVIP", "Binding"}:
            raise CommandError(f"you may not list {kind} (as tenant)")
        return super().list(kind, namespace, selector)


def test_a_tenant_is_told_of_his_own_addresses(capsys: pytest.CaptureFixture[str]) -> None:
    tenant = _OfOneNamespace(**_well().lists)
    assert run(["doctor", "-n", "default", "-o", "json"], lambda _: tenant, lambda _: None) == 0
    found = json.loads(capsys.readouterr().out)
    said = {f"{one['verdict']} {one['check']}: {one['message']}" for one in found}
    assert "ok addresses: 1 of 1 have an owner" in said
    assert "warn Node: not checked: you may not list Node (as tenant)" in said
    assert "warn machine: not checked: if it is a node, add --node-local" in said
    assert not any("nobody" in line for line in said)
    assert run(["doctor"], lambda _: tenant, lambda _: None) == 0
    assert "name yours with -n NAMESPACE" in capsys.readouterr().out


def test_a_webhook_that_nobody_answers_fails(capsys: pytest.CaptureFixture[str]) -> None:
    memory = _well()
    assert any(
        line.startswith("webhook: an address of a node") for line in _said(memory, capsys)["ok"]
    )
    memory.verdict = ""
    assert any("no operator has answered" in line for line in _said(memory, capsys)["FAIL"])
    memory.gate = None
    assert any("there is no Validating" in line for line in _said(memory, capsys)["warn"])
    port = {"name": "webhook", "containerPort": 9443}
    pod = {"metadata": {"name": "o", "namespace": "duravip-system",
                        "labels": {"app.kubernetes.io/component": "operator"}},
           "spec": {"containers": [{"ports": [port]}]},
           "status": {"conditions": [{"type": "Ready", "status": "True"}]}}  # fmt: skip
    memory.started = (pod,)
    assert any("somebody has deleted" in line for line in _said(memory, capsys)["FAIL"])
    memory.gate = {}
    memory.lists["Node"] = []
    assert any("no Node has an address" in line for line in _said(memory, capsys)["warn"])


def test_an_operators_pod_that_is_not_ready_fails(capsys: pytest.CaptureFixture[str]) -> None:
    def pod(name: str, component: str, ready: str, phase: str = "Running") -> dict[str, Any]:
        labels = {"app.kubernetes.io/component": component}
        meta = {"name": name, "namespace": "duravip-system", "labels": labels}
        condition = {"type": "Ready", "status": ready, "message": "containers with unready status"}
        return {"metadata": meta, "status": {"phase": phase, "conditions": [condition]}}

    memory = _well()
    memory.started = [
        pod("operator-a", "operator", "True"),
        pod("operator-b", "operator", "False"),
        pod("agent-c", "agent", "False"),
        pod("agent-d", "agent", "False", "Failed"),
    ]
    found = _said(memory, capsys)
    (wrong,) = [line for line in found["FAIL"] if "pod" in line]
    assert wrong.startswith(
        "operator: pod operator-b is not ready: containers with unready status"
    )
    assert next(line for line in found["warn"] if "pod" in line).startswith("agent: pod agent-c")
    assert not any("agent-d" in line for lines in found.values() for line in lines)


def test_a_node_that_serves_nothing_is_a_failure_on_that_node_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = _well()
    plumbing = memory.lists["NodePlumbing"][0]
    plumbing["status"]["conditions"] = [
        {"type": "Ready", "status": "False", "reason": "Muted", "message": "some rule on lo"}
    ]
    assert any("n1: Muted: some rule on lo" in line for line in _said(memory, capsys)["FAIL"])
    monkeypatch.setattr(machine_probe, "find_own_plumbing", lambda _: plumbing)
    run(["doctor", "--node-local", "-o", "json"], lambda _: memory, lambda _: None)
    found = json.loads(capsys.readouterr().out)
    assert [f["verdict"] for f in found if "Muted: some rule on lo" in f["message"]] == ["FAIL"]


def test_nodes_that_a_label_takes_out_are_named_with_the_label_and_what_helps(
    capsys: pytest.CaptureFixture[str],
) -> None:
    memory = _well()
    first, second = memory.lists["Node"]
    first["metadata"]["labels"][EXCLUDE_LABEL] = ""
    (said,) = [line for line in _said(memory, capsys)["warn"] if "label" in line]
    assert said == (
        f"agents: n1: no address is put there, because of the label {EXCLUDE_LABEL}; take the "
        "label off, or start the operator with --ignore-exclude-label"
    )
    second["metadata"]["labels"][EXCLUDE_LABEL] = "yes"
    assert any("n1, n2: no address" in line for line in _said(memory, capsys)["FAIL"])
    second["metadata"]["labels"][EXCLUDE_LABEL] = DRAINED
    found = _said(memory, capsys)
    assert any("n2: drained by" in line for line in found["warn"])
    assert any("n1: no address" in line for line in found["FAIL"])
    settings = {"maxAliases": 1, "fencing": "Segment", "ignoreExcludeLabel": True}
    memory.held[0]["metadata"]["annotations"] = {
        lease_annotations.SETTINGS_ANNOTATION: lease_annotations.format_settings(settings),
        lease_annotations.QUARANTINE_ANNOTATION: lease_annotations.format_quarantine({}, {}, ()),
    }
    assert not any("no address is put" in line for line in _said(memory, capsys)["FAIL"])


def _pool(name: str, *ranges: str, **status: Any) -> dict[str, Any]:
    metadata = {"name": name, "creationTimestamp": f"2026-01-01T00:00:0{len(ranges)}Z"}
    return {"metadata": metadata, "spec": {"ranges": list(ranges)}, "status": status}


def test_pools_that_overlap_or_lie_in_no_topology_are_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    memory = _well()
    memory.lists["AddressPool"] = [
        _pool("b", "10.1.2.0/24", "10.1.1.9-10.1.1.19"),
        _pool("a", "10.1.1.0-10.1.1.9"),
        _pool("out", "10.9.0.0/24", total4=254, used4=254),
        _pool("odd", "10.1.4.9-10.1.4.1"),
    ]
    found = _said(memory, capsys)
    odd, overlap = found["FAIL"]
    assert overlap.startswith("pools: AddressPool b: AddressPool a has 10.1.1.9 already")
    assert odd.startswith("pools: AddressPool odd: spec.ranges")
    assert found["warn"] == [
        "pools: AddressPool out: no Topology covers 10.9.0.0/24: nobody gets them (NoTopology)",
        "pools: out: no address is free",
    ]


def test_a_service_with_two_controllers_or_without_an_address_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    memory = _well()
    memory.lists["AddressPool"] = [_pool("a", "10.1.1.0-10.1.1.9")]
    memory.lists["Service"] = [service("fine", "10.1.1.5", ready="Served: n1 serves it")]
    memory.lists["DuraVIP"].append(vip("fine", "10.1.1.5"))
    found = _said(memory, capsys)
    assert "services: all 1 have their addresses" in found["ok"]
    assert any(line.startswith("pools: 1, each in a Topology") for line in found["ok"])
    memory.lists["Service"] += [
        service("none", ready="PoolExhausted: no address is free"),
        service("two", "10.1.1.6", "10.9.9.9", ready="Served: x"),
    ]
    memory.lists["DuraVIP"].append(vip("two", "10.1.1.6"))
    memory.proxy = {"data": {"config.conf": "kind: KubeProxyConfiguration\nmode: ipvs\n"}}
    found = _said(memory, capsys)
    assert any("services: kube-proxy is in IPVS mode" in line for line in found["warn"])
    assert "services: shop/none: PoolExhausted: no address is free" in found["FAIL"]
    assert any("shop/two: two controllers: 10.9.9.9" in line for line in found["warn"])
