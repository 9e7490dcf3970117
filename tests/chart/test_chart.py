"""The chart: what it makes of its values, and that it asks for nothing that is not used."""

import json
import re
import subprocess
import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from duravip_api.addresspool import AddressPoolSpec
from duravip_api.topology import TopologySpec
from lab import charts
from lab.charts import CHART
from lab.errors import LabError

ROOT = CHART.parents[1]
TOPOLOGY = (
    "--set",
    "topologies.segment.cidr=10.1.1.0/24",
    "--set",
    "topologies.segment.interface=eth1",
)
READ = {"get", "list", "watch"}


@cache
def objects(*options: str) -> dict[tuple[str, str], dict[str, Any]]:
    return {(o["kind"], o["metadata"]["name"]): o for o in charts.rendered(*options)}


def container(kind: str, name: str, *options: str) -> dict[str, Any]:
    (only,) = objects(*options)[kind, name]["spec"]["template"]["spec"]["containers"]
    return dict(only)


PROGRAMS = (("DaemonSet", "duravip-agent"), ("Deployment", "duravip-operator"))


def granted(role: tuple[str, str], *options: str) -> dict[str, set[str]]:
    """What a role allows: verbs by `group/resource`."""
    found: dict[str, set[str]] = {}
    for rule in objects(*options)[role]["rules"]:
        assert set(rule) == {"apiGroups", "resources", "verbs"}
        for resource in rule["resources"]:
            found.setdefault(f"{rule['apiGroups'][0]}/{resource}", set()).update(rule["verbs"])
    return found


def test_helm_finds_no_fault_in_it() -> None:
    charts.lint()
    charts.lint(*TOPOLOGY, "--set", "agent.privileged=true", "--set", "ipFamily=IPv6")


def test_its_readme_and_schema_say_what_values_yaml_says() -> None:
    check = [sys.executable, str(CHART.parent / "write_docs.py"), "--check"]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_value_is_described_and_no_other_is_taken() -> None:
    def look(schema: dict[str, Any], path: str) -> None:
        assert schema.get("description"), f"{path} has no description"
        for name, part in schema.get("properties", {}).items():
            look(part, f"{path}.{name}")
        if "properties" in schema:
            assert schema["additionalProperties"] is False, f"{path} takes unknown names"

    look(json.loads((CHART / "values.schema.json").read_text()), "values")


@pytest.mark.parametrize(
    ("option", "complaint"),
    [
        ("operator.replica=2", "additional properties 'replica' not allowed"),
        ("operator.replicas=many", "got string, want integer"),
        ("agent.httpPort=0", "minimum: got 0, want 1"),
        ("topologies.a.interface=eth1", "missing property 'cidr'"),
        ("services.pools.a.priority=1", "missing property 'ranges'"),
        ("services.class=", "minLength: got 0, want 1"),
        ("ipFamily=IPv5", "value must be one of 'IPv4', 'IPv6'"),
    ],
)
def test_a_wrong_value_is_refused_with_its_name(option: str, complaint: str) -> None:
    with pytest.raises(LabError, match=re.escape(complaint)):
        charts.rendered("--set", option)


def test_topologies_in_the_values_take_every_field_of_the_kind() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    topology = schema["properties"]["topologies"]["additionalProperties"]
    assert set(topology["properties"]) == {f.alias for f in TopologySpec.model_fields.values()}
    made = objects(*TOPOLOGY)["Topology", "segment"]
    assert made["spec"] == {"cidr": "10.1.1.0/24", "interface": "eth1"}


@pytest.mark.parametrize(("kind", "program"), [("Deployment", "operator"), ("DaemonSet", "agent")])
def test_every_option_that_it_gives_is_one_of_the_program(kind: str, program: str) -> None:
    options = {a.partition("=")[0] for a in container(kind, f"duravip-{program}")["args"]}
    fields = import_module(f"duravip_{program}.settings").Settings.model_fields
    assert options <= {f"--{name.replace('_', '-')}" for name in fields}


def test_the_live_page_is_shown_to_those_alone_who_may_forward_a_port() -> None:
    def page(*options: str) -> list[str]:
        args = container("Deployment", "duravip-operator", *options)["args"]
        return [a for a in args if a.startswith("--page-listen")]

    assert page() == ["--page-listen=127.0.0.1:9482"]
    assert page("--set", "ipFamily=IPv6") == ["--page-listen=[::1]:9482"]
    assert page("--set", "operator.pagePort=0") == []


def test_the_operator_may_do_what_it_does_and_no_more() -> None:
    assert granted(("ClusterRole", "duravip-operator")) == {
        "duravip.io/duravips": READ | {"create", "patch", "delete"},
        "duravip.io/vipbindings": READ,
        "duravip.io/topologies": READ,
        "duravip.io/addresspools": READ,
        "duravip.io/addresspools/status": {"patch"},
        "duravip.io/duravips/status": {"patch"},
        "duravip.io/vipbindings/status": {"patch"},
        "duravip.io/topologies/status": {"patch"},
        "duravip.io/nodeplumbings/status": {"patch"},
        "duravip.io/nodeplumbings": READ | {"create", "patch", "delete"},
        "/services": {"list", "watch"},
        "/services/status": {"patch"},
        "/nodes": READ,
        "/events": {"create"},
        "discovery.k8s.io/endpointslices": {"list", "watch"},
        "coordination.k8s.io/leases": {"list"},
    }
    assert granted(("Role", "duravip-operator")) == {
        "coordination.k8s.io/leases": {"get", "list", "create", "update", "delete"}
    }


def test_without_services_the_operator_neither_reads_nor_makes_anything_for_them() -> None:
    off = "--set=services.enabled=false"
    found = granted(("ClusterRole", "duravip-operator"), off)
    assert not [what for what in found if what.startswith("/services")]
    assert found["duravip.io/duravips"] == READ
    assert "--load-balancer-class=" in container("Deployment", "duravip-operator", off)["args"]


def test_the_class_and_the_default_are_told_to_the_operator() -> None:
    usual = container("Deployment", "duravip-operator")["args"]
    assert "--load-balancer-class=duravip.io/vip" in usual
    assert "--default-load-balancer" not in usual
    options = ("--set=services.class=example.org/mine", "--set=services.default=true")
    told = container("Deployment", "duravip-operator", *options)["args"]
    assert {"--load-balancer-class=example.org/mine", "--default-load-balancer"} <= set(told)


def test_pools_in_the_values_take_every_field_of_the_kind() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    pool = schema["properties"]["services"]["properties"]["pools"]["additionalProperties"]
    assert set(pool["properties"]) == {f.alias for f in AddressPoolSpec.model_fields.values()}
    made = objects("--set=services.pools.lan.ranges={10.1.1.50-10.1.1.99}")
    assert made["AddressPool", "lan"]["spec"] == {"ranges": ["10.1.1.50-10.1.1.99"]}


def test_an_agent_may_do_what_it_does_and_no_more() -> None:
    assert granted(("ClusterRole", "duravip-agent")) == {
        "duravip.io/nodeplumbings": READ,
        "duravip.io/nodeplumbings/status": {"patch"},
    }


def test_roles_go_to_their_own_program_alone() -> None:
    bindings = [o for (kind, _), o in objects().items() if kind.endswith("Binding")]
    for binding in (b for b in bindings if "roleRef" in b):
        (subject,) = binding["subjects"]
        assert subject["name"] == binding["roleRef"]["name"]
        assert subject["namespace"] == charts.NAMESPACE


def test_the_operator_runs_without_any_privilege() -> None:
    pod = objects()["Deployment", "duravip-operator"]["spec"]["template"]["spec"]
    assert not pod.get("hostNetwork")
    assert pod["securityContext"]["runAsNonRoot"] is True
    security = container("Deployment", "duravip-operator")["securityContext"]
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert security["readOnlyRootFilesystem"] is True


def test_an_agent_has_three_capabilities_or_is_privileged_if_that_is_asked_for() -> None:
    security = container("DaemonSet", "duravip-agent")["securityContext"]
    wanted = {"drop": ["ALL"], "add": ["NET_ADMIN", "NET_RAW", "SYS_NICE"]}
    assert security["capabilities"] == wanted
    assert "privileged" not in security
    asked = container("DaemonSet", "duravip-agent", "--set", "agent.privileged=true")
    assert asked["securityContext"]["privileged"] is True


def test_an_agent_runs_on_every_node_whatever_its_taints() -> None:
    pod = objects()["DaemonSet", "duravip-agent"]["spec"]["template"]["spec"]
    assert pod["tolerations"] == [{"operator": "Exists"}]
    assert pod["hostNetwork"] is True


def test_a_new_installation_has_no_key_in_a_secret() -> None:
    fresh = objects()
    assert ("Secret", "duravip-pulse") not in fresh
    for kind, name in PROGRAMS:
        pod = fresh[kind, name]["spec"]["template"]["spec"]
        assert not [v for v in pod["volumes"] if v["name"] == "pulse-key"]
        mounts = [mount["mountPath"] for mount in container(kind, name)["volumeMounts"]]
        assert not [path for path in mounts if "pulse" in path]
        assert not [a for a in container(kind, name)["args"] if "pulse-key-file" in a]


def test_the_key_of_an_older_version_is_used_where_it_is_given() -> None:
    given = "--set", "pulse.existingSecret=mine"
    mine = objects(*given)
    assert ("Secret", "duravip-pulse") not in mine
    for kind, name in PROGRAMS:
        volumes = mine[kind, name]["spec"]["template"]["spec"]["volumes"]
        assert volumes[0]["secret"]["secretName"] == "mine"
        assert "--pulse-key-file=/etc/duravip/pulse/key" in container(kind, name, *given)["args"]


def test_its_kinds_are_those_of_the_project() -> None:
    def content(folder: Path) -> dict[str, str]:
        return {file.name: file.read_text() for file in folder.glob("*.yaml")}

    assert content(CHART / "crds") == content(ROOT / "crds")


def ingress(*options: str) -> dict[int, Any]:
    """What is let into the operator's pods: who, by port; None stands for everybody."""
    rules = objects(*options)["NetworkPolicy", "duravip-operator"]["spec"]["ingress"]
    return {port["port"]: rule.get("from") for rule in rules for port in rule["ports"]}


def test_only_what_the_operator_is_for_is_let_in() -> None:
    assert ingress() == {7946: None, 9443: None}
    named = ingress(
        "--set=networkPolicy.apiServerCidrs={192.0.2.0/28}",
        "--set=networkPolicy.nodeCidrs={10.77.0.0/24}",
        "--set=networkPolicy.metricsFrom[0].podSelector.matchLabels.app=prometheus",
    )
    assert named == {
        7946: [{"ipBlock": {"cidr": "10.77.0.0/24"}}],
        9443: [{"ipBlock": {"cidr": "192.0.2.0/28"}}],
        9480: [{"podSelector": {"matchLabels": {"app": "prometheus"}}}],
    }
    assert ("NetworkPolicy", "duravip-operator") not in objects(
        "--set=networkPolicy.enabled=false"
    )


@pytest.mark.parametrize(
    ("options", "listens", "asked"),
    [
        ((), "127.0.0.1:9481", "127.0.0.1"),
        (("--set=ipFamily=IPv6",), "[::1]:9481", "::1"),
        (("--set=agent.exposeMetrics=true",), "$(NODE_IP):9481", None),
    ],
)
def test_an_agent_answers_the_kubelet_alone_unless_it_is_asked_for(
    options: tuple[str, ...], listens: str, asked: str | None
) -> None:
    agent = container("DaemonSet", "duravip-agent", *options)
    assert f"--http-listen={listens}" in agent["args"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert agent[probe]["httpGet"].get("host") == asked


def test_the_operator_runs_as_any_user_or_as_the_platform_chooses() -> None:
    def security(user: int) -> Any:
        made = objects(f"--set=operator.runAsUser={user}")["Deployment", "duravip-operator"]
        return made["spec"]["template"]["spec"]["securityContext"]

    assert security(1000730000)["runAsUser"] == security(1000730000)["fsGroup"] == 1000730000
    assert not {"runAsUser", "runAsGroup", "fsGroup"} & set(security(0))


def test_the_certificate_of_the_api_server_is_asked_for_where_it_is_known() -> None:
    asked = container("Deployment", "duravip-operator", "--set=webhook.clientCaConfigMap=api")
    assert "--webhook-client-ca=/etc/duravip/clients/ca.crt" in asked["args"]
    mounted = {m["name"]: m["mountPath"] for m in asked["volumeMounts"]}
    assert mounted["clients"] == "/etc/duravip/clients"
    assert not any("client-ca" in a for a in container("Deployment", "duravip-operator")["args"])


@pytest.mark.parametrize("program", ["operator", "agent"])
def test_an_image_can_be_pinned_by_its_digest(program: str) -> None:
    kind = {"operator": "Deployment", "agent": "DaemonSet"}[program]
    digest = f"sha256:{'0a' * 32}"
    made = container(kind, f"duravip-{program}", f"--set=image.{program}.digest={digest}")
    assert made["image"] == f"duravip-{program}:0.1.0@{digest}"
    with pytest.raises(LabError, match="does not match pattern"):
        charts.rendered(f"--set=image.{program}.digest=latest")


def test_tenants_may_do_with_their_addresses_what_they_may_do_with_their_namespace() -> None:
    def granted_by(name: str) -> set[tuple[str, str]]:
        rules = objects()["ClusterRole", name]["rules"]
        return {(r, verb) for rule in rules for r in rule["resources"] for verb in rule["verbs"]}

    def aggregated(name: str) -> set[str]:
        labels = objects()["ClusterRole", name]["metadata"]["labels"]
        return {label.rpartition("-to-")[2] for label in labels if "aggregate-to" in label}

    assert aggregated("duravip-view") == {"view"}
    assert aggregated("duravip-edit") == {"edit", "admin"}
    assert aggregated("duravip-cluster-view") == set()
    assert {verb for _, verb in granted_by("duravip-view")} == READ
    everything = granted_by("duravip-view") | granted_by("duravip-edit")
    assert {resource for resource, _ in everything} == {"duravips", "vipbindings"}
    assert ("ClusterRole", "duravip-view") not in objects("--set=tenantRoles=false")


def test_operators_do_not_wait_behind_agents() -> None:
    made = {name: o["spec"] for (kind, name), o in objects().items() if kind == "FlowSchema"}
    assert set(made) == {"duravip-operator", "duravip-agent"}
    first, then = made["duravip-operator"], made["duravip-agent"]
    assert first["matchingPrecedence"] < then["matchingPrecedence"]
    named = [r["subjects"][0]["serviceAccount"]["name"] for s in (first, then) for r in s["rules"]]
    assert named == ["duravip-operator", "duravip-agent"]


def test_the_label_of_kubeadm_is_ignored_where_that_is_asked_for() -> None:
    asked = ("--set=operator.ignoreExcludeLabel=true",)
    option = "--ignore-exclude-label"
    assert option in container("Deployment", "duravip-operator", *asked)["args"]
    assert option not in container("Deployment", "duravip-operator")["args"]


def test_programs_of_a_node_may_ask_its_agent_by_a_socket_in_a_folder_of_the_node() -> None:
    given = "--set", "agent.localApi.directory=/run/vips", "--set", "agent.localApi.group=4321"
    pod = objects(*given)["DaemonSet", "duravip-agent"]["spec"]["template"]["spec"]
    agent = container("DaemonSet", "duravip-agent", *given)
    assert {"--local-listen=unix:/run/vips/agent.sock", "--local-group=4321"} <= {*agent["args"]}
    assert pod["securityContext"]["supplementalGroups"] == [4321]
    (volume,) = [v for v in pod["volumes"] if v["name"] == "local-api"]
    assert volume["hostPath"] == {"path": "/run/vips", "type": "DirectoryOrCreate"}
    assert {"name": "local-api", "mountPath": "/run/vips"} in agent["volumeMounts"]


def test_without_the_local_api_the_agent_has_nothing_of_the_node() -> None:
    off = "--set", "agent.localApi.enabled=false"
    pod = objects(*off)["DaemonSet", "duravip-agent"]["spec"]["template"]["spec"]
    assert not [v for v in pod["volumes"] if "hostPath" in v]
    assert not [a for a in container("DaemonSet", "duravip-agent", *off)["args"] if "local" in a]
