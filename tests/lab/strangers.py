"""Programs that are none of ours and run on the same machine: they listen, or they interfere."""

import sys
import time
from pathlib import Path

from lab.machines import Machine
from lab.processes import Process

_LISTEN = """
import socket, sys, threading
kept = []
for text in sys.argv[1:]:
    protocol, host, port, *only = text.split()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    kind = socket.SOCK_DGRAM if protocol == "UDP" else socket.SOCK_STREAM
    kept.append(socket.socket(family, kind))
    if only:
        kept[-1].setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    kept[-1].bind((host, int(port)))
    if kind is socket.SOCK_STREAM:
        kept[-1].listen()
threading.Event().wait()
"""

_ANSWER = """
import socket, struct, sys
nic, *addresses = sys.argv[1:]
asked = {socket.inet_aton(address) for address in addresses}
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
wire.bind((nic, 0x0806))
own = wire.getsockname()[4]
while True:
    frame = wire.recv(1500)
    operation, theirs, source, _, wanted = struct.unpack("!H6s4s6s4s", frame[20:42])
    if operation == 1 and theirs != own and wanted in asked:
        head = theirs + own + frame[12:20]
        wire.send(head + struct.pack("!H6s4s6s4s", 2, own, wanted, theirs, source))
"""

_TAKE_AWAY = 'while :; do ip address del "$1/32" dev "$2"; sleep 0.1; done'


def listening(machine: Machine, *sockets: str) -> Process:
    """A program that listens on sockets, each `PROTOCOL HOST PORT`, and `only` if IPv6 alone."""
    return machine.spawn([sys.executable, "-c", _LISTEN, *sockets], _log(machine, "listener"))


def taking_away(machine: Machine, address: str, nic: str = "eth1") -> Process:
    """A program that deletes an address whenever it is there."""
    command = ["/bin/sh", "-c", _TAKE_AWAY, "sh", address, nic]
    return machine.spawn(command, _log(machine, "taker"))


def answering(machine: Machine, *addresses: str, nic: str = "eth1") -> Process:
    """A program that answers ARP for addresses that the machine does not have, as MetalLB does."""
    argv = [sys.executable, "-c", _ANSWER, nic, *addresses]
    return machine.spawn(argv, _log(machine, "answerer"))


def _log(machine: Machine, name: str) -> Path:
    return machine.folder / f"{name}-{time.monotonic_ns()}.log"
