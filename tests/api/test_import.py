"""`import --live` and `services` on a real API server, with other programs' kinds beside ours."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from api.plugin import called, ended, told
from lab.cluster import Lab

LAB = "bare"

Body = dict[str, Any]
ANYTHING: Final = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
KINDS: Final = (
    ("metallb.io", ("v1beta1",), "IPAddressPool", "ipaddresspools"),
    ("metallb.io", ("v1beta1",), "L2Advertisement", "l2advertisements"),
    ("metallb.io", ("v1beta2",), "BGPPeer", "bgppeers"),
    ("purelb.io", ("v1", "v2"), "ServiceGroup", "servicegroups"),
    ("purelb.io", ("v1", "v2"), "LBNodeAgent", "lbnodeagents"),
)
"""Stand-ins for the kinds of others: what matters is how they are served, not their schema."""


def definition(group: str, versions: tuple[str, ...], kind: str, plural: str) -> Body:
    served = [
        {"name": name, "served": True, "storage": name == versions[-1],
         "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": ANYTHING}}}}
        for name in versions
    ]  # fmt: skip
    names = {"plural": plural, "singular": kind.lower(), "kind": kind}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": served},
    }


def body(version: str, kind: str, name: str, namespace: str = "kube-system", **more: Any) -> Body:
    metadata = {"name": name, "namespace": namespace, **more.pop("metadata", {})}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **more}


def create(lab: Lab, *bodies: Body) -> None:
    items = {"apiVersion": "v1", "kind": "List", "items": list(bodies)}
    lab.kubectl("apply", "--server-side", "-f", "-", input=json.dumps(items))


@pytest.fixture(scope="module", autouse=True)
def foreign(lab: Lab) -> Iterator[None]:
    """The kinds of the others, and a node's network as its agent reports it."""
    kinds = [definition(*kind) for kind in KINDS]
    create(lab, *kinds)
    names = [kind["metadata"]["name"] for kind in kinds]
    lab.kubectl("wait", "--for=condition=Established", *(f"crd/{name}" for name in names))
    yield
    lab.kubectl("delete", *(f"crd/{name}" for name in names))
    lab.kubectl("delete", "topologies,addresspools", "--all")
    lab.kubectl("delete", "configmap/kubevip", "-n", "kube-system", "--ignore-not-found")


def imported(lab: Lab, folder: Path, *words: str) -> tuple[dict[str, Body], str]:
    """Import, check, and have the server take what comes out; `({kind name: spec}, notes)`."""
    done = ended(lab, "import", *words)
    assert done.returncode == 0, done.stderr
    ours = folder / "ours.yaml"
    ours.write_text(done.stdout)
    code, said = called(lab, "validate", "--live", str(ours))
    assert code == 0, said
    lab.kubectl("apply", "-f", str(ours))
    items = json.loads(lab.kubectl("get", "-f", str(ours), "-o=json"))
    lab.kubectl("delete", "-f", str(ours))
    return {f"{b['kind']} {b['metadata']['name']}": b["spec"] for b in items["items"]}, done.stderr


def test_metallb_as_it_is_in_the_cluster(lab: Lab, tmp_path: Path) -> None:
    team = {"metadata": {"labels": {"team": "x"}}}
    create(
        lab,
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"} | team["metadata"]},
        body("metallb.io/v1beta1", "IPAddressPool", "first",
             spec={"addresses": ["10.1.1.240-10.1.1.250", "fd00:1::/120"]}),
        body("metallb.io/v1beta1", "IPAddressPool", "tied",
             spec={"addresses": ["10.1.2.0/24"], "serviceAllocation": {
                 "priority": 5, "namespaceSelectors": [{"matchLabels": {"team": "x"}}]}}),
        body("metallb.io/v1beta1", "L2Advertisement", "l2", spec={"interfaces": ["eth1"]}),
        body("metallb.io/v1beta2", "BGPPeer", "router", spec={"peerAddress": "10.0.0.1"}),
        body("v1", "Service", "theirs", "shop", spec={
            "type": "LoadBalancer", "loadBalancerClass": "metallb.io/metallb",
            "ports": [{"port": 80}]}),
    )  # fmt: skip
    specs, notes = imported(lab, tmp_path, "metallb", "--live", "--subnet", "10.1.0.0/16")
    assert specs["AddressPool tied"]["namespaces"] == ["shop"]
    assert specs["AddressPool tied"]["priority"] == 5
    assert specs["AddressPool first"]["ranges"] == ["10.1.1.240-10.1.1.250", "fd00:1::/120"]
    assert specs["Topology l2"]["interface"] == "eth1"
    assert (specs["Topology l2"]["cidr"], len(specs)) == ("10.1.0.0/16", 4)
    for said in ("router: DuraVIP speaks no BGP", "fd00:1::/64 is a guess", "shop/theirs: "):
        assert said in notes


def test_kube_vip_as_it_is_in_the_cluster(lab: Lab, tmp_path: Path) -> None:
    image = "ghcr.io/kube-vip/kube-vip:v1.2.3"
    settings = [{"name": "vip_interface", "value": "eth7"}]
    labels = {"app": "kube-vip"}
    containers = [{"name": "x", "image": image, "env": settings}]
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers}}
    create(
        lab,
        body("v1", "ConfigMap", "kubevip", data={"range-global": "10.1.3.1-10.1.3.9"}),
        body("apps/v1", "DaemonSet", "kube-vip-ds",
             spec={"selector": {"matchLabels": labels}, "template": template}),
    )  # fmt: skip
    specs, _ = imported(lab, tmp_path, "kube-vip", "--live", "--subnet", "10.1.0.0/16")
    assert specs["AddressPool kube-vip-global"]["ranges"] == ["10.1.3.1-10.1.3.9"]
    assert len(specs) == 2
    assert specs["Topology kube-vip"]["interface"] == "eth7"
    lab.kubectl("delete", "daemonset/kube-vip-ds", "-n", "kube-system")


def test_purelb_is_read_in_the_newest_version_alone(lab: Lab, tmp_path: Path) -> None:
    pool = {"subnet": "10.1.0.0/16", "pool": "10.1.4.0/28", "aggregation": "default"}
    create(
        lab,
        body("purelb.io/v2", "ServiceGroup", "default", spec={"local": {"v4pools": [pool]}}),
        body("purelb.io/v2", "LBNodeAgent", "default", spec={"local": {"localInterface": "eth1"}}),
    )
    specs, _ = imported(lab, tmp_path, "purelb", "--live")
    assert specs["AddressPool default"]["ranges"] == ["10.1.4.0/28"]
    assert (specs["Topology default"]["cidr"], len(specs)) == ("10.1.0.0/16", 2)


def test_what_is_not_installed_is_no_error_of_the_cluster(lab: Lab) -> None:
    lab.kubectl("delete", "ipaddresspools,l2advertisements,bgppeers", "--all", "-A")
    code, said = called(lab, "import", "metallb", "--live")
    assert code == 1
    assert said.splitlines()[-1].endswith("nothing of metallb that can be carried over")


def test_services_are_listed_as_the_server_has_them(lab: Lab) -> None:
    ours = {"type": "LoadBalancer", "loadBalancerClass": "duravip.io/vip", "ports": [{"port": 80}]}
    create(
        lab,
        body("v1", "Service", "web", "default", metadata={"labels": {"app": "web"}}, spec=ours),
        body("v1", "Service", "new", "default", spec=ours),
        body("v1", "Service", "inner", "default", spec={"ports": [{"port": 80}]}),
    )
    uid = lab.kubectl("get", "service/web", "-n", "default", "-o=jsonpath={.metadata.uid}")
    owner = {"apiVersion": "v1", "kind": "Service", "name": "web", "uid": uid}
    labels = {"duravip.io/service": "web"}
    create(
        lab,
        body("duravip.io/v1alpha1", "DuraVIP", "svc-web", "default",
             metadata={"labels": labels, "ownerReferences": [owner]},
             spec={"address": "10.1.1.5"}),
    )  # fmt: skip
    ready = {
        "type": "duravip.io/Ready", "status": "True", "reason": "Served", "message": "by n1",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    ingress = [{"ip": "10.1.1.5", "ipMode": "VIP"}, {"ip": "10.9.9.9"}]
    status = {"status": {"loadBalancer": {"ingress": ingress}, "conditions": [ready]}}
    lab.kubectl("patch", "service/web", "-n", "default", "--subresource=status", "--type=merge",
                "-p", json.dumps(status))  # fmt: skip
    new, web = told(lab, "services", "-n", "default", code=1)
    assert new["problems"] == ["no operator has answered it"]
    assert (web["duravips"], web["addresses"]) == (["svc-web"], ["10.1.1.5", "10.9.9.9"])
    assert "two controllers: 10.9.9.9" in web["problems"][0]
    (selected,) = told(lab, "services", "-l", "app in (web)", code=1)
    assert selected["name"] == "web"
    lab.kubectl("delete", "service/web", "service/new", "service/inner", "-n", "default")
    lab.kubectl("delete", "duravip/svc-web", "-n", "default", "--ignore-not-found")
