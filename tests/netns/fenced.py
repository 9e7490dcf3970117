"""A node, a client and a pod as namespaces without names: they vanish with the test's process.

A thread enters one of them; the sockets and processes that it makes meanwhile are in there.
"""

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VIP, VIP6 = "10.1.1.1", "fd00:1::64:1"
MOVED = "10.1.1.2"
"""Watched on the node, and plumbed on the client: an address that was given to another node."""
NODE, NODE6, CLIENT, CLIENT6 = "10.1.0.11", "fd00:1::11", "10.1.0.100", "fd00:1::100"
BRIDGE, POD = "10.244.0.1", "10.244.0.2"
NODE_MAC, CLIENT_MAC = "02:00:00:00:00:11", "02:00:00:00:00:64"

_NEW_NET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """A network namespace."""

    def __init__(self) -> None:
        own = _current()
        _checked(_LIBC.unshare(_NEW_NET))
        self._fd = _current()
        _go(own)
        self.path = f"/proc/{os.getpid()}/fd/{self._fd}"
        self.ip("link set lo up")

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Let this thread be in it."""
        own = _current()
        _checked(_LIBC.setns(self._fd, _NEW_NET))
        try:
            yield
        finally:
            _go(own)

    def run(self, *argv: str, text: str | None = None) -> str:
        """Run a program in it to its end."""
        with self.entered():
            done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{argv}: {done.stderr}"
        return done.stdout

    def ip(self, *lines: str) -> None:
        """Run commands of ip."""
        self.run("ip", "-batch", "-", text="".join(f"{line}\n" for line in lines))

    def spawn(self, script: str) -> subprocess.Popen[str]:
        """Start a Python program in it."""
        argv = [sys.executable, "-c", script]
        with self.entered():
            return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)

    def close(self) -> None:
        """Let it go."""
        os.close(self._fd)


class World:
    """A node and a client on one cable, and a pod behind the node."""

    def __init__(self) -> None:
        self.node, self.client, self.pod = Namespace(), Namespace(), Namespace()
        with self.node.entered():
            Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        self.node.ip(
            f"link add cni0 type veth peer name eth0 netns {self.pod.path}",
            "link set cni0 up",
            f"addr add {BRIDGE}/24 dev cni0",
        )
        self.pod.ip(
            f"addr add {POD}/24 dev eth0",
            "link set eth0 up",
            f"route add default via {BRIDGE}",
        )
        self.plug()

    def plug(self) -> None:
        """Lay the cable between the node and the client."""
        self.node.ip(
            f"link add eth1 address {NODE_MAC} type veth "
            f"peer name eth1 address {CLIENT_MAC} netns {self.client.path}",
            f"addr add {NODE}/16 dev eth1",
            f"addr add {NODE6}/64 dev eth1 nodad",
            "link set eth1 up",
        )
        # The client knows the MAC already, so that what is asked of an address can be told from
        # what is asked about it.
        known = (VIP, VIP6)
        self.client.ip(
            f"addr add {CLIENT}/16 dev eth1",
            f"addr add {MOVED}/32 dev eth1",
            f"addr add {CLIENT6}/64 dev eth1 nodad",
            "link set eth1 up",
            f"route add 10.244.0.0/24 via {NODE}",
            *(f"neigh add {a} lladdr {NODE_MAC} nud permanent dev eth1" for a in known),
        )

    def unplug(self) -> None:
        """Remove the cable, cards and all."""
        self.node.ip("link del eth1")

    def plumb(self, *addresses: str) -> None:
        """Give the node these addresses."""
        self.node.ip(
            *(f"addr add {a}/32 dev eth1" for a in addresses if ":" not in a),
            *(f"addr add {a}/128 dev eth1 nodad" for a in addresses if ":" in a),
        )

    def close(self) -> None:
        """Let all of it go."""
        for namespace in (self.node, self.client, self.pod):
            namespace.close()


@contextmanager
def world() -> Iterator[World]:
    """A world for as long as it is needed."""
    made = World()
    try:
        yield made
    finally:
        made.close()


def _current() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _go(home: int) -> None:
    """Go back to where this thread came from."""
    _checked(_LIBC.setns(home, _NEW_NET))
    os.close(home)


def _checked(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
