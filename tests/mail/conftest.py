"""Two nodes with a real Postfix each, and a host outside."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mail.mail_node import MailNode
from mail.outside import Outside
from mail.segment import Segment

FOO, BAR = "10.1.1.1", "10.1.1.2"
KNOWN = ({"name": "foo", "address": FOO}, {"name": "bar", "address": BAR})


@pytest.fixture(scope="session")
def segment() -> Iterator[Segment]:
    with Segment(3) as segment:
        yield segment


@pytest.fixture
def outside(segment: Segment) -> Iterator[Outside]:
    host = Outside(segment.outside)
    yield host
    host.close()


@pytest.fixture
def bindings(segment: Segment) -> Path:
    """The file with the Bindings that all nodes read."""
    file = segment.layout.home / "bindings.json"
    write_bindings(file, KNOWN)
    return file


@pytest.fixture
def nodes(segment: Segment, bindings: Path) -> Iterator[list[MailNode]]:
    """Not started yet."""
    made = [MailNode(machine, segment.layout, segment.tls, bindings) for machine in segment.nodes]
    yield made
    for node in made:
        node.stop()


@pytest.fixture
def pair(nodes: list[MailNode]) -> list[MailNode]:
    """n1 serves foo, n2 serves bar."""
    first, second = nodes[:2]
    start_all((first, second))
    first.tell("take", FOO)
    second.tell("take", BAR)
    return [first, second]


def start_all(nodes: Sequence[MailNode]) -> None:
    """Start nodes side by side."""
    with ThreadPoolExecutor(len(nodes)) as pool:
        list(pool.map(MailNode.start, nodes))


def write_bindings(file: Path, entries: Sequence[dict[str, Any]]) -> None:
    """Replace the file at once."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps(entries))
    new.replace(file)
