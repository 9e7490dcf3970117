"""The chart's policy that keeps the DuraVIP of a Service from everybody but the operator."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from api.gate import DRY
from api.objects import Body, duravip
from lab import charts
from lab.cluster import Lab
from lab.errors import LabError
from lab.fleet import wait_until

LAB = "bare"

POLICY = "duravip-of-a-service"
OPERATOR = f"system:serviceaccount:{charts.NAMESPACE}:duravip-operator"
COLLECTOR = "system:serviceaccount:kube-system:generic-garbage-collector"
SOMEBODY = ("--as=somebody", "--as-group=editors")
SAID = "DuraVIP svc-web is made by the operator for Service web: edit that Service instead"


def generated(address: str = "10.1.1.5") -> Body:
    body = duravip("svc-web", address)
    body["metadata"]["labels"] = {"duravip.io/service": "web"}
    return body


@pytest.fixture(scope="module")
def kept(lab: Lab) -> Iterator[Lab]:
    """A generated DuraVIP, somebody who may edit DuraVIPs, and the policy in force."""
    rights = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "policy-editors"}}
    rule = {"apiGroups": ["duravip.io"], "resources": ["duravips"], "verbs": ["*"]}
    role = {**rights, "kind": "ClusterRole", "rules": [rule]}
    group = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "editors"}
    account = {"kind": "User", "name": OPERATOR, "apiGroup": group["apiGroup"]}
    collector = {**account, "name": COLLECTOR}
    ref = {"apiGroup": group["apiGroup"], "kind": "ClusterRole", "name": "policy-editors"}
    subjects = [group, account, collector]
    bound = {**rights, "kind": "ClusterRoleBinding", "roleRef": ref, "subjects": subjects}
    policy = [o for o in charts.rendered() if o["metadata"]["name"] == POLICY]
    for body in (role, bound, generated(), *policy):
        lab.kubectl("apply", "-f", "-", input=json.dumps(body))
    wait_until(lambda: SAID in edit(lab, *SOMEBODY), "the policy is in force")
    yield lab
    lab.kubectl("delete", f"validatingadmissionpolicy/{POLICY}",
                f"validatingadmissionpolicybinding/{POLICY}", "clusterrole/policy-editors",
                "clusterrolebinding/policy-editors", "duravip/svc-web")  # fmt: skip


def said(lab: Lab, *words: str, body: Any = None) -> str:
    """What is said to whoever does this; empty when it may be done."""
    try:
        lab.kubectl(*words, DRY, input=json.dumps(body) if body else None)
    except LabError as error:
        return str(error)
    return ""


def edit(lab: Lab, *options: str) -> str:
    patch = json.dumps({"spec": {"address": "10.1.1.6"}})
    return said(lab, "patch", "dvip", "svc-web", "--type=merge", f"--patch={patch}", *options)


def test_whoever_edits_it_is_told_which_service_to_edit(kept: Lab) -> None:
    assert SAID in edit(kept, *SOMEBODY)
    assert SAID in said(kept, "label", "dvip", "svc-web", "duravip.io/service-", *SOMEBODY)
    assert SAID in said(kept, "delete", "dvip", "svc-web", *SOMEBODY)


def test_nobody_else_makes_one(kept: Lab) -> None:
    body = generated()
    body["metadata"]["name"] = "svc-mine"
    told = said(kept, "create", "-f", "-", *SOMEBODY, body=body)
    assert "DuraVIP svc-mine is made by the operator for Service web" in told
    del body["metadata"]["labels"]
    assert said(kept, "create", "-f", "-", *SOMEBODY, body=body) == ""


def test_it_can_be_asked_to_move(kept: Lab) -> None:
    asked = ("annotate", "dvip", "svc-web", "duravip.io/move-to=n1@2026-11-30T12:00:00Z")
    assert said(kept, *asked, *SOMEBODY) == ""


@pytest.mark.parametrize("name", [OPERATOR, COLLECTOR])
def test_the_operator_and_kubernetes_itself_are_let_through(kept: Lab, name: str) -> None:
    assert edit(kept, f"--as={name}") == ""
    assert said(kept, "delete", "dvip", "svc-web", f"--as={name}") == ""
