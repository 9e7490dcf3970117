"""The chart from its installation to its removal, on nodes with real kubelets."""

import json
from collections import Counter

from e2e.example import BOTH, Example
from lab import charts
from lab.charts import NAMESPACE
from lab.cluster import Lab

UNNOTICED = 3.0
"""Seconds, with room for a busy machine: no address has moved."""


def test_it_runs_an_agent_on_every_node_and_its_operators_on_two(
    lab: Lab, example: Example
) -> None:
    assert example.leader_node()
    pods = json.loads(lab.kubectl("get", "pods", f"-n{NAMESPACE}", "-o=json"))["items"]
    nodes: dict[str, list[str]] = {"agent": [], "operator": []}
    for pod in pods:
        component = pod["metadata"]["labels"]["app.kubernetes.io/component"]
        nodes[component].append(pod["spec"]["nodeName"])
    assert sorted(nodes["agent"]) == [node.name for node in lab.nodes]
    assert Counter(nodes["operator"]).most_common(1)[0][1] == 1, nodes["operator"]


def test_the_programs_may_do_all_that_they_try(lab: Lab, example: Example) -> None:
    assert example.old_key() == ""
    chosen = ("-l=app.kubernetes.io/name=duravip", "--tail=-1", f"-n{NAMESPACE}")
    said = lab.kubectl("logs", *chosen)
    assert [line for line in said.splitlines() if "forbidden" in line.lower()] == []


def test_an_upgrade_keeps_an_old_key_and_no_client_notices(lab: Lab, example: Example) -> None:
    example.make_old_key()
    key = example.old_key()
    with lab.observe(BOTH) as seen:
        charts.install(lab, "--set=operator.mature=4")
        example.settle()
    assert example.old_key() == key != ""
    assert seen.sight.worst_gap() <= UNNOTICED
    assert seen.sight.double_owners == 0


def test_its_removal_leaves_no_address_and_no_right(lab: Lab, example: Example) -> None:
    assert example.aliases()
    charts.uninstall(lab)
    assert example.aliases() == []
    assert lab.who_answers(BOTH) == {}
    kinds = "clusterroles,clusterrolebindings,validatingadmissionpolicies,flowschemas"
    webhooks = "validatingwebhookconfigurations"
    assert "duravip" not in lab.kubectl("get", f"{kinds},{webhooks}", "-o=name")
    assert lab.kubectl("get", "all,secrets,roles,rolebindings", f"-n{NAMESPACE}", "-o=name") == ""
