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
    protocol, host, port = text.split()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    kind = socket.SOCK_DGRAM if protocol == "UDP" else socket.SOCK_STREAM
    kept.append(socket.socket(family, kind))
    kept[-1].bind((host, int(port)))
    if kind is socket.SOCK_STREAM:
        kept[-1].listen()
threading.Event().wait()
"""

_TAKE_AWAY = 'while :; do ip address del "$1/32" dev "$2"; sleep 0.1; done'


def listening(machine: Machine, *sockets: str) -> Process:
    """A program that listens on sockets, each `PROTOCOL HOST PORT`."""
    return machine.spawn([sys.executable, "-c", _LISTEN, *sockets], _log(machine, "listener"))


def taking_away(machine: Machine, address: str, nic: str = "eth1") -> Process:
    """A program that deletes an address whenever it is there."""
    command = ["/bin/sh", "-c", _TAKE_AWAY, "sh", address, nic]
    return machine.spawn(command, _log(machine, "taker"))


def _log(machine: Machine, name: str) -> Path:
    return machine.folder / f"{name}-{time.monotonic_ns()}.log"
