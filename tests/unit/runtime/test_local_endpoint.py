"""Sockets for programs of one node: who gets the place, and who may come in."""

import os
import socket
import stat
from pathlib import Path

import pytest

from duravip_runtime.local_endpoint import (
    MAX_PATH_BYTES,
    UnixEndpoint,
    connect,
    listen,
    parse_local_endpoint,
)


@pytest.mark.parametrize(
    ("text", "as_here"),
    [
        ("unix:/run/a.sock", "unix:/run/a.sock"),
        ("/run/a.sock", "unix:/run/a.sock"),
        ("127.0.0.1:9480", "127.0.0.1:9480"),
        ("127.9.9.9:0", "127.9.9.9:0"),
        ("[0::1]:9480", "[::1]:9480"),
    ],
)
def test_a_socket_or_a_port_of_loopback(text: str, as_here: str) -> None:
    assert str(parse_local_endpoint(text)) == as_here


@pytest.mark.parametrize(
    "text",
    [
        "",
        "unix:",
        "unix:run/a.sock",
        "localhost:9480",
        "0.0.0.0:9480",
        "[::]:9480",
        "10.1.1.1:9480",
        "127.0.0.1",
        "[::ffff:10.1.1.1]:1",
    ],
)
def test_nothing_that_others_could_reach(text: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        parse_local_endpoint(text)


def test_a_path_that_the_kernel_cannot_take_is_refused() -> None:
    fits = "/" + "a" * (MAX_PATH_BYTES - 1)
    assert str(parse_local_endpoint(fits)) == f"unix:{fits}"
    with pytest.raises(ValueError, match="at most 90 bytes"):
        parse_local_endpoint(fits + "a")


def speaks(where: UnixEndpoint) -> bool:
    try:
        connect(where).close()
    except OSError:
        return False
    return True


def test_its_file_has_its_rights_and_goes_with_it(tmp_path: Path) -> None:
    where = UnixEndpoint(tmp_path / "run" / "agent.sock")
    group = os.getgroups()[0] if os.getgroups() else os.getgid()
    listening = listen(where, str(group))
    status = where.path.stat()
    assert stat.S_IMODE(status.st_mode) == 0o660
    assert status.st_gid == group
    assert list(where.path.parent.iterdir()) == [where.path]
    assert speaks(where)
    listening.socket.close()
    listening.remove_file()
    assert not where.path.exists()


def test_what_a_killed_program_left_is_replaced(tmp_path: Path) -> None:
    where = UnixEndpoint(tmp_path / "agent.sock")
    listen(where).socket.close()
    assert where.path.exists()
    assert not speaks(where)
    listening = listen(where)
    assert speaks(where)
    listening.socket.close()


@pytest.mark.parametrize("backlog", [1, 0])
def test_a_place_that_is_taken_is_not_stolen(tmp_path: Path, backlog: int) -> None:
    where = UnixEndpoint(tmp_path / "agent.sock")
    first = listen(where)
    first.socket.listen(backlog)
    waiting = [socket.socket(socket.AF_UNIX) for _ in range(4)]
    for one in waiting:  # as many as it takes until there is no room to wait in
        one.setblocking(False)  # noqa: FBT003
        one.connect_ex(str(where.path))
    with pytest.raises(OSError, match="another program listens there"):
        listen(where)
    for one in waiting:
        one.close()
    first.socket.close()


def test_a_file_that_is_no_socket_stays(tmp_path: Path) -> None:
    where = UnixEndpoint(tmp_path / "agent.sock")
    where.path.write_text("precious")
    with pytest.raises(OSError, match="no socket"):
        listen(where)
    assert where.path.read_text() == "precious"


def test_the_file_of_a_successor_stays(tmp_path: Path) -> None:
    where = UnixEndpoint(tmp_path / "agent.sock")
    first = listen(where)
    first.socket.close()
    second = listen(where)
    first.remove_file()
    assert speaks(where)
    second.socket.close()
