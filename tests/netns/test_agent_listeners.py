"""Who listens in the namespace of a node, as its agent reports it."""

import time
from collections.abc import Callable, Iterator

import pytest

from lab.processes import Process
from lab.strangers import listening
from netns.plumbed import PlumbedNode

VIP = "10.1.1.1"
PORTS = ("TCP/25", "TCP/80", "UDP/53")

Listen = Callable[..., Process]


@pytest.fixture
def listen(node: PlumbedNode) -> Iterator[Listen]:
    started: list[Process] = []

    def start(*sockets: str) -> Process:
        started.append(listening(node.machine, *sockets))
        return started[-1]

    yield start
    for process in started:
        process.kill()


def sees(node: PlumbedNode, *listening: str) -> None:
    node.wait(lambda: node.status.get("listening") == [*listening])


def test_a_listener_is_reported_and_goes_away(node: PlumbedNode, listen: Listen) -> None:
    node.grant(VIP, ports=PORTS)
    node.start()
    node.wait_served(VIP)
    sees(node, *PORTS)
    mail = listen("TCP 0.0.0.0 25", "UDP :: 53", "TCP 0.0.0.0 4025")
    sees(node, "TCP/25 0.0.0.0", "TCP/80", "UDP/53 0.0.0.0", "UDP/53 ::")
    mail.kill()
    sees(node, *PORTS)


def test_a_listener_on_the_address_alone_is_told_from_one_on_all(
    node: PlumbedNode, listen: Listen
) -> None:
    node.grant(VIP, ports=PORTS)
    node.start()
    node.wait_served(VIP)
    listen(f"TCP {VIP} 80", "TCP 127.0.0.1 25")
    sees(node, "TCP/25", f"TCP/80 {VIP}", "UDP/53")


def test_ports_that_are_declared_later_are_looked_at_from_then_on(
    node: PlumbedNode, listen: Listen
) -> None:
    listen("TCP 0.0.0.0 25", "TCP 0.0.0.0 80")
    node.grant(VIP, ports=("TCP/25",))
    node.start()
    sees(node, "TCP/25 0.0.0.0")
    node.grant(VIP, ports=("TCP/25", "TCP/80"))
    sees(node, "TCP/25 0.0.0.0", "TCP/80 0.0.0.0")
    node.grant(VIP, ports=())
    sees(node)


def test_while_the_same_ones_listen_nothing_is_written(node: PlumbedNode, listen: Listen) -> None:
    listen("TCP 0.0.0.0 25")
    node.grant(VIP, ports=PORTS)
    node.start()
    node.wait_served(VIP)
    sees(node, "TCP/25 0.0.0.0", "TCP/80", "UDP/53")
    listen("TCP 0.0.0.0 4025")
    for _ in range(5):
        before, lapses = node.settled(), node.metric("lapses_total")
        time.sleep(5)  # two looks: nothing tells when one was made and has found the same
        after = node.settled()
        if node.metric("lapses_total") == lapses:  # else a starved agent had other news
            break
    assert after == before
