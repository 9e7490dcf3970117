"""One lab for most of the tests: each begins with all of it at rest."""

from collections.abc import Iterator

import pytest

from faults.fleets import bring_back, started
from lab.cluster import Lab
from lab.fleet import Fleet


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    with Lab("api") as lab:
        yield lab


@pytest.fixture(scope="session")
def running(lab: Lab) -> Fleet:
    return started(lab)


@pytest.fixture
def fleet(running: Fleet) -> Fleet:
    """The cluster at rest: everything runs, every address is where it is preferred."""
    bring_back(running)
    return running
