"""The chart's policy that keeps a NodePlumbing while its node may serve something."""

import json
from collections.abc import Iterator

import pytest

from api.gate import DRY
from lab import charts
from lab.cluster import Lab
from lab.errors import LabError
from lab.fleet import wait_until

LAB = "bare"

POLICY = "duravip-nodeplumbing-kept"
SERVING, GRANTED, IDLE = "policy-serving", "policy-granted", "policy-idle"
OPERATOR = f"system:serviceaccount:{charts.NAMESPACE}:duravip-operator"
COLLECTOR = "system:serviceaccount:kube-system:generic-garbage-collector"
SAID = (
    f"node {SERVING} may still serve addresses, and nothing else tells which: run `kubectl "
    f"duravip drain {SERVING}` first; or, where the node is lost, power it off and delete the Node"
)


@pytest.fixture(scope="module")
def kept(lab: Lab) -> Iterator[Lab]:
    """Three NodePlumbings that no program looks at, and the policy in force."""
    policy = [o for o in charts.rendered() if o["metadata"]["name"] == POLICY]
    kinds = {"apiVersion": "duravip.io/v1alpha1", "kind": "NodePlumbing"}
    bodies = [
        {**kinds, "metadata": {"name": name}, "spec": {"epoch": 1, "grantedCount": granted}}
        for name, granted in ((SERVING, 0), (GRANTED, 1), (IDLE, 0))
    ]
    for body in (*bodies, *policy):
        lab.kubectl("apply", "-f", "-", input=json.dumps(body))
    serve(lab, ["10.1.1.1"])
    wait_until(lambda: SAID in refusal(lab, SERVING), "the policy is in force")
    yield lab
    lab.kubectl("delete", f"validatingadmissionpolicy/{POLICY}",
                f"validatingadmissionpolicybinding/{POLICY}")  # fmt: skip
    wait_until(lambda: refusal(lab, SERVING) == "", "it is not any more")
    lab.kubectl("delete", "dvn", "--ignore-not-found", SERVING, GRANTED, IDLE)


def serve(lab: Lab, addresses: list[str]) -> None:
    """Say that the node serves these, as its agent does."""
    patch = {"status": {"served": addresses, "servedCount": len(addresses)}}
    what = ("--subresource=status", "--type=merge", f"--patch={json.dumps(patch)}")
    lab.kubectl("patch", "dvn", SERVING, *what)


def refusal(lab: Lab, name: str, *options: str) -> str:
    """What is said to whoever would delete it; empty when it may be."""
    try:
        lab.kubectl("delete", "dvn", name, DRY, *options)
    except LabError as error:
        return str(error)
    return ""


def test_what_a_node_may_still_serve_is_not_forgotten(kept: Lab) -> None:
    assert SAID in refusal(kept, SERVING)
    assert "may still serve addresses" in refusal(kept, GRANTED)
    assert refusal(kept, IDLE) == ""


@pytest.mark.parametrize("name", [OPERATOR, COLLECTOR])
def test_the_operator_and_kubernetes_itself_are_let_through(kept: Lab, name: str) -> None:
    assert refusal(kept, SERVING, f"--as={name}", "--as-group=system:masters") == ""


def test_it_may_be_deleted_once_its_agent_serves_nothing(kept: Lab) -> None:
    serve(kept, [])
    assert refusal(kept, SERVING) == ""
    serve(kept, ["10.1.1.1"])
    assert SAID in refusal(kept, SERVING)
