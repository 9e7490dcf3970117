"""Checks of the node that its NodePlumbing names: what its agent reports of them."""

import time
from collections.abc import Iterator

import pytest

from lab.processes import Process
from lab.strangers import listening
from netns.plumbed import PlumbedNode

VIP = "10.1.1.1"
OPEN, CLOSED = (f"tcp/eth1/ipv4/{port}/200ms/200ms/2/2" for port in (8025, 8026))
IPV6 = "tcp/eth1/ipv6/8025/200ms/200ms/2/2"


@pytest.fixture
def server(node: PlumbedNode) -> Iterator[Process]:
    process = listening(node.machine, "TCP 0.0.0.0 8025")
    yield process
    process.kill()


def passing(node: PlumbedNode, *lines: str) -> None:
    node.wait(lambda: sorted(node.status.get("passing") or []) == sorted(lines))


def test_what_passes_is_reported_and_what_does_not_any_more_is_not(
    node: PlumbedNode, server: Process
) -> None:
    node.grant(VIP, checks=[OPEN, CLOSED, IPV6, "tcp/nowhere"])
    node.start()
    node.wait_served(VIP)
    passing(node, OPEN)
    node.wait(lambda: "tcp/nowhere" in {f["address"] for f in node.status["failures"]})
    server.kill()
    passing(node)
    node.wait_served(VIP)


def test_nothing_is_written_while_nothing_changes_and_the_checks_end_with_the_agent(
    node: PlumbedNode, server: Process
) -> None:
    assert server
    node.grant(VIP, checks=[OPEN])
    node.start()
    passing(node, OPEN)
    version = node.settled()
    time.sleep(2.0)
    assert node.settled() == version
    node.grant(VIP)
    passing(node)
