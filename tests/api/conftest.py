"""One real API server for all tests of this tier; nodes are bare namespaces."""

from collections.abc import Iterator

import pytest

from lab.cluster import Lab


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    with Lab("api") as lab:
        lab.apply_crds()
        yield lab
