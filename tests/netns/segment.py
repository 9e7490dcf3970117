"""A few machines on one bridge: network namespaces, made and removed by the test that needs them.

No control plane, no programs: just kernels, a card each, and what a test does with them.
"""

import ctypes
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

NIC = "eth1"
OURS = Path("/proc/thread-self/ns/net")
CLONE_NEWNET = 0x40000000
PATIENCE = 10.0

_libc = ctypes.CDLL(None, use_errno=True)


class Segment:
    """Machines, each with a card `eth1` on the same bridge and the address 10.1.0.<its number>."""

    def __init__(self, *machines: str) -> None:
        self._machines = machines
        self._mark = f"dvseg{os.getpid()}"

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            undo.callback(self._remove)
            self._make()
            undo.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._remove()

    def _make(self) -> None:
        run("ip", "netns", "add", self.namespace("bridge"))
        bridge = "type bridge stp_state 0 forward_delay 0 mcast_snooping 0"
        self.ip("bridge", "link set lo up", f"link add br0 {bridge}", "link set br0 up")
        for number, machine in enumerate(self._machines, start=1):
            run("ip", "netns", "add", self.namespace(machine))
            with self.inside(machine):
                Path("/proc/sys/net/ipv6/conf/default/accept_dad").write_text("0")
            self.plug(machine)
            self.ip(machine, f"addr add 10.1.0.{number}/16 dev {NIC}", "link set lo up")

    def _remove(self) -> None:
        for machine in (*self._machines, "bridge"):
            if Path("/run/netns", self.namespace(machine)).exists():
                run("ip", "netns", "del", self.namespace(machine))

    def namespace(self, machine: str) -> str:
        """The name of its network namespace."""
        return f"{self._mark}-{machine}"

    def plug(self, machine: str) -> None:
        """Give a machine its card."""
        peer = f"peer name {NIC} netns {self.namespace(machine)}"
        self.ip(
            "bridge",
            f"link add name {machine} type veth {peer}",
            f"link set dev {machine} master br0 up",
        )
        self.ip(machine, f"link set {NIC} up")
        self.wait_for_link(machine)

    def wait_for_link(self, machine: str) -> None:
        """Wait until a card that is up carries frames, which takes the kernel a moment."""
        deadline = time.monotonic() + PATIENCE
        while "state UP" not in self.run(machine, "ip", "link", "show", NIC):
            assert time.monotonic() < deadline, f"{machine} has no link"
            time.sleep(0.01)

    def ip(self, machine: str, *lines: str) -> None:
        """Change links and addresses there; each line is one command of ip."""
        text = "".join(f"{line}\n" for line in lines)
        run("ip", "-n", self.namespace(machine), "-batch", "-", text=text)

    def run(self, machine: str, *command: str, text: str = "") -> str:
        """Run a program on a machine."""
        return run("ip", "netns", "exec", self.namespace(machine), *command, text=text)

    @contextmanager
    def inside(self, machine: str) -> Iterator[None]:
        """Sockets that this thread opens meanwhile, and threads that it starts, are there."""
        there = Path("/run/netns", self.namespace(machine))
        with OURS.open() as before, there.open() as inside:
            _enter(inside.fileno())
            try:
                yield
            finally:
                _enter(before.fileno())

    def card(self, machine: str) -> socket.socket:
        """A raw socket that sends whole frames from a machine's card."""
        with self.inside(machine):
            card = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            card.bind((NIC, 0))
        return card

    def mac(self, machine: str) -> str:
        """The MAC of its card."""
        with self.card(machine) as card:
            mac: bytes = card.getsockname()[4]
        return mac.hex(":")

    def mute(self, machine: str, addresses: list[str]) -> None:
        """Let no answer for these addresses out, as the agent's fence does."""
        older = ", ".join(a for a in addresses if ":" not in a) or "192.0.2.1"
        newer = ", ".join(a for a in addresses if ":" in a) or "2001:db8::1"
        rules = f"""
            table netdev fence {{
              chain out {{
                type filter hook egress device {NIC} priority 0
                arp saddr ip {{ {older} }} drop
                ip6 saddr {{ {newer} }} drop
              }}
            }}
        """
        self.run(machine, "nft", "-f", "-", text=rules)


def run(*command: str, text: str = "") -> str:
    """Run a program; fails with what it said."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def _enter(namespace: int) -> None:
    if _libc.setns(namespace, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
