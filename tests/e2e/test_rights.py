"""Who may write what: rules that the API server checks, whatever a program or a person tries."""

from collections.abc import Iterator

import pytest

from e2e.example import HOME, Example
from lab.charts import NAMESPACE
from lab.cluster import Lab
from lab.errors import LabError

STATUS = ("--subresource=status", "--type=merge", '--patch={"status":{}}')
GRANT = ("--type=merge", '--patch={"spec":{"grantedCount":7}}')


def patch(lab: Lab, token: str, node: str, *what: str) -> str:
    return lab.kubectl(f"--token={token}", "patch", "dvn", node, *what)


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
    assert HOME in patch(lab, agent, HOME, *STATUS)


def test_an_agent_cannot_write_another_nodes_status(lab: Lab, agent: str) -> None:
    with pytest.raises(LabError, match="agent on node n1 may not write NodePlumbing n2"):
        patch(lab, agent, "n2", *STATUS)


def test_an_agent_cannot_grant_itself_anything(lab: Lab, agent: str) -> None:
    with pytest.raises(LabError, match="forbidden"):
        patch(lab, agent, HOME, *GRANT)


@pytest.mark.usefixtures("example")
def test_a_stolen_account_without_a_pod_is_of_no_use(lab: Lab) -> None:
    loose = lab.kubectl("create", "token", "duravip-agent", f"-n{NAMESPACE}").strip()
    with pytest.raises(LabError, match="not bound to a node or to a pod on a node"):
        patch(lab, loose, HOME, *STATUS)


@pytest.mark.usefixtures("example")
def test_nobody_but_the_operator_grants_even_with_all_rights(lab: Lab, mighty: str) -> None:
    with pytest.raises(LabError, match="only the operator may write the spec"):
        patch(lab, mighty, HOME, *GRANT)
    assert "labeled" in lab.kubectl(f"--token={mighty}", "label", "dvn", HOME, "looked-at=yes")


@pytest.mark.usefixtures("example")
def test_an_administrator_of_the_cluster_may_in_an_emergency(lab: Lab) -> None:
    assert "patched" in lab.kubectl("patch", "dvn", HOME, "--dry-run=server", *GRANT)
