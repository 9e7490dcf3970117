"""The chart's webhook: the API server asks the operator's pods about what people write."""

import json
from typing import Any

import pytest

from api.objects import Body, binding, duravip, topology
from e2e.example import PREFERRED, Example
from lab import charts
from lab.charts import NAMESPACE
from lab.cluster import Lab
from lab.errors import LabError
from lab.fleet import wait_until

PATIENCE = 60


def refusal(lab: Lab, body: Body) -> str:
    """What is said to whoever would create this; empty when it would be let in."""
    try:
        lab.kubectl("create", "--dry-run=server", "-f", "-", input=json.dumps(body))
    except LabError as error:
        return str(error)
    return ""


def certificate(lab: Lab) -> dict[str, Any]:
    """The Secret's data."""
    said = lab.kubectl("get", "secret", "duravip-webhook", f"-n{NAMESPACE}", "-o=json")
    return dict(json.loads(said)["data"])


@pytest.mark.usefixtures("example")
def test_what_can_never_be_served_is_refused(lab: Lab) -> None:
    for body, words in (
        (duravip("own", "10.77.0.11"), "spec.address: 10.77.0.11 is an address of node n1"),
        (duravip("own", "10.1.0.12"), "spec.address: 10.1.0.12 is an address of node n2"),
        (topology("twin", "10.1.1.0/24"), "has 10.1.1.0/24 already"),
    ):
        wait_until(lambda b=body, w=words: w in refusal(lab, b), f"refused: {words}", PATIENCE)


@pytest.mark.usefixtures("example")
def test_a_tenant_cannot_take_the_examples_address(lab: Lab) -> None:
    lab.kubectl("create", "namespace", "tenant")
    theirs = binding("theirs", PREFERRED)
    theirs["metadata"]["namespace"] = "tenant"
    wait_until(lambda: "belongs to" in refusal(lab, theirs), "it is refused", PATIENCE)
    mine = {**theirs, "spec": {"address": "10.1.1.200"}}
    assert refusal(lab, mine) == ""
    lab.kubectl("delete", "namespace", "tenant")


def test_an_upgrade_keeps_the_certificate(lab: Lab, example: Example) -> None:
    before = certificate(lab)
    charts.install(lab, "--set=operator.mature=4")
    example.settle()
    assert certificate(lab) == before
    own = duravip("own", "10.77.0.11")
    wait_until(lambda: "is an address of" in refusal(lab, own), "it is refused", PATIENCE)


def test_nobody_is_kept_waiting_while_no_operator_runs(lab: Lab, example: Example) -> None:
    replicas = ("scale", "deployment/duravip-operator", f"-n{NAMESPACE}")
    lab.kubectl(*replicas, "--replicas=0")
    own = duravip("own", "10.77.0.11")
    wait_until(lambda: refusal(lab, own) == "", "it is let in", PATIENCE)
    lab.kubectl(*replicas, "--replicas=2")
    example.settle()
    wait_until(lambda: "is an address of" in refusal(lab, own), "it is refused", PATIENCE)
