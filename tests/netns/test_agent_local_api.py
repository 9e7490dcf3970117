"""The local API of a real agent: what it tells while addresses come, go and fall silent."""

import http.client
import json
import os
import socket
import stat
import struct
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from threading import Thread

import pytest

from duravip_runtime.local_api import SERVED_PATH
from duravip_runtime.local_client import LocalClient, Unreachable, UnreachableError, Update, follow
from duravip_runtime.local_endpoint import UnixEndpoint, connect
from lab.processes import Process, wait_for
from netns.peer import made_in
from netns.plumbed import PATIENCE, PlumbedNode

VIP, OTHER, SIX = "10.1.1.1", "10.1.1.2", "fd00:1::64:1"
IPV4_ADDRESSES, DELETED = 0x10, 21
"""The group of netlink, and the message (rtnetlink(7))."""
MANY = "10.1.16.0-10.1.55.15"
COUNT = 10_000
"""Addresses in this range."""


class Watch:
    """Follows an agent from a thread, over all its runs."""

    def __init__(self, where: UnixEndpoint) -> None:
        self.updates: Queue[Update | Unreachable] = Queue()
        self._is_closing = False
        self._thread = Thread(target=self._run, args=(where,))
        self._thread.start()

    def next_change(self) -> Update:
        """The next update with something in it."""
        deadline = time.monotonic() + PATIENCE
        while True:
            update = self.updates.get(timeout=max(0.0, deadline - time.monotonic()))
            if isinstance(update, Update) and not update.change.is_empty:
                return update

    def wait_served(self, *addresses: str) -> Update:
        """Wait until exactly these are served."""
        while set((update := self.next_change()).now.served) != set(addresses):
            pass
        return update

    def close(self) -> None:
        self._is_closing = True
        self._thread.join()

    def _run(self, where: UnixEndpoint) -> None:
        for update in follow(LocalClient(where)):
            self.updates.put(update)
            if self._is_closing:
                return


class Local:
    """A node's local API, as its programs see it."""

    def __init__(self, node: PlumbedNode, folder: Path) -> None:
        self.node, self.where = node, UnixEndpoint(folder / "agent.sock")
        self._watches: list[Watch] = []

    def start(self, *options: str) -> Process:
        return self.node.start(f"--local-listen={self.where}", *options)

    def watch(self) -> Watch:
        self._watches.append(Watch(self.where))
        return self._watches[-1]

    def connected(self, path: str) -> socket.socket:
        made = connect(self.where, PATIENCE)
        made.sendall(f"GET {path} HTTP/1.1\r\nConnection: close\r\n\r\n".encode())
        return made

    def ask(self, path: str) -> tuple[int, str]:
        with self.connected(path) as made:
            response = http.client.HTTPResponse(made)
            response.begin()
            return response.status, response.read().decode()

    def close(self) -> None:
        for watch in self._watches:
            watch.close()


@pytest.fixture
def local(node: PlumbedNode) -> Iterator[Local]:
    with tempfile.TemporaryDirectory() as folder:
        made = Local(node, Path(folder))
        yield made
        made.close()


def test_programs_are_told_what_is_served_gained_and_lost(local: Local) -> None:
    node, watch = local.node, local.watch()
    node.grant(VIP, SIX)
    local.start()
    update = watch.wait_served(VIP, SIX)
    assert {entry.interface for entry in update.now.served.values()} == {"eth1"}
    now = LocalClient(local.where).served()
    assert (now.node, now.contact, now.served) == ("n1", True, update.now.served)
    assert now.boot == update.now.boot == node.status["agent"]["boot"]
    assert local.ask(f"{SERVED_PATH}/{SIX.upper()}")[0] == 200
    assert local.ask(f"{SERVED_PATH}/{OTHER}")[0] == 404
    node.grant(VIP, OTHER)
    update = watch.wait_served(VIP, OTHER)
    status, body = local.ask(SERVED_PATH)
    served = json.loads(body)
    assert (status, served["revision"]) == (200, update.now.revision)
    assert [entry["address"] for entry in served["served"]] == [VIP, OTHER]


def test_what_is_gained_can_be_heard_and_bound_to(local: Local) -> None:
    node, watch = local.node, local.watch()
    node.grant()
    local.start()
    node.wait_acted()
    node.grant(VIP)
    watch.wait_served(VIP)
    assert VIP in node.addresses()
    assert node.lab.who_answers([VIP]).get(VIP) == "n1"


def test_a_loss_is_told_before_the_kernel_loses_the_address(local: Local) -> None:
    node, watch = local.node, local.watch()
    with made_in(node.machine, socket.AF_NETLINK, socket.SOCK_RAW, 0) as kernel:
        kernel.bind((0, IPV4_ADDRESSES))
        kernel.settimeout(PATIENCE)
        node.grant()
        local.start()
        for _ in range(5):
            node.grant(VIP)
            watch.wait_served(VIP)
            with local.connected(f"{SERVED_PATH}?watch=true") as program:
                lines = program.makefile("rb")
                while b'"served"' not in lines.readline():
                    pass
                node.grant()
                while struct.unpack_from("H", kernel.recv(65536), 4)[0] != DELETED:
                    pass
                program.setblocking(False)  # noqa: FBT003
                assert b'"lost": [{"address": "10.1.1.1"' in program.recv(4096)


def test_what_is_muted_by_the_dead_man_is_lost_and_then_gained(local: Local) -> None:
    node, watch = local.node, local.watch()
    node.grant(VIP)
    agent = local.start()
    watch.wait_served(VIP)
    agent.stop()
    time.sleep(1.5)  # everything is mute after half a second
    agent.resume()
    assert [entry.address for entry in watch.next_change().change.lost] == [VIP]
    watch.wait_served(VIP)


def test_what_nobody_can_hear_is_not_served(local: Local) -> None:
    node, watch = local.node, local.watch()
    node.grant(VIP)
    local.start()
    watch.wait_served(VIP)
    node.ip("link", "set", "eth1", "down")
    try:
        watch.wait_served()
    finally:
        node.ip("link", "set", "eth1", "up")
    watch.wait_served(VIP)


def test_what_the_fence_keeps_mute_is_not_served_either(local: Local) -> None:
    node, watch = local.node, local.watch()
    node.grant(VIP)
    local.start()
    watch.wait_served(VIP)
    chain = "chain o { type route hook output priority -500; udp dport 9 drop; }"
    node.machine.run(["nft", f"add table ip q {{ {chain}; }}"])  # refreshes do not arrive
    try:
        watch.wait_served()
        assert VIP in node.addresses()
    finally:
        node.machine.run(["nft", "delete", "table", "ip", "q"])
    watch.wait_served(VIP)


def test_asked_to_stop_it_tells_what_is_lost_and_removes_its_socket(local: Local) -> None:
    node = local.node
    node.grant(VIP)
    agent = local.start()
    node.wait_served(VIP)
    with local.connected(f"{SERVED_PATH}?watch=true") as program:
        lines = program.makefile("rb")
        while b'"served"' not in lines.readline():
            pass
        node.peer.is_quiet = True
        agent.terminate()
        agent.terminate()
        assert b'"lost": [{"address": "10.1.1.1"' in lines.read()
    assert agent.wait() == 0
    assert not local.where.path.exists()


def test_an_agent_that_is_killed_is_followed_to_its_next_run(local: Local) -> None:
    node, watch = local.node, local.watch()
    node.grant(VIP, OTHER)
    first = local.start()
    before = watch.wait_served(VIP, OTHER)
    first.kill()
    assert local.where.path.exists()
    node.grant(OTHER)
    local.start()
    after = watch.wait_served(OTHER)
    assert after.now.boot != before.now.boot
    assert VIP in before.now.served


def test_its_socket_is_for_its_group_alone(local: Local) -> None:
    local.start("--local-group=12345")
    wait_for(local.where.path.exists, "the socket is there", PATIENCE)
    status = local.where.path.stat()
    assert (stat.S_IMODE(status.st_mode), status.st_gid) == (0o660, 12345)
    assert (status.st_uid, os.getuid()) == (0, 0)
    as_ = ["setpriv", "--reuid=4321", "--clear-groups"]
    asked = ["curl", "-sf", "--unix-socket", str(local.where.path), f"http://local{SERVED_PATH}"]
    local.where.path.parent.chmod(0o755)
    assert local.node.machine.attempt([*as_, "--regid=12345", *asked]).returncode == 0
    assert local.node.machine.attempt([*as_, "--regid=4321", *asked]).returncode != 0


def test_a_place_that_is_not_to_be_had_costs_no_address(local: Local) -> None:
    first = local.node.start("--local-listen=10.77.0.1:9480")
    assert first.wait() == 2
    assert "loopback" in first.output()
    holder = socket.socket(socket.AF_UNIX)
    holder.bind(str(local.where.path))
    holder.listen()
    local.node.grant(VIP)
    second = local.start()
    local.node.wait_served(VIP)
    assert "another program listens there" in second.output()
    holder.close()


def test_ten_thousand_addresses_are_told_in_few_lines_and_a_slow_reader_goes(
    local: Local,
) -> None:
    node, watch = local.node, local.watch()
    node.grant()
    local.start()
    node.wait_acted()
    with local.connected(f"{SERVED_PATH}?watch=true") as slow:
        assert slow.recv(17) == b"HTTP/1.1 200 OK\r\n"
        node.grant(MANY)
        while len(watch.next_change().now.served) < COUNT:
            pass
        node.grant(VIP)
        watch.wait_served(VIP)
        time.sleep(2.5)  # so slow is slow, whatever else the machine does
        read = b""
        while piece := slow.recv(1 << 20):
            read += piece
        assert not read.endswith(b"}\n")
    assert node.metric("lapses_total") == 0
    assert LocalClient(local.where).served().served.keys() == {VIP}


def test_by_loopback_it_is_answered_as_well(local: Local) -> None:
    node = local.node
    node.grant(VIP)
    node.start("--local-listen=127.0.0.1:9480")
    node.wait_served(VIP)
    url = f"http://127.0.0.1:9480{SERVED_PATH}"
    assert VIP in node.machine.run(["curl", "-sf", url])
    with pytest.raises(UnreachableError):
        LocalClient(local.where).served()
