"""`import` of whatever others have written: no crash, and nothing that a server would refuse."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duravip_cli.manifests.schema import metadata_faults, schema_faults
from duravip_cli.migration.conversion import Drafts, Surroundings, convert, node_blocks
from duravip_cli.migration.foreign_services import service_notes
from duravip_cli.migration.kube_vip import read_kube_vip
from duravip_cli.migration.metallb import read_metallb
from duravip_cli.migration.purelb import read_purelb
from duravip_cli.objects import Body

FIELDS = [
    "addresses",
    "autoAssign",
    "serviceAllocation",
    "namespaces",
    "namespaceSelectors",
    "serviceSelectors",
    "priority",
    "matchLabels",
    "matchExpressions",
    "key",
    "operator",
    "values",
    "interfaces",
    "nodeSelectors",
    "ipAddressPools",
    "ipAddressPoolSelectors",
    "local",
    "v4pool",
    "v4pools",
    "pool",
    "subnet",
    "localInterface",
    "nodeSelector",
    "template",
    "containers",
    "env",
    "name",
    "value",
    "image",
    "cidr-global",
    "range-shop",
    "interface-shop",
    "loadBalancerIP",
    "loadBalancerClass",
    "type",
    "kube-vip.io/loadbalancerIPs",
    "kube-vip.io/egress",
]
WORDS = [
    "10.1.1.0/24",
    "10.1.1.9-10.1.1.3",
    "10.1.1.9",
    "fd00::/120",
    "fd00::1-fd00::5",
    "0.0.0.0/0",
    "::/0",
    "x",
    "In",
    "LoadBalancer",
    "0.0.0.0",  # noqa: S104 - a text
    "10.1.1.1,10.1.1.2",
    "kube-vip",
    "vip_interface",
    "eth1",
    "default",
    "eth.*",
    "true",
]
LEAVES = st.none() | st.booleans() | st.integers(-9, 2000) | st.sampled_from(WORDS) | st.text()
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=3)
    ),
    max_leaves=6,
)
MAPPINGS = st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=5)
PROGRAMS: dict[str, tuple[Callable[[Iterable[Body]], Drafts], tuple[tuple[str, str], ...]]] = {
    "metallb": (
        read_metallb,
        (
            ("metallb.io/v1beta1", "IPAddressPool"),
            ("metallb.io/v1beta1", "L2Advertisement"),
            ("v1", "Namespace"),
            ("v1", "Service"),
        ),
    ),
    "kube-vip": (
        read_kube_vip,
        (("v1", "ConfigMap"), ("apps/v1", "DaemonSet"), ("v1", "Service")),
    ),
    "purelb": (
        read_purelb,
        (("purelb.io/v2", "ServiceGroup"), ("purelb.io/v1", "LBNodeAgent"), ("v1", "Service")),
    ),
}


@pytest.mark.parametrize("program", PROGRAMS)
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_nothing_crashes_and_all_that_is_made_is_admitted(
    program: str, data: st.DataObject
) -> None:
    read, kinds = PROGRAMS[program]
    bodies: list[dict[str, Any]] = [
        {
            "apiVersion": version,
            "kind": kind,
            "metadata": {
                "name": data.draw(st.sampled_from(["kubevip", "a", "B_", ""])),
                "namespace": "shop",
                "labels": data.draw(MAPPINGS),
                "annotations": data.draw(MAPPINGS),
            },
            "spec": data.draw(MAPPINGS),
            "data": data.draw(MAPPINGS),
        }
        for version, kind in kinds
        for _ in range(2)
    ]
    made = convert(read(bodies), Surroundings())
    assert all(isinstance(note, str) for note in [*made.notes, *service_notes(program, bodies)])
    for body in made.documents:
        assert not [*metadata_faults(body["metadata"]), *schema_faults(body["kind"], body)]


@given(st.lists(st.text() | st.sampled_from(WORDS)))
def test_networks_of_nodes_are_read_as_far_as_they_can_be(addresses: list[str]) -> None:
    body = {"status": {"nics": [{"addresses": addresses}]}}
    assert all(block.first < block.last for block in node_blocks([body]))
