"""Real API servers; nodes are bare namespaces.

A module names its lab by `LAB`. pytest brings the tests of a lab
together, starts it for the first of them, and ends it, with all that runs there, after the last.
"""

import re
from collections.abc import Iterator

import pytest

from api.objects import apply, topology
from api.real_world import RealWorld
from lab.cluster import Lab
from lab.fleet import Fleet, wait_until


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Hand each test that needs a lab the one of its module."""
    if "lab" in metafunc.fixturenames:
        name = metafunc.module.LAB
        metafunc.parametrize(
            "lab", [name], indirect=True, ids=[pytest.HIDDEN_PARAM], scope="session"
        )


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Three nodes, the kinds, and no program of ours."""
    with Lab("api") as lab:
        lab.apply_crds()
        yield lab


@pytest.fixture(scope="session")
def fleet(lab: Lab) -> Fleet:
    """Operators on n1 and n2, three agents and a Topology: who adds addresses takes them away."""
    fleet = Fleet(lab)
    fleet.start()
    nodes = {node.name for node in lab.nodes}
    # An operator that started long before an agent gives what there is to those that it hears.
    wait_until(lambda: _known_as_alive(fleet) == nodes, "the leader hears every node")
    apply(lab, [topology()])
    return fleet


def _known_as_alive(fleet: Fleet) -> set[str]:
    """The nodes that the leader counts as alive, by its log; none while nobody leads."""
    leader = fleet.operators.get(fleet.leader())
    return set(re.findall(r"node (\S+) is alive", leader.output())) if leader else set()


@pytest.fixture(scope="session")
def world(lab: Lab) -> RealWorld:
    """Anything that a scenario wants."""
    return RealWorld(lab)
