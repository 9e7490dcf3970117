"""The fence over time: refreshed and not, tampered with, built anew, taken down."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from duravip_agent.deadman import DeadMan
from duravip_agent.fence import Fence, FenceError
from netns.fenced import CLIENT, NODE, VIP, World, world
from netns.fenced_traffic import PORT, Ear, connects

DEAD_MAN = 0.5
ARP = 0x0806
REFRESHER = """
import time
from duravip_agent.deadman import DeadMan
dead_man = DeadMan()
while True:
    dead_man.refresh()
    print(flush=True)
    time.sleep(0.05)
"""
FOREIGN = "add table ip others; add chain ip others c { type filter hook input priority 0; }"
BUILDER = """
from duravip_agent.fence import Fence, FenceError
try:
    Fence().build(["eth1"], 0.5)
except FenceError as error:
    print(error)
"""
WITHOUT_PERMISSION = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"]


class Node:
    """A node that holds VIP, and the client that asks for it. The test runs on the node."""

    def __init__(self, made: World) -> None:
        self.world = made
        made.plumb(VIP)
        self.fence, self.dead_man = Fence(), DeadMan()
        self.fence.build(["eth1"], DEAD_MAN)
        self.fence.take([VIP])
        self.dead_man.refresh()
        self._ear = Ear(made.client, ARP)

    def answers(self, address: str = VIP) -> bool:
        """Whether it answers a request by ARP."""
        return self._ear.asks(address, CLIENT)

    def last_answer(self, since: float) -> float:
        """Ask until there is silence; gives how long after `since` it was last answered for."""
        last = since
        while time.monotonic() < since + 3 * DEAD_MAN:
            asked = time.monotonic()
            if self._ear.asks(VIP, CLIENT):
                last = asked
            time.sleep(0.001)
        return last - since

    def nft(self, command: str) -> None:
        """Do what an administrator does."""
        self.world.node.run("nft", command)

    def close(self) -> None:
        """Let go of everything."""
        self._ear.close()
        self.fence.close()
        self.dead_man.close()


@pytest.fixture
def node() -> Iterator[Node]:
    with world() as made, made.node.entered():
        found = Node(made)
        yield found
        found.close()


def test_without_a_refresh_it_falls_silent_in_time_and_with_one_it_is_back(node: Node) -> None:
    for _ in range(3):
        node.dead_man.refresh()
        heard = node.last_answer(since=time.monotonic())
        print(f"answered until {heard * 1000:.1f} ms after the last refresh")
        assert 0.6 * DEAD_MAN < heard <= DEAD_MAN
        assert not node.fence.is_alive()
        node.dead_man.refresh()
        assert node.fence.is_alive()
        assert node.answers()
    assert node.dead_man.refused == 0


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP])
def test_it_falls_silent_when_whoever_refreshes_is_killed_or_stopped(
    node: Node, blow: signal.Signals
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


def test_a_connection_survives_a_second_of_silence(node: Node) -> None:
    node.fence.build(["eth1"], dead_man=10)
    node.fence.take([VIP])
    node.dead_man.refresh()
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
            node.dead_man.refresh()
            connection.settimeout(5.0)
            assert connection.recv(16) == b"during"
            connection.send(b"after")
            assert client.recv(16) == b"after"


@pytest.mark.parametrize(
    "damage",
    [
        "flush ruleset",
        "delete table inet duravip",
        "delete table netdev duravip",
        "flush table inet duravip",
        "flush chain netdev duravip guarded_eth1",
        "flush chain inet duravip to4",
    ],
)
def test_damage_is_noticed_and_mended(node: Node, damage: str) -> None:
    assert not node.fence.mend(), "nothing was damaged"
    node.nft(damage)
    assert not node.fence.is_intact()
    assert node.fence.mend()
    assert node.fence.is_intact()
    assert not node.fence.mend()
    assert not node.answers(), "not until the next refresh"
    node.dead_man.refresh()
    assert node.answers()
    node.fence.release([VIP])
    assert not node.answers()
    assert not connects(node.world.client, VIP)


@pytest.mark.parametrize("call", ["take", "release", "forget"])
def test_a_change_to_tables_that_are_gone_makes_them_anew(node: Node, call: str) -> None:
    node.nft("flush ruleset")
    getattr(node.fence, call)([VIP])
    assert node.fence.is_intact()
    node.dead_man.refresh()
    assert node.answers() == (call != "release")
    assert (VIP in node.fence.vips, VIP in node.fence.held) == (
        call != "forget",
        call == "take",
    )


def test_the_work_of_others_is_no_damage(node: Node) -> None:
    node.fence.mend()
    node.nft(FOREIGN)
    assert not node.fence.mend()
    assert node.answers()


def test_calls_can_be_repeated(node: Node) -> None:
    for call in (node.fence.take, node.fence.release, node.fence.forget):
        call([VIP])
        call([VIP])
    node.fence.forget(["10.9.9.9"])
    node.fence.release([])
    node.fence.guard(["eth1", "eth1", "no-such-card"])
    assert node.fence.is_intact()
    node.dead_man.mute()
    assert node.answers(), "forgotten, so no business of the fence"


def test_what_an_earlier_agent_left_behind_is_mute_from_the_start(node: Node) -> None:
    node.world.plumb("10.1.1.9")
    assert node.answers("10.1.1.9"), "nobody knows of it yet"
    successor = Fence()
    successor.build(["eth1"], DEAD_MAN, ["10.1.1.9"])
    node.dead_man.refresh()
    assert successor.vips == {VIP, "10.1.1.9"}
    assert not node.answers(VIP)
    assert not node.answers("10.1.1.9")
    assert node.answers(NODE)
    successor.close()


def test_a_card_that_is_taken_out_and_put_in_again_is_still_guarded(node: Node) -> None:
    node.world.unplug()
    node.fence.mend()
    node.world.plug()
    node.world.plumb(VIP)
    node.fence.guard(())
    node.dead_man.refresh()
    ear = Ear(node.world.client, ARP)
    assert ear.asks(VIP, CLIENT)
    node.dead_man.mute()
    assert not ear.asks(VIP, CLIENT)
    ear.close()


def test_a_card_that_comes_later_is_guarded_from_then_on(node: Node) -> None:
    node.fence.build([], DEAD_MAN)
    node.fence.take([VIP])
    node.dead_man.mute()
    assert node.answers()
    node.fence.guard(["eth1"])
    assert not node.answers()
    node.dead_man.refresh()
    assert node.answers()


def test_it_is_gone_when_it_is_dropped(node: Node) -> None:
    node.fence.drop()
    node.fence.drop()
    assert node.world.node.run("nft", "list", "ruleset") == ""
    assert not node.fence.mend()
    assert node.answers()
    with pytest.raises(FenceError, match="not built"):
        node.fence.take([VIP])


def test_a_node_without_the_program_nft_is_refused(
    node: Node, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FenceError, match="there is no program nft"):
        node.fence.build(["eth1"], DEAD_MAN)


def test_a_kernel_that_knows_no_such_rules_is_refused_in_one_line(
    node: Node, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said = "/dev/stdin:12:9-15: Error: Could not process rule: Operation not supported"
    program = tmp_path / "nft"
    program.write_text(f"#!/bin/sh\necho '{said}' >&2\necho more >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(FenceError, match=r"5\.16 or newer") as refusal:
        node.fence.build(["eth1"], DEAD_MAN)
    assert "rule: Operation not supported; it needs" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_an_agent_without_the_permission_is_refused() -> None:
    argv = [*WITHOUT_PERMISSION, sys.executable, "-c", BUILDER]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "CAP_NET_ADMIN" in done.stdout
