"""`import kube-vip` and `import purelb`: what becomes of their configuration."""

from pathlib import Path
from typing import Any

import pytest

from unit.cli.imports import imported, imported_live
from unit.cli.memory import Memory

CONFIG_MAP = """
apiVersion: v1
kind: ConfigMap
metadata: {{name: kubevip, namespace: kube-system}}
data: {{{data}}}
"""
DAEMON_SET = """
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: kube-vip-ds, namespace: kube-system}
spec:
  template:
    spec:
      containers:
      - name: other
        image: example.org/other:1
        env: [{name: vip_interface, value: wrong}]
      - name: kube-vip
        image: ghcr.io/kube-vip/kube-vip:v1.2.3
        env:
        - {name: vip_interface, value: eth0}
        - {name: vip_servicesinterface, value: eth1}
        - {name: cp_enable, value: "true"}
"""
LAN = ("--subnet", "192.168.0.0/24")


def config_map(data: str) -> str:
    return CONFIG_MAP.format(data=data)


def test_a_block_is_carried_without_the_addresses_that_kube_vip_never_gives_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = config_map("cidr-global: 192.168.0.220/29") + DAEMON_SET
    found = imported(tmp_path, capsys, "kube-vip", text, *LAN)
    assert found.specs == {
        "AddressPool kube-vip-global": {"ranges": ["192.168.0.217-192.168.0.222"]},
        "Topology kube-vip": {"cidr": "192.168.0.0/24", "interface": "eth1"},
    }
    assert [note for note in found.notes if "cp_enable" in note], "the control plane stays there"


def test_pools_of_namespaces_come_before_the_global_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = (
        "range-global: '192.168.0.10-192.168.0.19,192.168.0.15-192.168.0.25,fd00:1::10-fd00:1::19'"
        ", cidr-shop: 192.168.0.32/31, range-shop: 192.168.0.50-192.168.0.59"
        ", interface-shop: eth5, range-bank: 192.168.0.60-192.168.0.69, allow-share-bank: 'true'"
    )
    found = imported(tmp_path, capsys, "kube-vip", config_map(data), *LAN)
    assert found.specs["AddressPool kube-vip-global"]["ranges"] == [
        "192.168.0.10-192.168.0.25", "fd00:1::10-fd00:1::19",
    ]  # fmt: skip
    shop = found.specs["AddressPool kube-vip-shop"]
    assert shop == {"ranges": ["192.168.0.32/31"], "namespaces": ["shop"], "priority": 50}
    assert found.specs["AddressPool kube-vip-bank"]["namespaces"] == ["bank"]
    assert any("range-shop: not carried" in note for note in found.notes)
    assert any("eth5 alone" in note for note in found.notes)
    assert any("allow-share-bank" in note for note in found.notes)


def test_ranges_that_kube_vip_itself_never_uses_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A global block goes before a namespace's range (its discoverPool)."""
    data = "cidr-global: 192.168.0.16/29, range-shop: 192.168.0.50-192.168.0.59"
    found = imported(tmp_path, capsys, "kube-vip", config_map(data), *LAN)
    assert "AddressPool kube-vip-shop" not in found.specs
    assert any("kube-vip itself uses cidr-global instead" in note for note in found.notes)


def test_dhcp_is_not_carried(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = "cidr-global: 0.0.0.0/32, range-shop: 192.168.0.50-192.168.0.59, cidr-shop: x"
    service = """
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop, annotations: {kube-vip.io/loadbalancerIPs: 0.0.0.0}}
spec: {type: LoadBalancer, loadBalancerIP: 192.168.0.90}
"""
    found = imported(tmp_path, capsys, "kube-vip", config_map(data) + service, *LAN)
    assert found.specs["AddressPool kube-vip-fixed"] == {
        "ranges": ["192.168.0.90"], "autoAssign": False,
    }  # fmt: skip
    assert next(iter(found.specs)) == "Topology kube-vip", (
        "before any pool, since Services need it"
    )
    assert any("by DHCP" in note for note in found.notes)
    assert any("'x' is no range of addresses" in note for note in found.notes)


def test_services_with_addresses_of_their_own_get_a_pool_that_nobody_else_gets_one_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def service(name: str, **annotations: str) -> dict[str, Any]:
        notes = {f"kube-vip.io/{key}": value for key, value in annotations.items()}
        metadata = {"name": name, "namespace": "shop", "uid": name, "annotations": notes}
        return {"metadata": metadata, "spec": {"type": "LoadBalancer"}}

    memory = Memory(
        Service=[
            service("a", loadbalancerIPs="10.1.1.9,fd00:1::9", serviceInterface="eth7"),
            service("b", loadbalancerIPs="10.2.1.9", egress="true"),
            service("c", loadbalancerIPs="10.3.1.9", serviceInterface="auto"),
        ]
    )
    found = imported_live(tmp_path, capsys, "kube-vip", memory, "--subnet", "10.0.0.0/8")
    fixed = found.specs.pop("AddressPool kube-vip-fixed")
    assert fixed["ranges"] == ["10.1.1.9", "10.2.1.9", "10.3.1.9", "fd00:1::9"]
    assert fixed["autoAssign"] is False
    assert [spec["cidr"] for spec in found.specs.values()] == ["10.0.0.0/8", "fd00:1::/64"]
    found = imported_live(
        tmp_path, capsys, "kube-vip", memory, "--subnet", "10.1.0.0/16", "--subnet", "10.2.0.0/16"
    )
    by_block = {spec["cidr"]: spec for spec in found.specs.values() if "cidr" in spec}
    assert by_block["10.1.0.0/16"]["interface"] == "eth7"
    assert by_block["10.2.0.0/16"]["bySubnet"] is True
    assert any("Service shop/b: kube-vip.io/egress: no counterpart" in n for n in found.notes)


GROUP = """
apiVersion: purelb.io/v2
kind: ServiceGroup
metadata: {{name: {name}, namespace: purelb-system}}
spec: {{{spec}}}
---
"""
AGENT = """
apiVersion: purelb.io/v2
kind: LBNodeAgent
metadata: {{name: default, namespace: purelb-system}}
spec: {{local: {{localInterface: {interface}}}{more}}}
---
"""
BOTH = (
    "local: {v4pools: [{subnet: 192.168.254.0/24, pool: 192.168.254.230-192.168.254.240, "
    "aggregation: default}], v6pools: [{subnet: 'fd53:9ef0:8683::/120', "
    "pool: 'fd53:9ef0:8683::-fd53:9ef0:8683::3'}]}"
)


def group(name: str, spec: str) -> str:
    return GROUP.format(name=name, spec=spec)


def agent(interface: str, more: str = "") -> str:
    return AGENT.format(interface=interface, more=more)


def test_a_service_group_knows_its_networks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = imported(tmp_path, capsys, "purelb", group("default", BOTH) + agent("default"))
    assert found.specs == {
        "AddressPool default": {
            "ranges": ["192.168.254.230-192.168.254.240", "fd53:9ef0:8683::/126"]
        },
        "Topology default": {"cidr": "192.168.254.0/24", "bySubnet": True},
        "Topology default-2": {"cidr": "fd53:9ef0:8683::/120", "bySubnet": True},
    }
    assert found.notes == []


def test_only_the_default_group_is_assigned_from_unasked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = "local: {subnet: 10.1.0.0/16, pool: 10.1.1.16/28}"
    mine = "local: {v4pool: {subnet: 10.1.0.0/16, pool: 10.1.2.16/28}, multiPool: true}"
    text = (
        group("first-form", old)
        + group("mine", mine + ", namespaces: [shop]")
        + group("theirs", mine.replace("10.1.2", "10.1.3") + ", namespaces: [b], "
                "enforceNamespaces: true")
        + group("routed", "remote: {v4pool: {subnet: 10.9.0.0/16, pool: 10.9.1.0/24}}")
        + group("box", "netbox: {url: http://x}")
    )  # fmt: skip
    found = imported(tmp_path, capsys, "purelb", text + agent("enp0s3"))
    assert found.specs["AddressPool first-form"]["autoAssign"] is False
    assert found.specs["AddressPool mine"]["namespaces"] == ["shop"]
    assert found.specs["Topology first-form"] == {"cidr": "10.1.0.0/16", "interface": "enp0s3"}
    assert len(found.specs) == 4
    boundaries = [note for note in found.notes if "it is a boundary" in note]
    assert len(boundaries) == 1
    for wanted in ("spec.remote", "spec.netbox", "spec.local.multiPool"):
        assert any(wanted in note for note in found.notes)


def test_an_interface_by_pattern_is_the_one_in_the_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ", nodeSelector: {matchLabels: {rack: r1}}"
    found = imported(
        tmp_path, capsys, "purelb", group("default", BOTH) + agent("'eth.*|ens.*'", more)
    )
    spec = found.specs["Topology default"]
    assert (spec["bySubnet"], spec["nodeSelector"]) == (True, {"rack": "r1"})
    assert any("is a pattern" in note for note in found.notes)


def test_annotations_that_are_not_read_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop, annotations: {purelb.io/service-group: mine}}
spec: {type: LoadBalancer}
"""
    found = imported(tmp_path, capsys, "purelb", group("default", BOTH) + service)
    assert any("annotate it with duravip.io/pool" in note for note in found.notes)
