"""Who greets as a mail server: asked over real sockets."""

import asyncio
import socket
from collections.abc import Iterator
from threading import Thread

import pytest

from duravip_mail.reach import answering

OWN = ("127.0.0.1",)


@pytest.fixture
def port() -> Iterator[int]:
    """127.0.0.2 greets, 127.0.0.3 says something else, 127.0.0.4 nothing."""
    servers: list[socket.socket] = []
    port = 0
    for host, said in (("127.0.0.2", b"220 hello\r\n"), ("127.0.0.3", b"SSH-2.0\r\n")):
        server = socket.create_server((host, port))
        port = server.getsockname()[1]
        servers.append(server)
        Thread(target=serve, args=(server, said), daemon=True).start()
    servers.append(socket.create_server(("127.0.0.4", port)))
    yield port
    for server in servers:
        server.shutdown(socket.SHUT_RDWR)
        server.close()


def serve(server: socket.socket, said: bytes) -> None:
    while True:
        try:
            client, _ = server.accept()
        except OSError:
            return
        with client:
            client.sendall(said)


def test_only_a_mail_server_s_greeting_counts(port: int) -> None:
    asked = [f"127.0.0.{last}" for last in range(2, 6)]
    assert asyncio.run(answering(asked, OWN, port)) == {"127.0.0.2"}


def test_nobody_is_asked_by_a_family_without_an_own_address(port: int) -> None:
    assert asyncio.run(answering(["::1"], OWN, port)) == frozenset()
