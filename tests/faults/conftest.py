"""Two operators, three agents and a client that watches: what they do when things go wrong."""

from collections.abc import Iterator

import pytest

from api.objects import apply, duravip, topology
from lab.cluster import Lab
from lab.fleet import Fleet, wait_until

OWNERS = {f"10.1.1.{n}": f"n{n}" for n in (1, 2, 3)}
"""Three addresses, one preferred on each node."""


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    with Lab("api") as lab:
        yield lab


@pytest.fixture(scope="session")
def running(lab: Lab) -> Fleet:
    fleet = Fleet(lab)
    fleet.start(("cp", "n1"))
    apply(lab, [topology()])
    apply(lab, [duravip(f"vip-{n}", f"10.1.1.{n}", preference=f"n{n}") for n in (1, 2, 3)])
    return fleet


@pytest.fixture
def fleet(lab: Lab, running: Fleet) -> Fleet:
    """The cluster at rest: everything runs, every address is where it is preferred."""
    for node in lab.nodes:
        if not node.is_on:
            node.power_on()
            running.agents.pop(node.name, None)
        if node.name not in running.agents or not running.agents[node.name].is_running:
            running.start_agent(node.name)
    for machine in ("cp", "n1"):
        if not running.operators[machine].is_running:
            running.start_operator(machine)
    wait_until(lambda: running.owners() == OWNERS, "every address is where it is preferred", 60)
    wait_until(lambda: running.leader() != "", "somebody leads")
    return running
