"""`import metallb`: manifests in the form of MetalLB's own samples, and what becomes of them."""

from pathlib import Path

import pytest

from duravip_cli.__main__ import run
from unit.cli.imports import Imported, imported, imported_live
from unit.cli.memory import Memory

POOL = """
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {{name: {name}, namespace: metallb-system, labels: {{zone: {zone}}}}}
spec: {{addresses: [{addresses}], {more}}}
---
"""
LAYER2 = """
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {{name: {name}, namespace: metallb-system}}
spec: {{{spec}}}
---
"""


def pool(name: str, addresses: str, more: str = "", zone: str = "east") -> str:
    return POOL.format(name=name, addresses=addresses, more=more, zone=zone)


def layer2(name: str, spec: str = "") -> str:
    return LAYER2.format(name=name, spec=spec)


def test_a_pool_and_its_advertisement_become_a_pool_and_a_topology(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = pool("first", "192.168.10.240-192.168.10.250") + layer2("example")
    found = imported(tmp_path, capsys, "metallb", text, "--subnet", "192.168.10.0/24")
    assert found == Imported(
        {
            "AddressPool first": {"ranges": ["192.168.10.240-192.168.10.250"]},
            "Topology example": {"cidr": "192.168.10.0/24", "bySubnet": True},
        },
        [],
    )


def test_ranges_in_whatever_form_are_written_canonically(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = '192.168.9.1 - 192.168.9.5, "FC00:F853:0CCD:E799::/124", 10.1.1.7/29, 10.9.9.9/32'
    found = imported(tmp_path, capsys, "metallb", pool("many", listed) + layer2("all"))
    assert found.specs["AddressPool many"]["ranges"] == [
        "10.1.1.0/29", "10.9.9.9", "192.168.9.1-192.168.9.5", "fc00:f853:ccd:e799::/124",
    ]  # fmt: skip
    blocks = [spec["cidr"] for name, spec in found.specs.items() if name.startswith("Topology")]
    assert blocks == ["10.1.1.0/24", "10.9.9.0/24", "192.168.9.0/24", "fc00:f853:ccd:e799::/64"]
    guesses = [note for note in found.notes if "is a guess" in note]
    assert len(guesses) == 4
    assert any("10.1.1.0: edges of 10.1.1.0/24" in note for note in found.notes)


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ("interfaces: [eth1]", {"interface": "eth1"}),
        ("interfaces: [eth1, ens3]", {"interfaces": ["eth1", "ens3"]}),
        ("nodeSelectors: [{matchLabels: {kubernetes.io/hostname: n1}}]",
         {"bySubnet": True, "nodeSelector": {"kubernetes.io/hostname": "n1"}}),
        ("nodeSelectors: [{matchExpressions: [{key: rack, operator: In, values: [r1]}]}]",
         {"bySubnet": True, "nodeSelector": {"rack": "r1"}}),
        ("nodeSelectors: [{matchLabels: {a: b}}, {matchLabels: {c: d}}]", {"bySubnet": True}),
        ("nodeSelectors: [{matchExpressions: [{key: rack, operator: Exists}]}]",
         {"bySubnet": True}),
    ],
)  # fmt: skip
def test_interfaces_and_nodes_are_carried_as_far_as_a_topology_can_say_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spec: str, wanted: dict[str, object]
) -> None:
    text = pool("first", "10.1.1.50-10.1.1.60") + layer2("l2", spec)
    found = imported(tmp_path, capsys, "metallb", text, "--subnet", "10.1.1.0/24")
    assert found.specs["Topology l2"] == {"cidr": "10.1.1.0/24", **wanted}
    is_partial = "nodeSelectors" in spec and "nodeSelector" not in wanted
    assert any("every node may hold" in note for note in found.notes) == is_partial


def test_an_advertisement_announces_the_pools_that_it_selects(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (
        pool("named", "10.1.1.50-10.1.1.60", zone="x")
        + pool("labelled", "10.2.1.50-10.2.1.60", zone="west")
        + pool("neither", "10.3.1.50-10.3.1.60", zone="x")
        + layer2("a", "ipAddressPools: [named], interfaces: [eth1]")
        + layer2("b", "ipAddressPoolSelectors: [{matchLabels: {zone: west}}], interfaces: [eth2]")
    )
    found = imported(tmp_path, capsys, "metallb", text)
    assert found.specs["Topology a"]["interface"] == "eth1"
    assert found.specs["Topology b"]["cidr"] == "10.2.1.0/24"
    assert len(found.specs) == 5
    assert any("neither: no L2Advertisement announces it" in note for note in found.notes)


def test_pools_that_are_tied_to_namespaces_come_first_and_the_others_last(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tied = "serviceAllocation: {{priority: {}, namespaces: [shop, bank]}}"
    text = (
        pool("tied", "10.1.1.10-10.1.1.19", tied.format(50))
        + pool("unranked", "10.1.1.20-10.1.1.29", tied.format(0))
        + pool("huge", "10.1.1.30-10.1.1.39", tied.format(40000))
        + pool("open", "10.1.1.40-10.1.1.49", "autoAssign: false, avoidBuggyIPs: true")
        + layer2("l2")
    )
    found = imported(tmp_path, capsys, "metallb", text, "--subnet", "10.1.1.0/24")
    assert [found.specs[f"AddressPool {name}"]["priority"] for name in
            ("tied", "unranked", "huge", "open")] == [50, 999, 999, 1000]  # fmt: skip
    assert found.specs["AddressPool tied"]["namespaces"] == ["shop", "bank"]
    last = found.specs["AddressPool open"]
    assert (last["autoAssign"], last["avoidBuggyIPs"]) == (False, True)


def test_what_a_pool_is_restricted_by_never_gets_wider(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A selector that cannot be carried: nobody gets an address without asking."""
    by_labels = "serviceAllocation: {serviceSelectors: [{matchLabels: {app: bar}}]}"
    by_namespace = "serviceAllocation: {namespaceSelectors: [{matchLabels: {team: a}}]}"
    text = (
        pool("labels", "10.1.1.10-10.1.1.19", by_labels)
        + pool("spaces", "10.1.1.20-10.1.1.29", by_namespace)
        + layer2("l2")
    )
    found = imported(tmp_path, capsys, "metallb", text)
    assert found.specs["AddressPool labels"]["autoAssign"] is False
    assert found.specs["AddressPool spaces"]["autoAssign"] is False
    assert any("serviceSelectors: not carried" in note for note in found.notes)
    assert any("namespaceSelectors" in note for note in found.notes)


def test_namespace_selectors_are_resolved_by_the_cluster(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = [("a", "x"), ("b", "y"), ("c", "x")]
    memory = Memory(
        Namespace=[{"metadata": {"name": n, "labels": {"team": t}}} for n, t in named],
        IPAddressPool=[
            {
                "metadata": {"name": "p", "namespace": "metallb-system"},
                "spec": {
                    "addresses": ["10.1.1.10-10.1.1.19"],
                    "serviceAllocation": {"namespaceSelectors": [{"matchLabels": {"team": "x"}}]},
                },
            }
        ],
        L2Advertisement=[{"metadata": {"name": "l2", "namespace": "metallb-system"}, "spec": {}}],
        NodePlumbing=[
            {"metadata": {"name": "n1"}, "status": {"nics": [{"addresses": ["10.1.0.11/16"]}]}}
        ],
    )
    found = imported_live(tmp_path, capsys, "metallb", memory)
    assert found.specs["AddressPool p"]["namespaces"] == ["a", "c"]
    assert "autoAssign" not in found.specs["AddressPool p"]
    assert found.specs["Topology l2"]["cidr"] == "10.1.0.0/16", "a node's own network is known"
    assert [note.split(":")[0] for note in found.notes] == ["IPAddressPool metallb-system/p"]


def test_a_topology_that_is_there_already_is_not_made_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    memory = Memory(
        IPAddressPool=[
            {"metadata": {"name": "p"}, "spec": {"addresses": ["10.1.1.10-10.1.1.19"]}}
        ],
        L2Advertisement=[{"metadata": {"name": "l2"}}],
        Topology=[
            {"metadata": {"name": "lan"}, "spec": {"cidr": "10.1.0.0/16", "interface": "e"}}
        ],
    )
    found = imported_live(tmp_path, capsys, "metallb", memory)
    assert list(found.specs) == ["AddressPool p"]


def test_bgp_is_not_carried(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    routed = """
apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: {name: bgp, namespace: metallb-system}
spec: {ipAddressPools: [routed]}
---
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {name: peer, namespace: metallb-system}
spec: {myASN: 64500, peerASN: 64501, peerAddress: 10.0.0.1}
---
"""
    text = (
        routed
        + pool("routed", "10.8.1.0/24")
        + pool("local", "10.1.1.9/32")
        + layer2("l2", "ipAddressPools: [local]")
    )
    found = imported(tmp_path, capsys, "metallb", text)
    assert "AddressPool routed" not in found.specs
    assert "AddressPool local" in found.specs
    assert any("BGPPeer metallb-system/peer: DuraVIP speaks no BGP" in n for n in found.notes)
    assert any("routed: is announced by BGP alone" in note for note in found.notes)


def test_addresses_of_two_pools_stay_in_the_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = pool("a", "10.1.1.0/24") + pool("b", "10.1.1.128-10.1.2.9") + layer2("l2")
    found = imported(tmp_path, capsys, "metallb", text)
    assert found.specs["AddressPool b"]["ranges"] == ["10.1.2.0-10.1.2.9"]
    assert any("/b: shares addresses" in note for note in found.notes)


@pytest.mark.parametrize(
    "more",
    ["addresses: 7", "addresses: [x, 10.1.1.9-10.1.1.1]", "serviceAllocation: [1]",
     "serviceAllocation: {namespaceSelectors: [7], namespaces: {a: b}, priority: x}"],
)  # fmt: skip
def test_nonsense_is_a_note_and_hurts_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: str
) -> None:
    text = f"""
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {{name: odd}}
spec: {{{more}}}
---
{pool("good", "10.1.1.9/32")}
{layer2("l2", "nodeSelectors: [7]")}
"""
    found = imported(tmp_path, capsys, "metallb", text)
    assert "AddressPool good" in found.specs
    assert "AddressPool odd" not in found.specs
    assert any("odd" in note for note in found.notes)


def test_services_of_a_foreign_class_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop, annotations: {metallb.io/allow-shared-ip: key}}
spec: {type: LoadBalancer, loadBalancerClass: metallb.io/metallb}
---
"""
    text = service + pool("p", "10.1.1.9/32") + layer2("l2")
    found = imported(tmp_path, capsys, "metallb", text, "--subnet", "10.1.1.0/24")
    assert [note.partition(": ")[0] for note in found.notes] == ["Service shop/web"] * 2
    assert "--load-balancer-class metallb.io/metallb" in found.notes[1]


def test_json_is_a_list_that_kubectl_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "theirs.yaml"
    file.write_text(pool("p", "10.1.1.9/32") + layer2("l2"))
    assert run(["import", "metallb", str(file), "-o", "json"]) == 0
    (tmp_path / "ours.json").write_text(capsys.readouterr().out)
    assert run(["validate", str(tmp_path / "ours.json")]) == 0


def test_wrong_usage_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "theirs.yaml"
    file.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n")
    assert run(["import", "metallb"]) == 2
    assert run(["import", "metallb", str(file), "--live"]) == 2
    assert run(["import", "haproxy", str(file)]) == 2
    assert run(["import", "metallb", str(file), "--subnet", "lan"]) == 2
    assert run(["import", "metallb", str(file)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 5
    assert "nothing of metallb" in lines[-1]


def test_a_network_is_guessed_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed = ", ".join(f"10.1.1.{n}/32" for n in range(10, 60, 2))
    found = imported(tmp_path, capsys, "metallb", pool("many", listed) + layer2("l2"))
    assert [note for note in found.notes if "is a guess" in note] == found.notes
    assert len(found.notes) == 1
