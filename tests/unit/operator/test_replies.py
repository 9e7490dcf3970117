"""Answers leave from the address that was asked, on loopback, where there are many."""

import socket

import pytest

from duravip_operator.pulse.client import bind_socket
from duravip_operator.pulse.replies import receive, send


@pytest.mark.parametrize(
    ("listen", "family", "asked"),
    [
        ("0.0.0.0:0", socket.AF_INET, "127.0.0.5"),
        ("127.0.0.1:0", socket.AF_INET, "127.0.0.1"),
        ("[::]:0", socket.AF_INET6, "::1"),
        ("[::]:0", socket.AF_INET, "127.0.0.5"),
    ],
)
def test_whoever_is_connected_to_one_of_our_addresses_gets_the_answer(
    listen: str, family: socket.AddressFamily, asked: str
) -> None:
    with bind_socket(listen) as udp, socket.socket(family, socket.SOCK_DGRAM) as agent:
        udp.settimeout(5)
        agent.settimeout(5)
        agent.connect((asked, udp.getsockname()[1]))
        agent.send(b"beat")
        data, route = receive(udp)
        assert data == b"beat"
        send(udp, b"answer", route)
        assert agent.recv(100) == b"answer"
