"""What a Service of type LoadBalancer asks for, and what it is refused for."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duravip_api.reasons import Reason
from duravip_operator.core.service_objects import (
    ServiceCondition,
    ServiceObject,
    parse_service,
)
from unit.operator.service_world import service

ALIASES = [
    "duravip.io/addresses",
    "metallb.io/loadBalancerIPs",
    "metallb.universe.tf/loadBalancerIPs",
    "kube-vip.io/loadbalancerIPs",
    "lbipam.cilium.io/ips",
]


def found(**body: Any) -> ServiceObject:
    return parse_service(service(**body))


@pytest.mark.parametrize("name", ALIASES)
def test_each_annotation_asks_for_addresses(name: str) -> None:
    asked = found(
        annotations={name: " 10.1.1.51, FD00:0::1"},
        ipFamilies=["IPv4", "IPv6"],
    )
    assert asked.addresses == ((4, "10.1.1.51"), (6, "fd00::1"))
    assert asked.notes == ()
    assert asked.rejection is None


def test_ours_counts_where_two_annotations_differ_and_that_is_said() -> None:
    asked = found(
        annotations={"duravip.io/addresses": "10.1.1.1", "metallb.io/loadBalancerIPs": "10.1.1.2"}
    )
    assert asked.addresses == ((4, "10.1.1.1"),)
    ((reason, message),) = asked.notes
    assert reason is Reason.ANNOTATION_CONFLICT
    assert "10.1.1.2" in message


def test_two_annotations_that_agree_are_no_conflict() -> None:
    same = dict.fromkeys(ALIASES, "10.1.1.1")
    assert found(annotations=same, loadBalancerIP="10.1.1.1").notes == ()


def test_what_one_source_leaves_open_another_one_may_say() -> None:
    asked = found(
        annotations={"metallb.io/loadBalancerIPs": "10.1.1.1"},
        loadBalancerIP="fd00::1",
        ipFamilies=["IPv4", "IPv6"],
    )
    assert dict(asked.addresses) == {4: "10.1.1.1", 6: "fd00::1"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("duravip.io/addresses", "10.1.1.300"),
        ("duravip.io/addresses", "10.1.1.1,10.1.1.2"),
        ("duravip.io/addresses", "224.0.0.1"),
        ("kube-vip.io/loadbalancerIPs", "::"),
        ("duravip.io/addresses", "10.1.1.1," * 5000),
        ("duravip.io/preference", "No Node"),
        ("duravip.io/node-selector", "rack"),
        ("duravip.io/node-selector", "rack=a b"),
        ("duravip.io/node-selector", ",".join(f"k{n}=v" for n in range(99))),
        ("duravip.io/node-selector", ",".join(f"{'k' * 60}{n}={'v' * 60}" for n in range(30))),
        ("duravip.io/vip", "x," * 5000),
    ],
)
def test_what_cannot_be_read_names_the_service_and_the_annotation(name: str, text: str) -> None:
    rejection = found(annotations={name: text}).rejection
    assert rejection is not None
    assert rejection.reason is Reason.INVALID
    assert rejection.message.startswith(f"Service default/web: {name}: ")
    assert len(rejection.message) <= 1000


def test_an_address_of_a_family_that_it_has_not_is_refused_unless_it_is_only_preferred() -> None:
    annotations = {"duravip.io/addresses": "10.1.1.1,fd00::1"}
    rejection = found(annotations=annotations).rejection
    assert rejection is not None
    assert "spec.ipFamilyPolicy" in rejection.message
    assert found(annotations=annotations, ipFamilyPolicy="PreferDualStack").rejection is None


def test_preference_selector_and_pool_are_read() -> None:
    asked = found(
        annotations={
            "duravip.io/preference": "n1",
            "duravip.io/node-selector": "example.org/rack=a, zone=",
            "metallb.io/address-pool": "front",
        }
    )
    assert asked.preference == "n1"
    assert asked.selector == (("example.org/rack", "a"), ("zone", ""))
    assert asked.pool == "front"


def test_ports_of_sctp_and_beyond_what_a_duravip_declares_are_told() -> None:
    ports = [f"TCP/{n}" for n in range(1, 70)]
    asked = found(ports=[*ports, "SCTP/9"])
    assert len(asked.declared) == 64
    assert [reason for reason, _ in asked.notes] == [Reason.PORT_IGNORED]
    assert "SCTP/9" in asked.notes[0][1]
    assert found(ports=ports[:64]).notes == ()
    ((_, many),) = found(ports=[f"TCP/{n}" for n in range(1, 301)]).notes
    assert many.endswith(" and 187 more, and 44 beyond the first 256")


def test_the_status_is_read_whoever_wrote_it() -> None:
    condition = {
        "type": "duravip.io/Ready",
        "status": "True",
        "reason": "Served",
        "message": "m",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    ours = found(
        status={
            "loadBalancer": {"ingress": [{"ip": "10.1.1.1", "ipMode": "VIP"}]},
            "conditions": [{"type": "other"}, condition],
        }
    )
    assert ours.ingress == ("10.1.1.1",)
    assert not ours.has_foreign_ingress
    assert ours.status.condition == ServiceCondition("True", "Served", "m")
    assert found(
        status={"loadBalancer": {"ingress": [{"hostname": "a.example"}]}}
    ).has_foreign_ingress


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = ["ipFamilies", "ports", "loadBalancerIP", "loadBalancerClass", "externalTrafficPolicy"]


@given(
    spec=st.dictionaries(st.sampled_from(FIELDS), JSON),
    meta=st.dictionaries(st.sampled_from(["annotations", "name", "labels"]), JSON),
    status=st.dictionaries(st.sampled_from(["loadBalancer", "conditions"]), JSON),
)
@settings(max_examples=300, deadline=None)
def test_anything_is_read_without_an_exception(spec: Any, meta: Any, status: Any) -> None:
    parse_service({"metadata": meta, "spec": spec, "status": status})


@given(text=st.text(max_size=60), name=st.sampled_from([*ALIASES, "duravip.io/node-selector"]))
@settings(max_examples=300, deadline=None)
def test_any_annotation_is_read_without_an_exception(text: str, name: str) -> None:
    found(annotations={name: text})
