"""HOST:PORT, as options name it, and the name that this replica has when it is given none."""

import re
import secrets
import socket
from ipaddress import ip_address
from typing import NamedTuple

MOST = 65535


class Endpoint(NamedTuple):
    """Where a socket listens, or is reached."""

    host: str
    """An address, or a name; an IPv6 address without brackets."""
    port: int

    @property
    def is_wildcard(self) -> bool:
        """Whether it stands for every address of this machine, so that nobody can send to it."""
        return self.host in {"", "0.0.0.0", "::"}  # noqa: S104 - only compared

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def endpoint(text: str) -> Endpoint:
    """Read HOST:PORT or [IPV6]:PORT; raises ValueError with what is wrong about it."""
    host, colon, port = text.rpartition(":")
    if not (colon and port.isascii() and port.isdigit() and int(port) <= MOST):
        raise ValueError("must be HOST:PORT")
    if host.startswith("[") and host.endswith("]"):
        return Endpoint(str(ip_address(host[1:-1])), int(port))
    if ":" in host:
        raise ValueError("an IPv6 address must be in brackets: [ADDRESS]:PORT")
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", host):
        raise ValueError("must be HOST:PORT")
    return Endpoint(host, int(port))


def own_name() -> str:
    """The host's name and a random part: no two replicas share it."""
    host = re.sub(r"[^a-z0-9]+", "-", socket.gethostname().lower()).strip("-")[:40].strip("-")
    return f"{host or 'operator'}-{secrets.token_hex(3)}"
