"""Ports that are isolated from each other: no node can be a witness of another one's silence."""

import json
from collections.abc import Iterator

import pytest

from duravip_api.timing import STRICT_HOLD, STRICT_MARGIN
from faults.expected import (
    ADDRESSES,
    SLACK,
    VICTIM,
    assert_one_owner,
    assert_others_undisturbed,
    home,
    moved,
)
from faults.fleets import are_fenced, bring_back, started
from faults.segments import isolate
from lab.cluster import Lab
from lab.fleet import Fleet, wait_until


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """One of its own: what nodes have heard before would count for a minute."""
    with Lab("api") as lab:
        isolate(lab)
        yield lab


@pytest.fixture(scope="module")
def running(lab: Lab) -> Fleet:
    return started(lab)


@pytest.fixture
def isolated(lab: Lab, running: Fleet) -> Fleet:
    for node in lab.nodes:
        node.ensure_on()
    isolate(lab)  # a port that is plugged in anew is not, and one look through it is remembered
    bring_back(running)
    wait_until(lambda: are_fenced(lab, "Strict"), "every node is strictly fenced")
    return running


def unwitnessed(lab: Lab) -> str:
    """What the Topology says of nodes that nobody hears."""
    status = json.loads(lab.kubectl("get", "topology", "lan", "-o=json")).get("status", {})
    found = [c["message"] for c in status.get("conditions", []) if c["type"] == "NoWitness"]
    return str(found[0]) if found else ""


@pytest.mark.usefixtures("isolated")
def test_the_topology_says_so(lab: Lab) -> None:
    wait_until(lambda: "n1, n2, n3" in unwitnessed(lab), "the Topology names every node")


def test_a_crash_is_believed_after_the_strict_hold(lab: Lab, isolated: Fleet) -> None:
    with lab.observe(ADDRESSES) as seen:
        when = lab.machines["n3"].crash()
        moved(isolated)
    assert_one_owner(seen.sight)
    back = seen.sight.back_after(VICTIM, when)
    assert STRICT_HOLD - 0.5 < back < STRICT_HOLD + STRICT_MARGIN + 0.5 + SLACK
    assert_others_undisturbed(seen.sight)


def test_a_node_without_contact_is_mute_before_another_one_speaks(
    lab: Lab, isolated: Fleet
) -> None:
    with lab.observe(ADDRESSES) as seen:
        lab.machines["n3"].cut("control")
        moved(isolated)
        lab.machines["n3"].mend("control")
        home(isolated)
    assert_one_owner(seen.sight)
    assert_others_undisturbed(seen.sight)
