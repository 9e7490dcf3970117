"""Reads the state of the machine that the program runs on. Nothing is changed."""

import os
import platform
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from duravip_cli.doctor.machine_checks import (
    ALL_INTERFACES,
    SAMPLE_RULESET,
    SYSCTLS,
    FenceState,
    MachineState,
)
from duravip_cli.objects import Body, name_of, spec_of, status_of

NFT_TIMEOUT_S: Final = 10.0
"""For nft to answer."""
REFUSAL_TIMEOUT_S: Final = 0.3
"""For the ICMP error of a closed port, which comes at once."""
_CONF: Final = Path("/proc/sys/net/ipv4/conf")


def find_own_plumbing(plumbings: Iterable[Body]) -> Body | None:
    """The NodePlumbing of this machine: one with an address of its own that this machine has."""
    for body in plumbings:
        for nic in status_of(body).get("nics") or ():
            if any(_is_here(str(text).partition("/")[0]) for text in nic.get("addresses") or ()):
                return body
    return None


def probe_machine(plumbing: Body | None) -> MachineState:
    """The machine's state; the NodePlumbing is that of the machine, if it is known."""
    interfaces = tuple(name for _, name in socket.if_nameindex() if name != "lo")
    operators = tuple(map(str, spec_of(plumbing or {}).get("pulse") or ()))
    nics = status_of(plumbing or {}).get("nics") or ()
    own = frozenset(str(nic.get("name")) for nic in nics if nic.get("addresses"))
    return MachineState(
        kernel=platform.release(),
        interfaces=interfaces,
        settings=dict(_settings((ALL_INTERFACES, *interfaces))),
        fence=_fence(),
        granted=int(spec_of(plumbing or {}).get("grantedCount") or 0),
        own_interfaces=own if plumbing and name_of(plumbing) else None,
        refusing_operators=tuple(where for where in operators if _is_refused(where)),
        operators=operators,
    )


def _is_here(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((address, 0))
        except OSError:
            return False
    return True


def _settings(names: Iterable[str]) -> Iterator[tuple[tuple[str, str], int]]:
    for name in names:
        for setting in SYSCTLS:
            try:
                yield (name, setting), int((_CONF / name / setting).read_text())
            except (OSError, ValueError):
                continue


def _fence() -> FenceState:
    nft = shutil.which("nft", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if nft is None:
        return FenceState("")
    version = _run([nft, "--version"]).stdout.strip()
    if os.geteuid() != 0:
        return FenceState(version)
    refused = _run([nft, "--check", "--file", "-"], SAMPLE_RULESET).stderr.strip().splitlines()
    listed = _run([nft, "list", "tables"]).stdout.splitlines()
    is_there = "table inet duravip" in listed
    # It is open where the watchdog's refreshes have arrived in the agent's tables.
    alive = [
        _run([nft, "list", "set", family, "duravip", "alive"]).stdout
        for family in (("inet", "netdev") if is_there else ())
    ]
    is_open = all("elements" in listed for listed in alive)
    return FenceState(version, refused[0] if refused else "", is_there, is_open)


def _run(command: list[str], given: str = "") -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603 - a fixed command
            command,
            input=given,
            capture_output=True,
            text=True,
            timeout=NFT_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, "", str(error))


def _is_refused(where: str) -> bool:
    """Whether HOST:PORT refuses datagrams; no answer counts as open."""
    host, _, port = where.rpartition(":")
    try:
        (family, kind, _, _, address), *_ = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_DGRAM
        )
        with socket.socket(family, kind) as sock:
            sock.connect(address)
            sock.settimeout(REFUSAL_TIMEOUT_S)
            for _ in range(2):  # the ICMP error is reported by the next call
                sock.send(b"?")
                time.sleep(REFUSAL_TIMEOUT_S / 3)
    except (OSError, ValueError):
        return True
    return False
