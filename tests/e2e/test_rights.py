"""Who may write what: rules that the API server checks, whatever a program or a person tries."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import config
from kubernetes.client import CustomObjectsApi
from kubernetes.client.exceptions import ApiException

from duravip_api import GROUP, VERSION
from e2e.example import HOME, Example
from lab.charts import NAMESPACE
from lab.cluster import Lab
from lab.pki import Pki

GRANT = {"spec": {"grantedCount": 7}}


def _api(lab: Lab, token: str) -> Any:
    file = lab.layout.kubeconfig("somebody")
    Pki(lab.layout).kubeconfig(file, lab.control_plane.door.url, token)
    return CustomObjectsApi(config.new_client_from_config(str(file)))


def report(lab: Lab, token: str, node: str) -> None:
    """Write a node's status, as its agent does."""
    status: dict[str, Any] = {"status": {}}
    where = (GROUP, VERSION, "nodeplumbings", node)
    merge = "application/merge-patch+json"
    _api(lab, token).patch_cluster_custom_object_status(*where, body=status, _content_type=merge)


def change(lab: Lab, token: str, node: str, what: dict[str, Any], **options: str) -> None:
    """Write anything else of a NodePlumbing."""
    where = (GROUP, VERSION, "nodeplumbings", node)
    merge = "application/merge-patch+json"
    _api(lab, token).patch_cluster_custom_object(*where, body=what, _content_type=merge, **options)


@pytest.fixture
def agent(lab: Lab, example: Example) -> str:
    """The token of the agent on n1: bound to its pod, as the kubelet's are."""
    pod = ("--bound-object-kind=Pod", f"--bound-object-name={example.agent_pod(HOME)}")
    return lab.kubectl("create", "token", "duravip-agent", f"-n{NAMESPACE}", *pod).strip()


@pytest.fixture
def mighty(lab: Lab) -> Iterator[str]:
    """The token of somebody whom RBAC lets do everything."""
    lab.kubectl("create", "serviceaccount", "mighty")
    grant = ("--clusterrole=cluster-admin", "--serviceaccount=default:mighty")
    lab.kubectl("create", "clusterrolebinding", "mighty", *grant)
    yield lab.kubectl("create", "token", "mighty").strip()
    lab.kubectl("delete", "clusterrolebinding/mighty", "serviceaccount/mighty")


def test_an_agent_writes_the_status_of_its_own_node(lab: Lab, agent: str) -> None:
    report(lab, agent, HOME)


def test_an_agent_cannot_write_another_nodes_status(lab: Lab, agent: str) -> None:
    with pytest.raises(ApiException, match="agent on node n1 may not write NodePlumbing n2"):
        report(lab, agent, "n2")


def test_an_agent_cannot_grant_itself_anything(lab: Lab, agent: str) -> None:
    with pytest.raises(ApiException, match="cannot patch resource"):
        change(lab, agent, HOME, GRANT)


@pytest.mark.usefixtures("example")
def test_a_stolen_account_without_a_pod_is_of_no_use(lab: Lab) -> None:
    loose = lab.kubectl("create", "token", "duravip-agent", f"-n{NAMESPACE}").strip()
    with pytest.raises(ApiException, match="not bound to a node or to a pod on a node"):
        report(lab, loose, HOME)


@pytest.mark.usefixtures("example")
def test_nobody_but_the_operator_grants_even_with_all_rights(lab: Lab, mighty: str) -> None:
    with pytest.raises(ApiException, match="only the operator may write the spec"):
        change(lab, mighty, HOME, GRANT)
    change(lab, mighty, HOME, {"metadata": {"labels": {"looked-at": "yes"}}})


@pytest.mark.usefixtures("example")
def test_an_administrator_of_the_cluster_may_in_an_emergency(lab: Lab) -> None:
    said = lab.kubectl(
        "patch", "dvn", HOME, "--dry-run=server", "--type=merge", f"--patch={json.dumps(GRANT)}"
    )
    assert "patched" in said
