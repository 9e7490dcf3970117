"""The verbs by which people intervene, beside real operators and agents."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from api.objects import apply, binding, delete_all, duravip, status
from api.plugin import called, told
from lab.cluster import Lab
from lab.fleet import PROGRAMS, Fleet, wait_until
from lab.processes import Process

LAB = "fleet"
VIP, FOLLOWER, FIXED = "10.1.1.2", "10.1.1.1", "10.1.1.3"
"""Whoever does not know who follows whom has the follower first."""
PATIENCE = ("--timeout", "60")


@pytest.fixture(scope="module", autouse=True)
def addresses(lab: Lab, fleet: Fleet) -> Iterator[None]:
    """Three addresses, which nothing but people moves."""
    objects = [binding("out", VIP, group="g"), duravip("in", FOLLOWER, follow="out")]
    apply(lab, [*objects, duravip("fixed", FIXED, preference="n1")])
    wait_until(lambda: len(fleet.owners()) == 3 and all(fleet.owners().values()), "owned")
    yield
    delete_all(lab)


def _status(lab: Lab, node: str) -> dict[str, Any]:
    return status(lab, "dvn", node)


def monitor(lab: Lab, node: str) -> Process:
    """Watch the addresses of a node: what the kernel says, in its order."""
    machine = lab.machines[node]
    watch = machine.spawn(["/usr/bin/env", "ip", "-o", "-4", "monitor", "address"])

    def is_watching() -> bool:
        for change in ("add", "del"):
            machine.run(["ip", "address", change, "127.9.9.9/32", "dev", "lo"])
        return "127.9.9.9" in watch.output()

    wait_until(is_watching, "it hears of changes")
    return watch


def changes(watch: Process) -> list[str]:
    """Which of the two has come (+) or gone (-), one after the other."""
    lines = (line.replace("/", " ").split() for line in watch.output().splitlines())
    found = [
        ("-" if words[0] == "Deleted" else "+", words[words.index("inet") + 1]) for words in lines
    ]
    return [sign + address for sign, address in found if address in {VIP, FOLLOWER}]


def test_a_move_holds_and_takes_followers_along(lab: Lab, fleet: Fleet) -> None:
    former = fleet.owners()[VIP]
    node = next(n for n in ("n1", "n2", "n3") if n != former)
    there, before = monitor(lab, node), monitor(lab, former)
    said = told(lab, "move", VIP, node, *PATIENCE)
    assert (said["from"], said["to"], said["moved"]) == (former, node, True)
    assert status(lab, "vipbinding", "out")["lastMove"]["reason"] == "Requested"
    wait_until(lambda: fleet.owners()[FOLLOWER] == node, "the follower is there as well")
    wait_until(lambda: len(changes(before)) == 2, "both are gone where they were")
    assert changes(there) == [f"+{VIP}", f"+{FOLLOWER}"]
    assert changes(before) == [f"-{FOLLOWER}", f"-{VIP}"]
    there.terminate()
    before.terminate()
    code, printed = called(lab, "move", "in", former)
    assert (code, f"it follows {VIP}" in printed) == (1, True), printed
    code, printed = called(lab, "move", FIXED, "n2")
    assert (code, "its preference names n1" in printed) == (1, True), printed
    assert told(lab, "move", VIP, "--cancel")["changed"]
    assert fleet.owners()[VIP] == node


def test_a_release_moves_it_to_any_other_node(lab: Lab, fleet: Fleet) -> None:
    former = fleet.owners()[VIP]
    (said,) = told(lab, "release", "--group", "g", *PATIENCE)
    assert (said["from"], said["problem"]) == (former, "")
    assert fleet.owners()[VIP] == said["to"] != former
    time.sleep(1)
    assert fleet.owners()[VIP] == said["to"]  # the request is spent


def test_all_of_a_node_is_released_but_what_prefers_it(lab: Lab, fleet: Fleet) -> None:
    called(lab, "move", VIP, "n1", *PATIENCE)
    said = told(lab, "release", "--all", "--from", "n1", *PATIENCE, code=1)
    found = {one["address"]: one for one in said}
    assert found.keys() == {VIP, FIXED}
    assert found[VIP]["to"] == fleet.owners()[VIP] != "n1"
    assert "its preference names n1" in found[FIXED]["problem"]
    assert fleet.owners()[FIXED] == "n1"


def test_a_reset_interrupts_and_moves_nothing(lab: Lab, fleet: Fleet) -> None:
    before = fleet.owners()
    assert called(lab, "reset", "n1")[0] == 2  # nobody is there to confirm it
    (said,) = told(lab, "reset", "n1", "--yes", *PATIENCE)
    assert said["done"]
    assert said["served"] == said["granted"] >= 1
    wait_until(lambda: fleet.owners() == before, "everything is where it was")


def test_agents_announce_and_list_their_neighbours(lab: Lab, fleet: Fleet) -> None:
    owner = fleet.owners()[VIP]
    code, said = called(lab, "announce", VIP, *PATIENCE)
    assert (code, said) == (0, f"{owner} announces {VIP}\n")
    lab.machines["n1"].run(["ping", "-c1", "10.1.0.12"])
    found = told(lab, "neighbours", "n1", *PATIENCE)
    assert {row["node"] for row in found} == {"n1"}
    assert {(row["interface"], row["ours"]) for row in found if row["address"] == "10.1.0.12"} == {
        ("eth1", "n2")
    }
    assert _status(lab, "n1")["requests"].keys() >= {"neighbours", "reset"}


def test_the_doctor_looks_at_the_node_that_it_runs_on(lab: Lab, fleet: Fleet) -> None:
    assert fleet.leader()
    program = str(PROGRAMS / "kubectl-duravip")
    told_by = f"--kubeconfig={lab.inside_kubeconfig}"
    said = lab.machines["n1"].run([program, told_by, "doctor", "--node-local"])
    for line in (
        "ok    clock:",
        "ok    kernel:",
        "ok    fence:",
        "ok    ports: UDP 10.77.0.11:79",
    ):
        assert line in said, said
    assert "warn  arp_announce: eth1: it is 0" in said
    assert "ok    fence:" in lab.machines["n1"].run([program, told_by, "doctor"])


def test_who_may_only_look_is_told_so(lab: Lab, fleet: Fleet) -> None:
    assert fleet.leader()
    lab.kubectl("create", "serviceaccount", "watcher")
    kinds = "duravips,vipbindings,topologies,nodeplumbings,nodes"
    lab.kubectl("create", "clusterrole", "watcher", "--verb=get,list", f"--resource={kinds}")
    lab.kubectl("create", "clusterrolebinding", "watcher", "--clusterrole=watcher",
                "--serviceaccount=default:watcher")  # fmt: skip
    file = lab.account_kubeconfig("default", "watcher", inside=False)
    node = next(n for n in ("n1", "n2", "n3") if n != fleet.owners()[VIP])
    code, said = called(lab, "move", VIP, node, kubeconfig=file)
    assert code == 1
    assert said.startswith("kubectl-duravip: you may not annotate vipbindings.duravip.io out (as ")
    code, said = called(lab, "announce", kubeconfig=file)
    assert (code, "you may not annotate nodeplumbings.duravip.io" in said) == (1, True)
