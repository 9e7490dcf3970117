"""What an EndpointSlice says of nodes."""

from typing import Any

import pytest

from duravip_operator.core.endpoints import (
    MAX_ENDPOINTS,
    ServiceEndpoints,
    merge_slices,
    parse_slice,
    service_of,
)


def endpoint(node: str | None = "n1", **conditions: bool | None) -> dict[str, Any]:
    named = {} if node is None else {"nodeName": node}
    return {"addresses": ["10.244.0.1"], "conditions": conditions, **named}


def parsed(*endpoints: Any) -> ServiceEndpoints:
    return parse_slice({"endpoints": list(endpoints)})


@pytest.mark.parametrize(
    ("conditions", "counts_as"),
    [
        ({}, "ready"),
        ({"ready": None}, "ready"),
        ({"ready": True, "terminating": False}, "ready"),
        ({"ready": False}, ""),
        ({"ready": False, "serving": True, "terminating": True}, "serving"),
        ({"ready": True, "serving": True, "terminating": True}, "serving"),
        ({"ready": True, "terminating": True}, "serving"),
        ({"ready": False, "serving": False, "terminating": True}, ""),
    ],
)
def test_conditions_decide_as_for_kube_proxy(
    conditions: dict[str, bool | None], counts_as: str
) -> None:
    found = parsed(endpoint(**conditions))
    assert [name for name in ("ready", "serving") if getattr(found, name)] == [
        name for name in [counts_as] if name
    ]


def test_a_node_with_a_ready_endpoint_is_not_listed_as_merely_serving() -> None:
    old = endpoint("n1", ready=False, serving=True, terminating=True)
    found = parsed(old, endpoint("n1", ready=True), {**old, "nodeName": "n2"})
    assert (found.ready, found.serving) == ({"n1"}, {"n2"})


def test_a_ready_endpoint_without_a_node_is_anywhere() -> None:
    assert parsed(endpoint(None, ready=True)) == ServiceEndpoints(is_anywhere=True)
    assert parsed(endpoint(None, ready=False)) == ServiceEndpoints()
    ends = endpoint(None, ready=False, serving=True, terminating=True)
    assert parsed(ends) == ServiceEndpoints()


def test_of_a_thousand_endpoints_without_a_node_name_no_node_is_named() -> None:
    assert parsed(*[endpoint(None)] * 1000) == ServiceEndpoints(is_anywhere=True)


def test_more_endpoints_than_the_api_allows_are_ignored() -> None:
    assert parsed(*[endpoint("n1")] * MAX_ENDPOINTS, endpoint("n2")).ready == {"n1"}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"endpoints": None},
        {"endpoints": "n1"},
        {"endpoints": [None, 3, "x", []]},
        {"endpoints": [{"conditions": "ready", "nodeName": None}]},
        {"endpoints": [{"conditions": {"ready": "no"}, "nodeName": ["n1"]}]},
    ],
)
def test_junk_names_no_node_that_there_is(body: dict[str, Any]) -> None:
    found = parse_slice(body)
    assert not (found.ready | found.serving) & {"n1"}


def test_slices_of_a_service_count_together() -> None:
    one = parsed(endpoint("n1", ready=True))
    other = parsed(
        endpoint("n1", ready=False, serving=True, terminating=True),
        endpoint("n2", ready=False, serving=True, terminating=True),
    )
    assert merge_slices([one, other]) == ServiceEndpoints(frozenset({"n1"}), frozenset({"n2"}))
    assert merge_slices([one]) is one


@pytest.mark.parametrize("meta", [{}, None, {"labels": None}, {"labels": {"a": "b"}}])
def test_a_slice_without_the_label_is_of_no_service(meta: object) -> None:
    assert service_of({"metadata": meta}) == ""


def test_a_slice_is_of_the_service_that_its_label_names() -> None:
    meta = {"namespace": "mail", "labels": {"kubernetes.io/service-name": "web"}}
    assert service_of({"metadata": meta}) == "mail/web"
    assert service_of({"metadata": {**meta, "namespace": None}}) == "/web"
