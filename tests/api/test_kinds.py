"""The kinds on a real API server: what it takes, what it refuses, and in which words."""

import json
from typing import Any

import pytest
from kubernetes import client

from lab.cluster import Lab

LAB = "bare"

LONGEST_KEY = f"{'k' * 63}.{'k' * 63}.{'k' * 63}.{'k' * 61}/{'k' * 63}"
GOOD: list[tuple[str, dict[str, Any]]] = [
    ("DuraVIP", {"address": "10.1.1.1"}),
    ("DuraVIP", {"address": "fd00:1::5", "preference": "n1", "nodeSelector": {"a": "b"}}),
    ("DuraVIP", {"address": "10.1.1.1", "nodeSelector": {LONGEST_KEY: "v" * 63, "a": ""}}),
    ("DuraVIP", {"address": "10.1.1.2", "follow": "mail-1", "enableDuravip": False}),
    ("DuraVIP", {"address": "10.1.1.2", "services": [{"name": "smtp", "port": 25}]}),
    ("DuraVIP", {"address": "10.1.1.2", "readiness": {"endpointsOf": "web", "policy": "Prefer"}}),
    ("Binding", {"address": "10.1.1.3", "readiness": {"endpointsOf": "relay"}}),
    (
        "DuraVIP",
        {
            "address": "10.1.1.2",
            "services": [{"name": "smtp", "port": 25}],
            "readiness": {"listening": True},
        },
    ),
    ("Binding", {}),
    ("Binding", {"address": "10.1.1.3", "group": "g", "suspend": True, "adaptive": True}),
    ("Topology", {"cidr": "10.1.1.0/24", "interface": "eth1"}),
    ("Topology", {"cidr": "fd00:1::/64", "interface": "eth1", "cidrmask": 128}),
    ("Topology", {"cidr": "10.1.1.0/24", "interface": "e", "arpTargets": ["10.1.1.9"]}),
    ("Topology", {"cidr": "10.1.1.0/24", "interfaces": ["eth1", "ens192"]}),
    ("Topology", {"cidr": "10.1.1.0/24", "bySubnet": True}),
    ("Topology", {"cidr": "10.1.1.0/24", "interface": "e", "bySubnet": False}),
]
ONE_WAY = "exactly one of interface, interfaces and bySubnet must be set"
SERVICE = {"name": "a", "port": 25, "protocol": "TCP"}
BAD: list[tuple[str, dict[str, Any], str]] = [
    ("DuraVIP", {}, "spec.address: Required value"),
    ("DuraVIP", {"address": "mail"}, "must be an IPv4 or IPv6 address without a prefix"),
    ("DuraVIP", {"address": "10.1.1.1/32"}, "must be an IPv4 or IPv6 address without a prefix"),
    ("DuraVIP", {"address": "fd00:0::1"}, "must be in canonical form"),
    ("DuraVIP", {"address": "224.0.0.18"}, "must be an address that one host can hold"),
    ("DuraVIP", {"address": "127.0.0.1"}, "must be an address that one host can hold"),
    ("DuraVIP", {"address": "255.255.255.255"}, "must be an address that one host can hold"),
    ("DuraVIP", {"address": "10.1.1.1", "preference": "N1"}, "must be the name of a Node"),
    (
        "DuraVIP",
        {"address": "10.1.1.1", "follow": "a", "preference": "n1"},
        "preference cannot be set together with follow: set it on the Binding that is followed",
    ),
    (
        "DuraVIP",
        {"address": "10.1.1.1", "follow": "a", "enableDuravip": True},
        "enableDuravip cannot be true together with follow: leave it out",
    ),
    (
        "DuraVIP",
        {"address": "10.1.1.1", "nodeSelector": {"k" * 318: "v"}},
        "the key of a label has at most 317 characters",
    ),
    (
        "Binding",
        {"address": "10.1.1.1", "nodeSelector": {f"{n:0>300}": "v" for n in range(7)}},
        "must have at most 2048 characters in all",
    ),
    ("DuraVIP", {"address": "10.1.1.1", "follow": "10.1.1.1"}, "must not be the address itself"),
    ("DuraVIP", {"address": "10.1.1.1", "readiness": {}}, "must say what makes a node fit"),
    ("Binding", {"address": "10.1.1.1", "readiness": {}}, "endpointsOf: Required value"),
    (
        "DuraVIP",
        {"address": "10.1.1.1", "readiness": {"check": {}}},
        "exactly one of tcp and http must be set",
    ),
    (
        "DuraVIP",
        {"address": "10.1.1.1", "readiness": {"check": {"tcp": {"port": 25}, "interval": "1h"}}},
        "must be a duration from 200ms to 60s",
    ),
    (
        "DuraVIP",
        {"address": "10.1.1.1", "readiness": {"listening": True}},
        "readiness.listening needs services",
    ),
    (
        "DuraVIP",
        {"address": "10.1.1.1", "readiness": {"listening": True}, "services": []},
        "readiness.listening needs services",
    ),
    (
        "Binding",
        {"address": "10.1.1.1", "readiness": {"endpointsOf": "Web"}},
        "must be the name of a Service",
    ),
    (
        "DuraVIP",
        {"address": "10.1.1.1", "readiness": {"endpointsOf": "web", "policy": "Maybe"}},
        "Unsupported value",
    ),
    ("DuraVIP", {"address": "10.1.1.1", "services": [SERVICE, SERVICE]}, "Duplicate value"),
    (
        "DuraVIP",
        {"address": "10.1.1.1", "services": [{**SERVICE, "port": 0}]},
        "should be greater than or equal to 1",
    ),
    ("Binding", {"address": "::ffff:10.1.1.1"}, "must be an IPv4 or IPv6 address"),
    ("Topology", {"cidr": "10.1.1.7/24", "interface": "e"}, "must have no bits set after"),
    ("Topology", {"cidr": "lan", "interface": "e"}, "must be a network block"),
    ("Topology", {"cidr": "10.1.1.0/24"}, ONE_WAY),
    ("Topology", {"cidr": "10.1.1.0/24", "bySubnet": False}, ONE_WAY),
    ("Topology", {"cidr": "10.1.1.0/24", "interface": "e", "bySubnet": True}, ONE_WAY),
    ("Topology", {"cidr": "10.1.1.0/24", "interface": "e", "interfaces": ["e"]}, ONE_WAY),
    ("Topology", {"cidr": "10.1.1.0/24", "interfaces": []}, "at least 1 items"),
    ("Topology", {"cidr": "10.1.1.0/24", "interfaces": ["lo"]}, "must be an interface on a"),
    ("Topology", {"cidr": "10.1.1.0/24", "interfaces": ["a", "a"]}, "an interface twice"),
    ("Topology", {"cidr": "10.1.1.0/24", "interface": "a-name-of-16-chs"}, "may not be more"),
    ("Topology", {"cidr": "10.1.1.0/24", "interface": "e", "cidrmask": 33}, "at most 32"),
    (
        "Topology",
        {"cidr": "10.1.8.0/24", "interface": "e", "cidrmask": 8},
        "cidrmask must not be below the prefix length of cidr",
    ),
    (
        "Topology",
        {"cidr": "fd00:1::/64", "interface": "e", "cidrmask": 48},
        "cidrmask must not be below the prefix length of cidr",
    ),
    (
        "Topology",
        {"cidr": "10.1.1.0/24", "interface": "e", "fencing": "Soft"},
        "Unsupported value",
    ),
]


def create(lab: Lab, kind: str, spec: dict[str, Any], name: str = "tried") -> str:
    """Create an object in a dry run; the API server's word when it refuses it, else nothing."""
    body = {
        "apiVersion": "duravip.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    }
    api = client.CustomObjectsApi(lab.api())
    plural = {"DuraVIP": "duravips", "Binding": "vipbindings", "Topology": "topologies"}[kind]
    where = ("duravip.io", "v1alpha1")
    try:
        if kind == "Topology":
            del body["metadata"]["namespace"]
            api.create_cluster_custom_object(*where, plural, body, dry_run="All")
        else:
            api.create_namespaced_custom_object(*where, "default", plural, body, dry_run="All")
    except client.ApiException as error:
        return f"{error.status}: {json.loads(error.body)['message']}"
    return ""


@pytest.mark.parametrize(("kind", "spec"), GOOD)
def test_a_good_object_is_taken(lab: Lab, kind: str, spec: dict[str, Any]) -> None:
    assert create(lab, kind, spec) == ""


@pytest.mark.parametrize(("kind", "spec", "words"), BAD)
def test_a_bad_object_is_refused_in_words(
    lab: Lab, kind: str, spec: dict[str, Any], words: str
) -> None:
    refusal = create(lab, kind, spec)
    assert refusal.startswith("422: ")
    assert words in refusal


def test_a_reserved_name_is_refused(lab: Lab) -> None:
    assert "the name 'default' is reserved" in create(lab, "Binding", {}, "default")


@pytest.mark.usefixtures("example")
@pytest.mark.parametrize(
    ("what", "columns"),
    [
        ("duravips", "NAME ADDRESS OWNER STATE FLAGS PREFERENCE FOLLOWS SINCE AGE"),
        ("dvip", "NAME ADDRESS OWNER STATE FLAGS PREFERENCE FOLLOWS SINCE AGE"),
        ("vipbindings", "NAME ADDRESS OWNER STATE FLAGS PREFERENCE GROUP SINCE AGE"),
        ("dvb", "NAME ADDRESS OWNER STATE FLAGS PREFERENCE GROUP SINCE AGE"),
        ("topologies", "NAME CIDR INTERFACE MASK NODES ADDRESSES AGE"),
        ("dvt", "NAME CIDR INTERFACE MASK NODES ADDRESSES AGE"),
        ("nodeplumbings", "NAME NODE READY GRANTED SERVED NICS AGENT AGE"),
        ("dvn", "NAME NODE READY GRANTED SERVED NICS AGENT AGE"),
    ],
)
def test_kubectl_shows_these_columns(lab: Lab, what: str, columns: str) -> None:
    assert lab.kubectl("get", what).splitlines()[0].split() == columns.split()


@pytest.mark.usefixtures("example")
def test_wide_shows_more(lab: Lab) -> None:
    for what in ("duravips", "vipbindings"):
        head = lab.kubectl("get", what, "-o", "wide").splitlines()[0]
        assert head.split()[-4:] == ["INTERFACE", "PARTICIPANTS", "LASTMOVE", "MESSAGE"]


@pytest.mark.usefixtures("example")
def test_the_category_lists_both_kinds(lab: Lab) -> None:
    shown = lab.kubectl("get", "vips")
    assert "duravip.duravip.io/shown" in shown
    assert "binding.duravip.io/shown" in shown.split()


@pytest.mark.usefixtures("example")
def test_objects_are_found_by_address_and_owner(lab: Lab) -> None:
    for selector in ("spec.address=10.1.1.1", "status.owner=n1"):
        assert "shown" in lab.kubectl("get", "dvip", f"--field-selector={selector}")


@pytest.mark.parametrize(
    "path", ["duravip.spec", "dvb.spec", "topology.spec", "nodeplumbing.status.nics"]
)
def test_every_field_is_explained(lab: Lab, path: str) -> None:
    shown = lab.kubectl("explain", path)
    assert "<no description>" not in shown
    assert "FIELDS" in shown


@pytest.fixture(scope="module")
def example(lab: Lab) -> Any:
    """One object of each kind, with the status of an owned one."""
    objects = [
        ("DuraVIP", {"address": "10.1.1.1"}, {"owner": "n1", "state": "Owned"}),
        ("Binding", {"address": "10.1.1.1", "group": "g"}, {"owner": "n1"}),
        ("Topology", {"cidr": "10.1.1.0/24", "interface": "eth1"}, {"nodes": 3}),
        ("NodePlumbing", {}, {"served": ["10.1.1.1"], "servedCount": 1}),
    ]
    for kind, spec, status in objects:
        body = {
            "apiVersion": "duravip.io/v1alpha1",
            "kind": kind,
            "metadata": {"name": "shown"},
            "spec": spec,
        }
        lab.kubectl("apply", "-f", "-", input=json.dumps(body))
        plural = "vipbindings.duravip.io" if kind == "Binding" else kind.lower()
        patch = json.dumps({"status": status})
        lab.kubectl("patch", plural, "shown", "--subresource=status", "--type=merge", "-p", patch)
    yield
    for kind in ("duravip", "vipbinding", "topology", "nodeplumbing"):
        lab.kubectl("delete", kind, "shown")
