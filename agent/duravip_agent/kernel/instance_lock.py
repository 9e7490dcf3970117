"""One agent for each network namespace: a lock that ends with its process.

An abstract Unix socket is seen in exactly one network namespace, whatever the file systems of the
containers there, and is gone with its process. But any process there may bind the name, however
unprivileged. So the owner of the socket is looked up (unix(7), sock_diag(7)): a socket of another
user than ours is no agent's, and the next name is taken.
"""

import errno
import logging
import os
import socket
from typing import Final

from duravip_agent.codec.sock_diag import owner_in, unix_request
from duravip_agent.kernel.netlink_socket import SOCK_DIAG, NetlinkSocket
from duravip_runtime.settings import SettingsError

log = logging.getLogger(__name__)

NAMES: Final = tuple(f"duravip-agent{number or ''}" for number in range(8))
"""In the order in which they are tried."""

_TIMEOUT_S: Final = 2.0


_HELD: Final = "another duravip-agent runs in this network namespace"


def lock(names: tuple[str, ...] = NAMES) -> socket.socket:
    """Take the lock, and hold it for as long as the socket lives; raises SettingsError."""
    held = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _refuse_second_agent(names, but=_bind(held, names))
    except BaseException:
        held.close()
        raise
    return held


def _bind(held: socket.socket, names: tuple[str, ...]) -> str:
    """Bind the first name that no agent, nor any stranger, has; gives the name."""
    for name in names:
        try:
            held.bind(f"\0{name}")
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            users = owners().get(name, set())
            if not users or _is_ours(users):
                raise SettingsError(_HELD) from error
            log.warning("the socket @%s is held by uid %s, which is no agent", name, min(users))
        else:
            return name
    log.warning("strangers hold all sockets that tell of a second agent: none is looked for")
    return ""


def _refuse_second_agent(names: tuple[str, ...], but: str) -> None:
    """Raise SettingsError when an agent has another name: it began while strangers held some."""
    others = owners()
    if any(_is_ours(others.get(name, set())) for name in names if name != but):
        raise SettingsError(_HELD)


def _is_ours(users: set[int]) -> bool:
    """Whether a socket of these users may be an agent's."""
    return bool(users & {0, os.geteuid()})


def owners() -> dict[str, set[int]]:
    """The users of each abstract socket of this network namespace; empty when it is not told."""
    users: dict[str, set[int]] = {}
    try:
        with NetlinkSocket(SOCK_DIAG, timeout=_TIMEOUT_S) as kernel:
            for name, user in filter(None, map(owner_in, kernel.stream(unix_request))):
                users.setdefault(name, set()).add(user)
    except OSError as error:
        log.warning("cannot look up who holds a socket: %s", error.strerror)
        return {}
    return users
