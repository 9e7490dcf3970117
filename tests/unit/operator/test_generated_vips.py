"""The DuraVIP that carries a Service's address."""

from dataclasses import replace
from typing import Any

import pytest

from duravip_api.duravip import DuraVIPSpec
from duravip_operator.core import parsing
from duravip_operator.core.generated_vips import generate, vip_body
from duravip_operator.core.service_objects import parse_service
from unit.operator.service_world import service

SERVICES: list[dict[str, Any]] = [
    service(),
    service(ports=["TCP/53", "UDP/53", "SCTP/9"]),
    service(externalTrafficPolicy="Local"),
    service(annotations={"duravip.io/prefer-local": "true"}),
    service(annotations={"duravip.io/preference": "n1", "duravip.io/node-selector": "a=b"}),
    service(ports=[f"TCP/{n}" for n in range(1, 100)]),
]


@pytest.mark.parametrize("body", SERVICES)
def test_what_is_created_is_as_it_is_to_be(body: dict[str, Any]) -> None:
    wanted = generate(parse_service(body), 4, "10.1.1.1", "front")
    made = parsing.vip_object("DuraVIP", vip_body(wanted))
    assert made.rejection is None
    assert wanted.is_as(made)


@pytest.mark.parametrize("body", SERVICES)
def test_it_keeps_to_the_schema(body: dict[str, Any]) -> None:
    DuraVIPSpec.model_validate(vip_body(generate(parse_service(body), 4, "10.1.1.1"))["spec"])


@pytest.mark.parametrize(
    "edit",
    [
        {"address": "10.1.1.2"},
        {"services": frozenset()},
        {"is_guarded": False},
        {"preference": "n2"},
        {"selector": (("a", "b"),)},
        {"enabled": False},
        {"may_balance": False},
        {"failback_s": 5.0},
        {"origin": None},
        {"follow": "out"},
    ],
)
def test_a_hand_that_edits_it_is_noticed(edit: dict[str, Any]) -> None:
    wanted = generate(parse_service(service()), 4, "10.1.1.1")
    made = parsing.vip_object("DuraVIP", vip_body(wanted))
    assert not wanted.is_as(replace(made, **edit))


@pytest.mark.parametrize("edit", [{"readiness": frozenset()}, {"readiness_policy": "Prefer"}])
def test_a_hand_that_edits_the_readiness_is_noticed(edit: dict[str, Any]) -> None:
    wanted = generate(parse_service(service(externalTrafficPolicy="Local")), 4, "10.1.1.1")
    made = parsing.vip_object("DuraVIP", vip_body(wanted))
    assert not wanted.is_as(replace(made, **edit))


def test_what_decides_elsewhere_is_left_to_the_duravip_that_people_have_made() -> None:
    wanted = generate(parse_service(service()), 4, "10.1.1.1")
    spec = vip_body(wanted._replace(is_guarded=False, enabled=False))["spec"]
    services = [{"name": "p80", "port": 80, "protocol": "TCP"}]
    assert spec == {"address": "10.1.1.1", "services": services, "enableDuravip": False}


def test_who_prefers_local_endpoints_does_not_insist() -> None:
    prefers = service(annotations={"duravip.io/prefer-local": "true"})
    body = vip_body(generate(parse_service(prefers), 4, "10.1.1.1"))
    assert body["spec"]["readiness"] == {"endpointsOf": "web", "policy": "Prefer"}


def test_local_asks_for_a_ready_endpoint_and_cluster_does_not() -> None:
    body = vip_body(generate(parse_service(service(externalTrafficPolicy="Local")), 4, "10.1.1.1"))
    assert body["spec"]["readiness"] == {"endpointsOf": "web", "policy": "Require"}
    body = vip_body(generate(parse_service(service()), 4, "10.1.1.1"))
    assert "readiness" not in body["spec"]
    assert body["spec"]["expose"] == "Declared"


def test_each_family_has_a_name_and_kubernetes_deletes_it_with_the_service() -> None:
    body = vip_body(generate(parse_service(service()), 6, "fd00::1"))
    assert body["metadata"]["name"] == "svc-web-v6"
    assert body["metadata"]["labels"] == {"duravip.io/service": "web"}
    (owner,) = body["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("Service", "web", "uid-default-web")
    assert (owner["controller"], owner["blockOwnerDeletion"]) == (True, False)
