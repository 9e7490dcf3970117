"""HOST:PORT, as options, specs and people write it."""

import re
from ipaddress import ip_address
from typing import NamedTuple

MAX_PORT = 65535
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


class Endpoint(NamedTuple):
    """Where a socket listens, or is reached."""

    host: str
    """An address, or a name; an IPv6 address without brackets."""
    port: int

    @property
    def is_wildcard(self) -> bool:
        """Whether it stands for every address of this machine, so that nobody can send to it."""
        return self.host in {"", "0.0.0.0", "::"}  # noqa: S104 - only compared

    @property
    def is_numeric(self) -> bool:
        """Whether the host is an address, which needs no look-up."""
        return _is_address(self.host)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_endpoint(text: str) -> Endpoint:
    """Read HOST:PORT or [IPV6]:PORT; raises ValueError with what is wrong about it.

    Port 0 stands for any that is free: to listen on, never to send to.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > MAX_PORT:
        raise ValueError("must be HOST:PORT")
    if host.startswith("[") and host.endswith("]") and ":" in host:
        if not _is_address(host[1:-1]):
            raise ValueError("must be HOST:PORT")
        return Endpoint(str(ip_address(host[1:-1])), int(port))
    if ":" in host:
        raise ValueError("an IPv6 address must be in brackets: [ADDRESS]:PORT")
    if not _NAME.fullmatch(host):
        raise ValueError("must be HOST:PORT")
    return Endpoint(host, int(port))


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
