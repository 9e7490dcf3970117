"""Where programs of one node speak with each other: a Unix socket, or a port of loopback.

The file of a Unix socket outlives a program that was killed. Whoever listens there next replaces
it, unless it still answers: then another program has the place, and keeps it. The file appears
under its name with its rights, by a link that never replaces anything.
"""

import contextlib
import errno
import grp
import os
import socket
import stat
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final, NamedTuple

from pydantic import AfterValidator

from duravip_runtime.settings import Endpoint, parse_endpoint

SCHEME: Final = "unix:"
SOCKET_MODE: Final = 0o660
BACKLOG: Final = 64
MAX_PATH_BYTES: Final = 90
"""The kernel takes 107; while it is made the file has a longer name."""
CONNECT_TIMEOUT_S: Final = 1.0
_FORM = "must be unix:/PATH, or HOST:PORT with a loopback address, such as 127.0.0.1:9480"


class UnixEndpoint(NamedTuple):
    """The file of a Unix socket."""

    path: Path

    def __str__(self) -> str:
        return f"{SCHEME}{self.path}"


LocalEndpoint = UnixEndpoint | Endpoint


def parse_local_endpoint(text: str) -> LocalEndpoint:
    """Read unix:/PATH, /PATH or HOST:PORT; raises ValueError with what is wrong about it.

    Names are refused: what one stands for may change, and lead out of the machine.
    """
    path = text.removeprefix(SCHEME)
    if path.startswith("/"):
        if len(os.fsencode(path)) > MAX_PATH_BYTES or "\0" in path:
            raise ValueError(f"must be a path of at most {MAX_PATH_BYTES} bytes")
        return UnixEndpoint(Path(path))
    if path != text:
        raise ValueError(_FORM)
    endpoint = parse_endpoint(text)
    if not endpoint.is_numeric or not ip_address(endpoint.host).is_loopback:
        raise ValueError(_FORM)
    return endpoint


def _canonical(text: str) -> str:
    return str(parse_local_endpoint(text))


LocalAddress = Annotated[str, AfterValidator(_canonical)]
"""A setting: what to connect to, in its canonical form."""
LocalListen = Annotated[str, AfterValidator(lambda text: text and _canonical(text))]
"""A setting: where to listen, in its canonical form; empty: nowhere."""


def _group_id(group: str) -> int:
    if group.isascii() and group.isdigit():
        return int(group)
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError as error:
        raise ValueError("must be a group of this machine, or its number") from error


def _known_group(group: str) -> str:
    if group:
        _group_id(group)
    return group


LocalGroup = Annotated[str, AfterValidator(_known_group)]
"""A setting: a group by its name or number; empty: none."""


@dataclass(frozen=True)
class ListeningSocket:
    """A socket that listens and does not block, and the file that it made."""

    socket: socket.socket
    path: Path | None = None
    identity: tuple[int, ...] = ()

    def remove_file(self) -> None:
        """Remove the file, unless it is another program's by now."""
        with contextlib.suppress(OSError):
            if self.path and _identity(self.path) == self.identity:
                self.path.unlink()


def listen(where: LocalEndpoint, group: str = "") -> ListeningSocket:
    """Listen there; raises OSError when that cannot be had.

    `group` is the name or number of the group whose members may connect to a Unix socket, beside
    the user that the program runs as.
    """
    if isinstance(where, Endpoint):
        family = socket.AF_INET6 if ":" in where.host else socket.AF_INET
        made = socket.create_server((where.host, where.port), family=family, backlog=BACKLOG)
        made.setblocking(False)  # noqa: FBT003 - it takes no name
        return ListeningSocket(made)
    where.path.parent.mkdir(mode=0o755, exist_ok=True)
    _remove_stale(where.path)
    made = socket.socket(socket.AF_UNIX)
    try:
        _bind(made, where.path, _group_id(group) if group else -1)
    except BaseException:
        made.close()
        raise
    made.setblocking(False)  # noqa: FBT003
    return ListeningSocket(made, where.path, _identity(where.path))


def connect(where: LocalEndpoint, timeout: float = CONNECT_TIMEOUT_S) -> socket.socket:
    """A connection to it; raises OSError. `timeout` is in seconds, and stays the socket's."""
    if isinstance(where, Endpoint):
        return socket.create_connection((where.host, where.port), timeout)
    made = socket.socket(socket.AF_UNIX)
    try:
        made.settimeout(timeout)
        made.connect(str(where.path))
    except BaseException:
        made.close()
        raise
    return made


def _bind(made: socket.socket, path: Path, group: int) -> None:
    """Listen under another name first: nobody sees the file without its rights."""
    early = path.with_name(f"{path.name}.{os.getpid()}")
    early.unlink(missing_ok=True)
    made.bind(str(early))
    try:
        os.chown(early, -1, group)
        early.chmod(SOCKET_MODE)
        made.listen(BACKLOG)
        os.link(early, path)
    finally:
        early.unlink()


def _remove_stale(path: Path) -> None:
    """Remove what a killed program has left; raises OSError if something else is there."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise OSError(errno.EEXIST, "there is a file that is no socket")
        connect(UnixEndpoint(path)).close()
    except FileNotFoundError:
        return
    except ConnectionRefusedError:
        path.unlink(missing_ok=True)
        return
    except (TimeoutError, BlockingIOError):  # somebody listens, and is busy
        pass
    raise OSError(errno.EADDRINUSE, "another program listens there")


def _identity(path: Path) -> tuple[int, ...]:
    """Of a file; the number of one that is gone may be another's next."""
    status = path.lstat()
    return status.st_dev, status.st_ino, status.st_ctime_ns
