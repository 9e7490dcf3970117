"""A node with an agent under test, on a real kernel, with a real API server; and another node."""

from collections.abc import Iterator

import pytest

from lab.cluster import Lab
from netns.plumbed import PlumbedNode


@pytest.fixture(scope="session")
def agent_lab() -> Iterator[Lab]:
    with Lab("api", nodes=2) as lab:
        lab.apply_crds()
        yield lab


@pytest.fixture
def node(agent_lab: Lab) -> Iterator[PlumbedNode]:
    plumbed = PlumbedNode(agent_lab)
    yield plumbed
    plumbed.clean()
