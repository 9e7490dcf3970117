"""Looks at the machine that the program runs on. Nothing is changed."""

import os
import platform
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from duravip_cli.doctor.machine_checks import EVERYWHERE, SAMPLE, SETTINGS, Fence, Premises
from duravip_cli.views.objects import Body, name_of, spec_of, status_of

PATIENCE: Final = 10.0
"""For nft, in seconds."""
REFUSED_WITHIN: Final = 0.3
"""A closed port says so at once."""
_CONF: Final = Path("/proc/sys/net/ipv4/conf")


def which(plumbings: Iterable[Body]) -> Body | None:
    """The NodePlumbing of this machine: an address of one of its interfaces is here."""
    for body in plumbings:
        for nic in status_of(body).get("nics") or ():
            if any(_is_here(str(text).partition("/")[0]) for text in nic.get("addresses") or ()):
                return body
    return None


def examined(plumbing: Body | None) -> Premises:
    """What there is, on the node of this NodePlumbing."""
    interfaces = tuple(name for _, name in socket.if_nameindex() if name != "lo")
    operators = tuple(map(str, spec_of(plumbing or {}).get("pulse") or ()))
    nics = status_of(plumbing or {}).get("nics") or ()
    own = frozenset(str(nic.get("name")) for nic in nics if nic.get("addresses"))
    return Premises(
        kernel=platform.release(),
        interfaces=interfaces,
        settings=dict(_settings((EVERYWHERE, *interfaces))),
        fence=_fence(),
        granted=int(spec_of(plumbing or {}).get("grantedCount") or 0),
        own=own if plumbing and name_of(plumbing) else None,
        unheard=tuple(where for where in operators if _is_refused(where)),
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
        for setting in SETTINGS:
            try:
                yield (name, setting), int((_CONF / name / setting).read_text())
            except (OSError, ValueError):
                continue


def _fence() -> Fence:
    nft = shutil.which("nft", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if nft is None:
        return Fence("")
    version = _run([nft, "--version"]).stdout.strip()
    if os.geteuid() != 0:
        return Fence(version)
    refused = _run([nft, "--check", "--file", "-"], SAMPLE).stderr.strip().splitlines()
    listed = _run([nft, "list", "tables"]).stdout.splitlines()
    is_there = "table inet duravip" in listed
    is_open = not is_there or all(_is_open(nft, family) for family in ("inet", "netdev"))
    return Fence(version, refused[0] if refused else "", is_there, is_open)


def _is_open(nft: str, family: str) -> bool:
    """Whether the agent's refreshes have arrived in its table of this family."""
    return "elements" in _run([nft, "list", "set", family, "duravip", "alive"]).stdout


def _run(command: list[str], given: str = "") -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603 - a fixed command
            command, input=given, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, "", str(error))


def _is_refused(where: str) -> bool:
    """Whether the way to HOST:PORT is known to be closed; silence means nothing."""
    host, _, port = where.rpartition(":")
    try:
        (family, kind, _, _, address), *_ = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_DGRAM
        )
        with socket.socket(family, kind) as sock:
            sock.connect(address)
            sock.settimeout(REFUSED_WITHIN)
            for _ in range(2):  # a refusal is told to whoever speaks next
                sock.send(b"?")
                time.sleep(REFUSED_WITHIN / 3)
    except (OSError, ValueError):
        return True
    return False
