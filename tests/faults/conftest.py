"""Two operators, three agents and a client that watches: what they do when things go wrong."""

from collections.abc import Iterator

import pytest

from api.objects import apply, duravip, topology
from faults.expected import OWNERS, home
from lab.cluster import Lab
from lab.fleet import Fleet, wait_until


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    with Lab("api") as lab:
        yield lab


@pytest.fixture(scope="session")
def running(lab: Lab) -> Fleet:
    fleet = Fleet(lab)
    fleet.start(("cp", "n1"))
    apply(lab, [topology()])
    apply(lab, [duravip(f"vip-{a[-1]}", a, preference=node) for a, node in OWNERS.items()])
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
    home(running)
    wait_until(lambda: running.leader() != "", "somebody leads")
    return running
