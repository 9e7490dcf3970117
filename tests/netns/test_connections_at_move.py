"""What programs see of their connections when an address moves, in and out, on a real kernel."""

import errno
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Thread

import pytest

from netns.fenced_asking import PORT, family_of
from netns.former_owner import CLIENTS, VIPS, FormerOwner, former_owner

LOST = PORT + 1
"""A port of the client that says nothing at all."""

PATIENCE = 5.0


@pytest.fixture
def node() -> Iterator[FormerOwner]:
    with former_owner() as made:
        made.world.client.run(
            "nft",
            "add table inet lost; add chain inet lost c { type filter hook input priority 0; }; "
            f"add rule inet lost c tcp dport {LOST} drop",
        )
        yield made


def delivery(node: FormerOwner, version: int, port: int) -> socket.socket:
    """A connection from the address to the client, as a mail server begins one."""
    sock = node.kept(node.world.node, lambda: socket.socket(family_of(VIPS[version])))
    sock.bind((VIPS[version], 0))
    sock.settimeout(0)
    with suppress(BlockingIOError):
        sock.connect((CLIENTS[version], port))
    sock.settimeout(PATIENCE)
    return sock


def waits_for_an_answer(sock: socket.socket) -> None:
    sock.recv(9)


def waits_for_room(sock: socket.socket) -> None:
    while True:
        sock.sendall(bytes(1 << 20))


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    ("port", "wait"),
    [(PORT, waits_for_an_answer), (PORT, waits_for_room), (LOST, waits_for_an_answer)],
    ids=["answer", "room", "connection"],
)
def test_a_delivery_from_the_address_fails_over_at_once(
    node: FormerOwner, version: int, port: int, wait: Callable[[socket.socket], None]
) -> None:
    node.kept(
        node.world.client,
        lambda: socket.create_server((CLIENTS[version], PORT), family=family_of(VIPS[version])),
    )
    sock, failed = delivery(node, version, port), []

    def deliver() -> None:
        try:
            wait(sock)
        except OSError as error:
            failed.append(error.errno)

    thread = Thread(target=deliver)
    thread.start()
    time.sleep(0.1)
    assert thread.is_alive(), "it would wait for minutes"
    node.release()
    thread.join(PATIENCE / 2)
    assert failed == [errno.ECONNABORTED]
    with pytest.raises(OSError, match="Cannot assign requested address"):
        delivery(node, version, PORT)


@pytest.mark.parametrize("version", [4, 6])
def test_a_client_is_reset_by_the_next_owner_once_it_sends(
    node: FormerOwner, version: int
) -> None:
    server = node.kept(
        node.world.node,
        lambda: socket.create_server((VIPS[version], PORT), family=family_of(VIPS[version])),
    )
    client = node.kept(
        node.world.client, lambda: socket.create_connection((VIPS[version], PORT), timeout=1)
    )
    accepted = node.kept(node.world.node, lambda: server.accept()[0])
    node.release()
    assert node.connections.wait(PATIENCE)
    with pytest.raises(ConnectionAbortedError):
        accepted.recv(9)
    node.heard()
    client.send(b"nobody hears this")
    assert node.sent() == 0, "no reset by the former owner"
    node.take()  # as another node that knows nothing of the connection
    node.dead_man.feed()
    client.send(b"is repeated by the kernel")
    client.settimeout(PATIENCE)
    with pytest.raises(ConnectionResetError):
        client.recv(9)
    with node.world.client.entered():
        socket.create_connection((VIPS[version], PORT), timeout=1).close()
