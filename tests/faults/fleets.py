"""Two operators, three agents, three addresses: started, and brought back to where they were."""

import json
from typing import Any, Literal

from api.objects import apply, duravip, topology
from faults.expected import (
    ADDRESSES,
    OWNERS,
    VICTIM,
    assert_one_owner,
    assert_others_undisturbed,
    home,
    moved,
)
from lab.cluster import Lab
from lab.fleet import Fleet, wait_until

OPERATORS = ("cp", "n1")


def started(lab: Lab) -> Fleet:
    """Start all of it on a new lab."""
    fleet = Fleet(lab)
    fleet.start(OPERATORS)
    apply(lab, [topology()])
    apply(lab, [duravip(f"vip-{a[-1]}", a, preference=node) for a, node in OWNERS.items()])
    return fleet


def bring_back(fleet: Fleet) -> None:
    """Start what does not run, and wait until every address is where it is preferred."""
    fleet.revive()
    home(fleet)
    wait_until(lambda: fleet.leader() != "", "somebody leads")


def observed_crash(lab: Lab, fleet: Fleet) -> float:
    """Crash n3, and bring it back: the seconds until another node answered for its address.

    Nobody else notices, and at no time two answer.
    """
    with lab.observe(ADDRESSES) as seen:
        when = lab.machines["n3"].crash()
        moved(fleet)
        lab.machines["n3"].power_on()
        fleet.start_agent("n3")
        home(fleet)
    assert_one_owner(seen.sight)
    assert_others_undisturbed(seen.sight)
    return seen.sight.back_after(VICTIM, when)


def lead(fleet: Fleet, wanted: str, other: str) -> None:
    """Make this operator lead, and the other one stand by."""
    if fleet.leader() != wanted:
        fleet.operators[other].terminate()
        fleet.operators[other].wait()
        wait_until(lambda: fleet.leader() == wanted, f"{wanted} leads")
        fleet.start_operator(other)


def plumbings(lab: Lab) -> dict[str, dict[str, Any]]:
    """`{node: its NodePlumbing}`."""
    listed = json.loads(lab.kubectl("get", "nodeplumbings", "-o=json"))
    return {item["metadata"]["name"]: item for item in listed["items"]}


def are_fenced(lab: Lab, fencing: Literal["Segment", "Strict"]) -> bool:
    """Whether every node is granted its addresses that way, and its agent has acted on it."""
    return all(
        {grant.get("fencing", "") for grant in item["spec"]["interfaces"]} == {fencing}
        and ("eth1" in item["status"].get("strict", [])) is (fencing == "Strict")
        and item["status"].get("observedGeneration") == item["metadata"]["generation"]
        for item in plumbings(lab).values()
    )
