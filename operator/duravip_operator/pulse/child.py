"""Starts the process that the pulse is."""

import json
import socket
import subprocess
import sys
from typing import Any, Final

from duravip_operator.pulse.replies import ask_for_destination
from duravip_operator.settings import Settings
from duravip_runtime.endpoints import parse_endpoint
from duravip_runtime.settings import SettingsError

RECEIVE_BUFFER: Final = 4 * 1024 * 1024
"""Bytes of beats that wait while the process does not run: as much as the kernel allows."""


def bound(listen: str) -> socket.socket:
    """The socket that beats are heard on; raises SettingsError when it cannot be had."""
    host, port = parse_endpoint(listen)
    try:
        family, *_, where = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        udp = socket.socket(family, socket.SOCK_DGRAM)
        try:
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            ask_for_destination(udp)
            udp.bind(where)
        except OSError:
            udp.close()
            raise
    except OSError as error:
        raise SettingsError(f"--pulse-listen: cannot listen on {listen}: {error}") from error
    return udp


def started(
    settings: Settings, udp: socket.socket, pipe: socket.socket
) -> subprocess.Popen[bytes]:
    """The process; it is told the rest, and our private key, through the other end of the pipe."""
    how: dict[str, Any] = {
        "socket": udp.fileno(),
        "key_file": settings.pulse_key_file and str(settings.pulse_key_file),
        "mature": settings.mature,
        "suspect_after": settings.suspect_after,
    }
    module = "duravip_operator.pulse.process"
    command = [sys.executable, "-m", module, json.dumps(how)]
    return subprocess.Popen(  # noqa: S603 - our own program
        command, stdin=pipe.fileno(), pass_fds=[udp.fileno()]
    )
