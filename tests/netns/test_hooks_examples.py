"""The examples of docs/hooks.md: a real agent, the hooks, a real HAProxy, and a server of UDP."""

import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.fleet import PROGRAMS
from lab.processes import Process, wait_for
from netns.peer import made_in
from netns.plumbed import PATIENCE, PlumbedNode

EXAMPLES = Path(__file__).parents[2] / "docs/examples/hooks"
VIP, OTHER = "10.1.1.1", "10.1.1.2"
PORT = 5060


class Servers:
    """The node's agent, `duravip-hooks` beside it, and what the examples start."""

    def __init__(self, node: PlumbedNode, folder: Path) -> None:
        self.node, self.folder, self.hooks = node, folder, folder / "hooks.d"
        self.hooks.mkdir()
        self._started: list[Process] = []
        node.grant()
        node.start(f"--local-listen=unix:{folder}/agent.sock")
        self._client = made_in(node.lab.machines["n2"], socket.AF_INET, socket.SOCK_DGRAM)
        self._client.settimeout(0.2)

    def start(self, *argv: str, **variables: str) -> None:
        log = self.folder / f"{len(self._started)}.log"
        self._started.append(self.node.machine.spawn(argv, log, variables))

    def start_hooks(self, *names: str, **variables: str) -> None:
        for name in names:
            shutil.copy(EXAMPLES / name, self.hooks)
        options = (f"--agent={self.folder}/agent.sock", f"--dir={self.hooks}")
        self.start(str(PROGRAMS / "duravip-hooks"), *options, **variables)

    def fetched(self, address: str) -> bool:
        """Whether HAProxy answers a client at this address."""
        url = f"http://{address}/"
        argv = ["curl", "-s", "--noproxy", "*", "--max-time", "2", url]
        return "answered here" in self.node.lab.machines["n2"].attempt(argv).stdout

    def echoed(self, address: str) -> bool:
        """Whether the server of UDP answers a client at this address, and from it."""
        try:
            self._client.sendto(b"hello", (address, PORT))
            data, sender = self._client.recvfrom(100)
        except OSError:
            return False
        return data == b"hello" and sender == (address, PORT)

    def listeners(self, kind: str, port: int) -> set[str]:
        """The addresses at which somebody on the node listens, by `ss`'s option."""
        table = self.node.machine.run(["ss", "-Hn", kind, f"sport = :{port}"])
        return {line.split()[3].rpartition(":")[0] for line in table.splitlines()}

    def close(self) -> None:
        self._client.close()
        for process in self._started:
            process.terminate()
            process.wait()


@pytest.fixture
def servers(node: PlumbedNode) -> Iterator[Servers]:
    with tempfile.TemporaryDirectory() as folder:
        made = Servers(node, Path(folder))
        yield made
        made.close()


def test_haproxy_listens_on_what_the_node_serves(servers: Servers) -> None:
    node, folder = servers.node, servers.folder
    addresses, pid, reload_ = folder / "addresses.cfg", folder / "pid", folder / "reload"
    addresses.touch()
    reload_.write_text(f"#!/bin/sh\nkill -USR2 $(cat {pid})\n")
    reload_.chmod(0o755)
    config = EXAMPLES / "haproxy.cfg"
    servers.start(
        "/usr/sbin/haproxy", "-W", "-p", str(pid), "-f", str(config), "-f", str(addresses)
    )
    ask = ["curl", "-sf", "--noproxy", "*", "http://127.0.0.1:8404/"]
    wait_for(lambda: node.machine.attempt(ask).returncode == 0, "HAProxy runs", PATIENCE)
    servers.start_hooks(
        "10.haproxy",
        HAPROXY_CONFIG=str(config),
        HAPROXY_ADDRESSES=str(addresses),
        HAPROXY_RELOAD=str(reload_),
    )
    node.grant(VIP)
    wait_for(lambda: servers.fetched(VIP), "it answers", PATIENCE)
    assert not servers.fetched(OTHER)
    node.grant(OTHER)
    wait_for(lambda: servers.fetched(OTHER), "it answers at the next one", PATIENCE)
    wait_for(lambda: servers.listeners("-lt", 80) == {OTHER}, "and only there", PATIENCE)
    node.grant()
    wait_for(lambda: not servers.listeners("-lt", 80), "and then nowhere", PATIENCE)


def test_a_reload_that_haproxy_misses_is_tried_again(tmp_path: Path) -> None:
    variables = {
        "PATH": "/usr/sbin:/usr/bin:/bin",
        "HAPROXY_CONFIG": str(EXAMPLES / "haproxy.cfg"),
        "HAPROXY_ADDRESSES": str(tmp_path / "addresses.cfg"),
        "HAPROXY_RELOAD": "echo reload",
    }
    command = [EXAMPLES / "10.haproxy", "settled"]
    for _ in range(2):
        done = subprocess.run(
            command, input=f"{VIP}\n", env=variables, text=True, check=False, capture_output=True
        )
        assert done.returncode == 1
        assert done.stdout.startswith("reload\nHAProxy does not listen")
    assert f"bind {VIP}:80\n" in (tmp_path / "addresses.cfg").read_text()


def test_a_server_of_udp_is_told_of_each_address(servers: Servers) -> None:
    node, control = servers.node, servers.folder / "control"
    servers.start(sys.executable, str(EXAMPLES / "udp_server.py"), str(PORT), str(control))
    wait_for(control.exists, "the server runs", PATIENCE)
    servers.start_hooks("20.udp-server", UDP_SERVER=str(control))
    node.grant(VIP, OTHER)
    for address in (VIP, OTHER):
        wait_for(lambda at=address: servers.echoed(at), f"{address} answers", PATIENCE)
    node.grant(OTHER)
    wait_for(lambda: servers.listeners("-lu", PORT) == {OTHER}, "one is closed", PATIENCE)
    node.grant(VIP, OTHER)
    wait_for(lambda: servers.echoed(VIP), "it answers again", PATIENCE)


def test_the_unit_names_options_that_there_are() -> None:
    unit = (EXAMPLES / "duravip-hooks.service").read_text()
    (start,) = [line for line in unit.splitlines() if line.startswith("ExecStart=")]
    _, *options = start.split()
    assert options[1::2] == ["/run/duravip/agent.sock", "/etc/duravip/hooks.d"]
    help_ = subprocess.run(
        [PROGRAMS / "duravip-hooks", "--help"], check=True, capture_output=True, text=True
    ).stdout
    assert all(option in help_ for option in options[::2])
