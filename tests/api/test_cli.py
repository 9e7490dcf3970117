"""The command line on a real API server, beside real operators and agents."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from api.objects import Body, apply, binding, delete_all, duravip
from api.plugin import called, told
from duravip_api import PLURALS
from lab.cluster import Lab
from lab.errors import LabError
from lab.fleet import Fleet, wait_until

LAB = "fleet"
EXCLUDE = "node.kubernetes.io/exclude-from-external-load-balancers"
MANY = {f"10.1.1.{n}": f"many-{n}" for n in range(1, 13)}


@pytest.fixture(scope="module", autouse=True)
def addresses(lab: Lab, fleet: Fleet) -> Iterator[None]:
    """Fourteen addresses on three nodes."""
    few = [binding("out", "10.1.1.20", preference="n1", group="g")]
    few.append(duravip("in", "10.1.1.21", follow="out"))
    apply(lab, [*few, *(duravip(name, address) for address, name in MANY.items())])
    wait_until(lambda: len(fleet.owners()) == 14 and all(fleet.owners().values()), "owned")
    yield
    delete_all(lab)


def test_show_tells_what_the_statuses_say(lab: Lab, fleet: Fleet) -> None:
    shown = {unit["address"]: unit["owner"] for unit in told(lab, "show")}
    assert shown == fleet.owners()
    code, said = called(lab, "show", "in")
    assert code == 0
    assert said.splitlines()[1].split()[:3] == ["10.1.1.21", "n1", "Owned"]


def test_nodes_and_groups_are_shown(lab: Lab, fleet: Fleet) -> None:
    assert fleet.leader()
    nodes = told(lab, "nodes")
    assert [(node["node"], node["ready"]) for node in nodes] == [(f"n{n}", "True")
                                                                 for n in (1, 2, 3)]  # fmt: skip
    assert sum(node["served"] for node in nodes) == sum(node["granted"] for node in nodes) == 14
    nics = {nic["name"]: nic["addresses"] for nic in nodes[0]["nics"]}
    assert "10.1.0.11/16" in nics["eth1"]
    assert told(lab, "groups")[0]["missing"] == ["n2", "n3"]


def test_why_names_every_node(lab: Lab, fleet: Fleet) -> None:
    assert fleet.leader()
    found = told(lab, "why", "out")
    assert {n["node"]: n["standing"] for n in found["nodes"]} == {
        "n1": "owner", "n2": "may take it", "n3": "may take it",
    }  # fmt: skip
    assert found["objects"][0]["state"] == found["status"]["state"] == "Owned"
    assert "Lease" not in found["hearing"]["note"], "what the leader publishes is read"


def test_the_cluster_is_well_and_the_doctor_says_so(lab: Lab, fleet: Fleet) -> None:
    assert fleet.leader()
    code, said = called(lab, "doctor")
    assert code == 0, said
    assert "FAIL" not in said
    assert said.count("with every field and column") == len(PLURALS)
    assert "ok    replicas: n1, n2" in said


def test_a_drained_node_is_empty_when_the_command_returns(lab: Lab, fleet: Fleet) -> None:
    moves = told(lab, "simulate", "--drain", "n3")["moves"]
    before = fleet.owners()
    assert {m["address"] for m in moves} == {a for a, owner in before.items() if owner == "n3"}
    code, said = called(lab, "drain", "n3")
    assert (code, said.splitlines()[-1]) == (0, "n3 holds no address any more")
    wait_until(lambda: all(fleet.owners().values()), "all are owned")
    assert fleet.owners() == before | {m["address"]: m["to"] for m in moves}
    assert lab.kubectl("get", "node", "n3", f"-o=jsonpath={_path(EXCLUDE)}") == "duravip"
    assert called(lab, "undrain", "n3")[0] == 0
    assert lab.kubectl("get", "node", "n3", f"-o=jsonpath={_path(EXCLUDE)}") == ""


def test_history_tells_the_moves_in_order(lab: Lab, fleet: Fleet) -> None:
    assert fleet.leader()
    lab.kubectl("patch", "vipbinding", "out", "--type=merge", "-p", '{"spec":{"preference":"n2"}}')
    wait_until(lambda: told(lab, "show", "out")[0]["owner"] == "n2", "it has moved")
    wait_until(lambda: len(_messages(lab)) == 2, "two events, and the last move is one of them")
    assert _messages(lab) == [
        "10.1.1.20 is served by n1, its first owner",
        "10.1.1.20 moved from n1 to n2",
    ]
    everything = told(lab, "history")
    assert {entry["message"] for entry in everything} >= set(_messages(lab))


def test_version_and_status_know_the_programs_that_run(lab: Lab, fleet: Fleet) -> None:
    found = told(lab, "version")
    assert found["agents"] == {found["client"]: ["n1", "n2", "n3"]}
    assert found["operator"] == found["client"]
    wait_until(lambda: told(lab, "status")["leader"]["name"] == fleet.leader(), "who leads")
    seen = told(lab, "status")
    assert [(node["node"], node["ready"]) for node in seen["nodes"]] == [
        ("n1", "True"), ("n2", "True"), ("n3", "True"),
    ]  # fmt: skip
    assert seen["addresses"]["Owned"] >= 10


def _messages(lab: Lab) -> list[str]:
    """What is said of all that has happened to 10.1.1.20 for its preference."""
    entries = told(lab, "history", "10.1.1.20")
    return [entry["message"] for entry in entries if entry["reason"] == "Preference"]


WRONG = [
    {"address": "x"},
    {"address": "FD00::1"},
    {"address": "127.0.0.1"},
    {"address": "255.255.255.255"},
    {"address": 7},
    {"address": "10.1.1.1", "preference": "N1"},
    {"address": "10.1.1.1", "adress": "10.1.1.1"},
    {"address": "10.1.1.1", "follow": "10.1.1.1"},
    {"address": "10.1.1.1", "follow": "b", "enableDuravip": True},
    {"address": "10.1.1.1", "follow": "b", "preference": "n1"},
    {"address": "10.1.1.1", "services": [{"name": "a", "port": 0}]},
    {"address": "10.1.1.1", "services": [{"name": "a", "port": 1}, {"name": "b", "port": 1}]},
    {"address": "10.1.1.1", "nodeSelector": {"a": 1}},
    {"address": "10.1.1.1", "services": [{"port": 1}]},
]
RIGHT = [
    {"address": "fd00::1", "preference": "n1.example"},
    {"address": "10.1.1.1", "follow": "b", "enableDuravip": False},
    {"address": "10.1.1.1", "services": [{"name": "a", "port": 1},
                                         {"name": "b", "port": 1, "protocol": "UDP"}]},
]  # fmt: skip


@pytest.mark.parametrize("spec", [*WRONG, *RIGHT], ids=str)
def test_validate_refuses_what_the_api_server_refuses(
    lab: Lab, fleet: Fleet, tmp_path: Path, spec: Body
) -> None:
    assert fleet.leader()
    body = duravip("a", "")
    body["spec"] = spec
    file = tmp_path / "a.yaml"
    file.write_text(yaml.safe_dump(body))
    code, said = called(lab, "validate", str(file))
    try:
        lab.kubectl("create", "--dry-run=server", "--validate=strict", "-f", str(file))
        is_refused = False
    except LabError:
        is_refused = True
    assert (code == 1) == is_refused == (spec in WRONG), said


def test_validate_live_sees_what_is_there(lab: Lab, fleet: Fleet, tmp_path: Path) -> None:
    assert fleet.leader()
    file = tmp_path / "a.yaml"
    file.write_text(yaml.safe_dump(duravip("own", "10.1.0.11")))
    assert called(lab, "validate", str(file))[0] == 0
    code, said = called(lab, "validate", "--live", str(file))
    assert code == 1
    assert "(NodeAddress)" in said


def test_a_stranger_is_told_what_he_may_not(lab: Lab, fleet: Fleet) -> None:
    assert fleet.leader()
    lab.kubectl("create", "serviceaccount", "stranger")
    file = lab.account_kubeconfig("default", "stranger", inside=False)
    code, said = called(lab, "show", kubeconfig=file)
    assert code == 1
    assert said.startswith("kubectl-duravip: you may not list duravips.duravip.io (as ")
    assert len(said.splitlines()) == 1
    code, said = called(lab, "drain", "n1", kubeconfig=file)
    assert code == 1
    assert "you may not get the node n1" in said


def test_without_operators_nobody_leads_and_the_doctor_says_so(lab: Lab, fleet: Fleet) -> None:
    for operator in fleet.operators.values():
        operator.terminate()
        operator.wait()
    findings = told(lab, "doctor", code=1)
    assert any(f["verdict"] == "FAIL" and f["message"].startswith("nobody leads")
               for f in findings)  # fmt: skip
    for machine in list(fleet.operators):
        fleet.start_operator(machine)
    wait_until(lambda: fleet.leader() != "", "somebody leads again")


def _path(label: str) -> str:
    return "{.metadata.labels." + label.replace(".", r"\.") + "}"
