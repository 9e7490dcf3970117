"""The fence over time: refreshed and not, repeated, inherited, taken down."""

import signal
import socket
import time
from collections.abc import Iterator

import pytest

from duravip_agent.kernel.fence import Fence
from duravip_agent.kernel.nftables import FenceError
from netns.fenced import NODE, VIP
from netns.fenced_asking import PORT
from netns.fenced_node import DEAD_MAN, FencedNode, fenced_node

REFRESHER = """
import time
from duravip_agent.kernel.watchdog import WatchdogSocket
watchdog = WatchdogSocket()
while True:
    watchdog.feed()
    print(flush=True)
    time.sleep(0.05)
"""


@pytest.fixture
def node() -> Iterator[FencedNode]:
    with fenced_node() as found:
        yield found


def test_without_a_refresh_it_is_silent_in_time_and_with_one_it_is_back(
    node: FencedNode,
) -> None:
    for _ in range(3):
        node.dead_man.feed()
        heard = node.last_answer(since=time.monotonic())
        print(f"answered until {heard * 1000:.1f} ms after the last refresh")
        assert 0.6 * DEAD_MAN < heard <= DEAD_MAN
        assert not node.fence.is_fed()
        node.dead_man.feed()
        assert node.fence.is_fed()
        assert node.answers()
    assert node.dead_man.refused == 0


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP])
def test_it_falls_silent_when_whoever_refreshes_is_killed_or_stopped(
    node: FencedNode, blow: signal.Signals
) -> None:
    refresher = node.world.node.spawn(REFRESHER)
    assert refresher.stdout is not None
    try:
        for _ in range(15):
            refresher.stdout.readline()
            assert node.answers()
        refresher.send_signal(blow)
        assert node.last_answer(since=time.monotonic()) <= DEAD_MAN
    finally:
        refresher.kill()
        refresher.wait()
        refresher.stdout.close()


def test_a_connection_survives_a_second_of_silence(node: FencedNode) -> None:
    node.fence.build(["eth1"], watchdog_timeout=10)
    node.fence.activate([VIP])
    node.dead_man.feed()
    with socket.create_server((VIP, PORT)) as server:
        with node.world.client.entered():
            client = socket.create_connection((VIP, PORT), timeout=5)
        connection, _ = server.accept()
        with client, connection:
            node.dead_man.mute()
            client.send(b"during")
            connection.settimeout(1.0)
            with pytest.raises(TimeoutError):
                connection.recv(16)
            node.dead_man.feed()
            connection.settimeout(5.0)
            assert connection.recv(16) == b"during"
            connection.send(b"after")
            assert client.recv(16) == b"after"


def test_calls_can_be_repeated(node: FencedNode) -> None:
    for call in (node.fence.activate, node.fence.deactivate, node.fence.unwatch):
        call([VIP])
        call([VIP])
    node.fence.unwatch(["10.9.9.9"])
    node.fence.deactivate([])
    node.fence.add_interfaces(["eth1", "eth1", "no-such-card"])
    assert node.fence.is_intact()
    node.dead_man.mute()
    assert node.answers(), "forgotten, so no business of the fence"


def test_what_an_earlier_agent_left_behind_is_mute_from_the_start(node: FencedNode) -> None:
    node.world.plumb("10.1.1.9")
    assert node.answers("10.1.1.9"), "nobody knows of it yet"
    successor = Fence()
    successor.build(["eth1"], DEAD_MAN, ["10.1.1.9"])
    node.dead_man.feed()
    assert successor.watched == {VIP, "10.1.1.9"}
    assert not node.answers(VIP)
    assert not node.answers("10.1.1.9")
    assert node.answers(NODE)
    successor.close()


def test_it_is_gone_when_it_is_dropped(node: FencedNode) -> None:
    node.fence.remove()
    node.fence.remove()
    assert node.world.node.run("nft", "list", "ruleset") == ""
    assert not node.fence.repair()
    assert node.answers()
    with pytest.raises(FenceError, match="not built"):
        node.fence.activate([VIP])
