"""Two operators and three agents as plain processes, started as the contract spells them."""

import json
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from api.objects import apply, delete_all, duravip, reason, status
from lab.cluster import Lab
from lab.errors import LabError
from lab.fleet import Fleet, wait_until

LAB = "fleet"
MANY = [f"10.1.64.{n}" for n in range(1, 101)] + [f"10.1.65.{n}" for n in range(1, 51)]
UNNOTICED, A_MOVE, A_CRASH = 3.0, 5.0, 20.0
"""Longest gaps in seconds, with room for a busy machine: how fast it is, the benchmark tells."""


@pytest.fixture
def at_rest(lab: Lab, fleet: Fleet) -> Iterator[Fleet]:
    """All programs run, and there is no address: neither before nor after the test."""
    fleet.revive()
    yield fleet
    fleet.revive()
    delete_all(lab)
    wait_until(lambda: not any(_aliases(lab).values()), "all aliases are gone")
    assert not fleet.owners()


@pytest.fixture
def trio(lab: Lab, at_rest: Fleet) -> list[str]:
    """Three addresses, one preferred on each node, owned."""
    wanted = {f"10.1.1.{n}": f"n{n}" for n in (1, 2, 3)}
    apply(lab, [duravip(f"trio-{n}", f"10.1.1.{n}", preference=f"n{n}") for n in (1, 2, 3)])
    wait_until(lambda: at_rest.owners() == wanted, f"owners are {wanted}")
    return list(wanted)


def _aliases(lab: Lab) -> dict[str, set[str]]:
    """`{node: the /32 addresses on its eth1}`."""
    found = {}
    for node in lab.nodes:
        words = node.run(["ip", "-4", "-o", "addr", "show", "dev", "eth1"]).split()
        found[node.name] = {w.removesuffix("/32") for w in words if w.endswith("/32")}
    return found


def test_every_address_is_served_by_its_owner_alone(lab: Lab, trio: list[str]) -> None:
    with lab.observe(trio) as seen:
        time.sleep(1)
    assert seen.sight.owners() == {f"10.1.1.{n}": f"n{n}" for n in (1, 2, 3)}
    assert seen.sight.double_owners == 0, seen.sight.doubles[:5]
    assert _aliases(lab) == {f"n{n}": {f"10.1.1.{n}"} for n in (1, 2, 3)}
    everybody = "every node participates"
    wait_until(lambda: status(lab, "duravip", "trio-1")["participants"] == 3, everybody)
    shown = status(lab, "duravip", "trio-1")
    assert shown["lastMove"].items() >= {"to": "n1", "reason": "Preference"}.items()
    assert (shown["interface"], shown["flags"]) == ("eth1", "-")


def test_what_is_written_names_who_wrote_it(lab: Lab, trio: list[str]) -> None:
    assert trio
    shown = lab.kubectl("get", "duravip", "trio-1", "-o=json", "--show-managed-fields")
    managers = {item["manager"] for item in json.loads(shown)["metadata"]["managedFields"]}
    assert "duravip-operator" in managers
    assert "OpenAPI-Generator" not in managers


def test_nothing_is_written_while_nothing_changes(lab: Lab, trio: list[str]) -> None:
    def versions() -> str:
        path = "-o=jsonpath={.items[*].metadata.resourceVersion}"
        return lab.kubectl("get", "duravips,dvt,dvn", "-A", path)

    def is_still() -> bool:
        before = versions()
        time.sleep(12)  # what waits until it has stood for a while would be written in this time
        return versions() == before

    assert trio
    wait_until(is_still, "nothing is written any more")


def test_a_killed_leader_is_replaced_and_nothing_flaps(
    lab: Lab, fleet: Fleet, trio: list[str]
) -> None:
    leader = fleet.leader()
    with lab.observe(trio) as seen:
        fleet.operators[leader].kill()
        wait_until(lambda: fleet.leader() not in {"", leader}, "the other operator leads")
        apply(lab, [duravip("late", "10.1.1.9")])
        wait_until(lambda: fleet.owners().get("10.1.1.9", "") != "", "a new address is owned")
        fleet.start_operator(leader)
        time.sleep(1)
    assert seen.sight.worst_gap() < UNNOTICED
    assert seen.sight.double_owners == 0, seen.sight.doubles[:5]


def test_a_deletion_while_no_operator_runs_is_carried_out_later(
    lab: Lab, fleet: Fleet, trio: list[str]
) -> None:
    for operator in fleet.operators.values():
        wait_until(lambda o=operator: "starts as" in o.output(), "it can be told to stop")
    with lab.observe(trio[:2]) as seen:
        for operator in fleet.operators.values():
            operator.terminate()
            assert operator.wait() == 0
        lab.kubectl("delete", "duravip", "trio-3")
        assert _aliases(lab)["n3"] == {"10.1.1.3"}
        for machine in list(fleet.operators):
            fleet.start_operator(machine)
        wait_until(lambda: not _aliases(lab)["n3"], "the deleted address is gone")
    assert seen.sight.worst_gap() < UNNOTICED


def test_an_api_server_that_restarts_is_survived(lab: Lab, fleet: Fleet, trio: list[str]) -> None:
    with lab.observe(trio) as seen:
        lab.control_plane.api_server.kill()
        time.sleep(2)
        lab.control_plane.start_api_server()
        lab.control_plane.wait_until_ready()
        apply(lab, [duravip("late", "10.1.1.9", preference="n2")])
        wait_until(lambda: fleet.owners().get("10.1.1.9") == "n2", "a new address is owned")
    assert seen.sight.worst_gap() < UNNOTICED
    assert seen.sight.double_owners == 0, seen.sight.doubles[:5]


def test_an_agent_that_is_stopped_hands_over_and_takes_back(
    lab: Lab, fleet: Fleet, trio: list[str]
) -> None:
    with lab.observe(trio) as seen:
        started = time.monotonic()
        fleet.agents["n1"].terminate()
        assert fleet.agents["n1"].wait() == 0
        assert time.monotonic() - started < 2
        wait_until(lambda: fleet.owners()["10.1.1.1"] in {"n2", "n3"}, "another node owns it")
        assert status(lab, "duravip", "trio-1")["lastMove"]["reason"] == "Drain"
        fleet.start_agent("n1")
        wait_until(lambda: fleet.owners()["10.1.1.1"] == "n1", "it is back")
    assert seen.sight.double_owners == 0, seen.sight.doubles[:5]
    assert seen.sight.gap("10.1.1.1") < A_MOVE
    assert status(lab, "duravip", "trio-1")["lastMove"]["reason"] == "Preference"


def test_a_node_that_an_administrator_takes_out_is_drained(
    lab: Lab, fleet: Fleet, trio: list[str]
) -> None:
    label = "node.kubernetes.io/exclude-from-external-load-balancers"
    with lab.observe(trio) as seen:
        lab.kubectl("label", "node", "n2", f"{label}=true")
        wait_until(lambda: fleet.owners()["10.1.1.2"] in {"n1", "n3"}, "it has moved")
        lab.kubectl("label", "node", "n2", f"{label}-")
        wait_until(lambda: fleet.owners()["10.1.1.2"] == "n2", "it is back")
    assert seen.sight.double_owners == 0, seen.sight.doubles[:5]
    assert seen.sight.worst_gap() < A_MOVE


def test_what_people_do_by_hand_is_put_right(lab: Lab, fleet: Fleet, trio: list[str]) -> None:
    lab.nodes[0].run(["ip", "addr", "del", "10.1.1.1/32", "dev", "eth1"])
    wait_until(lambda: _aliases(lab)["n1"] == {"10.1.1.1"}, "the alias is repaired", 3)
    with lab.observe(trio) as seen:
        lab.kubectl("delete", "nodeplumbing", "n1")
        wait_until(lambda: _served(lab, "n1") == "1", "the NodePlumbing is back")
        patch = '{"spec": {"interfaces": []}}'
        lab.kubectl("patch", "nodeplumbing", "n2", "--type=merge", "-p", patch)
        wait_until(lambda: fleet.owners()["10.1.1.2"] == "n2", "the edited grant is back")
        time.sleep(1)
    assert seen.sight.double_owners == 0, seen.sight.doubles[:5]
    assert seen.sight.gap("10.1.1.1") < UNNOTICED
    assert seen.sight.owners() == {f"10.1.1.{n}": f"n{n}" for n in (1, 2, 3)}


def _served(lab: Lab, node: str) -> str:
    try:
        return lab.kubectl("get", "nodeplumbing", node, "-o=jsonpath={.status.servedCount}")
    except LabError:
        return ""


def test_bad_objects_say_why_and_harm_nobody(lab: Lab, fleet: Fleet, trio: list[str]) -> None:
    bad = {
        "own": (duravip("own", "10.1.0.11"), "NodeAddress"),
        "edge": (duravip("edge", "10.1.255.255"), "BlockEdge"),
        "nowhere": (duravip("nowhere", "172.16.0.1"), "NoTopology"),
        "unknown": (duravip("unknown", "10.1.1.77", preference="n9"), "Served"),
        "followless": (duravip("followless", "10.1.1.78", follow="nobody"), "FollowInvalid"),
    }
    big = duravip("big", "10.1.1.79")
    big["metadata"]["labels"] = {f"l{n}": "x" * 63 for n in range(14_000)}
    assert len(json.dumps(big)) > 1_000_000
    apply(lab, [body for body, _ in bad.values()])
    lab.kubectl("create", "-f", "-", input=json.dumps(big))
    for name, (_, wanted) in bad.items():
        wait_until(lambda n=name, w=wanted: reason(lab, "duravip", n) == w, f"{name}: {wanted}")
    wait_until(lambda: fleet.owners()["10.1.1.79"] != "", "the one with many labels is owned")
    assert {fleet.owners()[address] for address in trio} == {"n1", "n2", "n3"}


def test_a_hundred_and_fifty_addresses_survive_a_crash(lab: Lab, at_rest: Fleet) -> None:
    fleet = at_rest
    apply(lab, [duravip(f"many-{n}", address) for n, address in enumerate(MANY)])
    wait_until(lambda: _spread(fleet) == [50, 50, 50], "150 addresses are spread")
    victim = lab.machines["n3"]
    had = [address for address, owner in fleet.owners().items() if owner == "n3"]
    with lab.observe(MANY) as seen:
        when = victim.crash()
        wait_until(lambda: "n3" not in fleet.owners().values() and _owned(fleet), "all moved")
        time.sleep(1)
        victim.power_on()
        fleet.start_agent("n3")
        wait_until(lambda: reason(lab, "dvn", "n3") == "AgentReady", "n3 is back")
        wait_until(lambda: _served(lab, "n3") == "0", "n3 serves nothing")
        time.sleep(2)
    assert seen.sight.double_owners == 0, seen.sight.doubles[:5]
    assert max(seen.sight.back_after(address, when) for address in had) < A_CRASH
    assert _spread(fleet) == [75, 75]


def _owned(fleet: Fleet) -> bool:
    return all(fleet.owners().values())


def _spread(fleet: Fleet) -> list[int]:
    return sorted(Counter(owner for owner in fleet.owners().values() if owner).values())
