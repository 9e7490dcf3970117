"""Postfix' policy protocol, over a real socket."""

import contextlib
import os
import socket
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from duravip_mail.policy import MAX_LINES, PolicyServer

REQUEST = b"request=smtpd_access_policy\nsender=a@x.example\nserver_address=10.1.1.1\n\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    def decide(request: Mapping[str, str], chance: float) -> str:
        assert 0 <= chance < 1
        return f"PREPEND for {request['sender']} at {request['server_address']}"

    made = tmp_path / "policy"
    made.write_text("left by an earlier run")
    PolicyServer(made, os.getuid(), decide).start()
    return made


def connected(path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(10)
    client.connect(str(path))
    return client


def test_requests_are_answered_one_after_the_other_over_one_connection(path: Path) -> None:
    with connected(path) as client:
        for _ in range(2):
            client.sendall(REQUEST)
            answer = client.recv(1000)
            assert answer == b"action=PREPEND for a@x.example at 10.1.1.1\n\n"


def test_the_socket_is_its_user_s_alone(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("nonsense", [b"a=b\n" * (MAX_LINES + 1), b"x" * 100_000])
def test_nonsense_ends_its_own_connection_only(path: Path, nonsense: bytes) -> None:
    with connected(path) as client:
        client.sendall(nonsense)
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""
    with connected(path) as client:
        client.sendall(REQUEST)
        assert client.recv(1000).startswith(b"action=PREPEND")


def test_a_socket_that_cannot_be_had_is_said(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        PolicyServer(tmp_path / "none/policy", os.getuid(), lambda *_: "").start()
