"""One lab with a docker daemon on its first node, and the images that it has built."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from images.buildah import Buildah
from images.dockerfiles import BASE, build
from lab import python_slim, requirements
from lab.cluster import Lab
from lab.docker_engine import Engine
from lab.images import USERS

TUN = Path("/dev/net/tun")
TIMEOUT_S = 1500
"""Of a test: the first one waits for all that is built."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.timeout(TIMEOUT_S))


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The daemon's node divides its control groups itself."""
    if not TUN.exists():
        pytest.skip(f"no {TUN}: nothing that is built could reach a registry")
    requirements.ensure("images")
    python_slim.archive()  # which may take longer than all else
    lab = Lab("api")
    lab.nodes[0].blueprint = replace(lab.nodes[0].blueprint, own_cgroups=True)
    with lab:
        yield lab


@pytest.fixture(scope="session")
def engine(lab: Lab) -> Iterator[Engine]:
    """With the image to build on, and no other; containers share the machine's network."""
    engine = Engine(lab.layout, lab.nodes[0], ["--bridge=none", "--iptables=false"])
    try:
        engine.start()
        engine.load_python(BASE)
        yield engine
    finally:
        engine.stop()


@pytest.fixture(scope="session")
def buildah(engine: Engine) -> Buildah:
    return Buildah(engine)


@pytest.fixture(scope="session")
def built(engine: Engine) -> Mapping[str, str]:
    """The image of each program; built side by side, as they have a stage in common."""
    with ThreadPoolExecutor() as pool:
        return dict(zip(USERS, pool.map(partial(build, engine), USERS), strict=True))
