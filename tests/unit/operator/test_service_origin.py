"""Which DuraVIPs are generated ones."""

from typing import Any

import pytest

from duravip_operator.core.parsing import vip_object
from duravip_operator.core.service_origin import ServiceOrigin, parse_origin

OWNER = {"apiVersion": "v1", "kind": "Service", "name": "web", "uid": "u1"}
LABELS = {"duravip.io/service": "web"}


def test_label_and_owner_reference_tell_the_service() -> None:
    body = {
        "metadata": {
            "name": "svc-web",
            "labels": LABELS,
            "annotations": {"duravip.io/pool": "front"},
            "ownerReferences": [OWNER],
        },
        "spec": {"address": "10.1.1.1"},
    }
    assert parse_origin(body) == ServiceOrigin("web", "u1", "front")
    assert vip_object("DuraVIP", body).origin == ServiceOrigin("web", "u1", "front")


def test_an_address_that_came_from_no_pool_names_none() -> None:
    nameless = {part: OWNER[part] for part in ("apiVersion", "kind", "name")}
    body = {"metadata": {"labels": LABELS, "ownerReferences": [nameless]}}
    assert parse_origin(body) == ServiceOrigin("web", "", "")


@pytest.mark.parametrize(
    "meta",
    [
        {},
        {"labels": LABELS},
        {"ownerReferences": [OWNER]},
        {"labels": {"duravip.io/service": "api"}, "ownerReferences": [OWNER]},
        {"labels": LABELS, "ownerReferences": [{**OWNER, "kind": "Gateway"}]},
        {"labels": LABELS, "ownerReferences": "web"},
        {"labels": ["web"], "ownerReferences": [OWNER]},
        {"labels": LABELS, "ownerReferences": [None, 3]},
        {"ownerReferences": [{"apiVersion": "v1", "kind": "Service"}]},
    ],
)
def test_what_does_not_agree_was_made_by_people(meta: dict[str, Any]) -> None:
    assert parse_origin({"metadata": meta}) is None
