"""Who listens, as the kernel of this machine says it: on loopback's neighbours, no privilege."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from threading import Event

import pytest

from duravip_agent.codec import sock_diag
from duravip_agent.codec.sock_diag import SocketQuery
from duravip_agent.core.node_status import ConditionState, StatusReport, build_status
from duravip_agent.kernel import listening_ports
from duravip_agent.kernel.listening_ports import ListeningPorts
from duravip_api.listeners import WILDCARD, Listener, Port, format_listeners, parse_listeners
from duravip_api.reasons import Reason

TCP4, UDP6 = SocketQuery("TCP", socket.AF_INET), SocketQuery("UDP", socket.AF_INET6)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def bound(stack: ExitStack, kind: socket.SocketKind, host: str, *, only: bool = False) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = stack.enter_context(socket.socket(family, kind))
    if family is socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
    sock.bind((host, 0))
    if kind is socket.SOCK_STREAM:
        sock.listen()
    return int(sock.getsockname()[1])


def answer(family: int, address: bytes, port: int, attributes: bytes = b"") -> bytes:
    body = struct.pack("=BBxx", family, 10) + port.to_bytes(2, "big") + bytes(2)
    return body + address.ljust(16, b"\0") + bytes(16 + 4 + 8 + 20) + attributes


def test_tcp_and_udp_sockets_are_seen_and_those_of_other_ports_are_not(stack: ExitStack) -> None:
    tcp = bound(stack, socket.SOCK_STREAM, WILDCARD[4])
    udp = bound(stack, socket.SOCK_DGRAM, WILDCARD[4])
    bound(stack, socket.SOCK_STREAM, WILDCARD[4])
    ports = (f"TCP/{tcp}", f"UDP/{udp}", "TCP/1")
    assert ListeningPorts().on(ports) == [
        "TCP/1",
        f"TCP/{tcp} 0.0.0.0",
        f"UDP/{udp} 0.0.0.0",
    ]


def test_a_socket_of_both_families_counts_for_both_unless_it_is_for_ipv6_only(
    stack: ExitStack,
) -> None:
    both = bound(stack, socket.SOCK_STREAM, "::")
    only = bound(stack, socket.SOCK_STREAM, "::", only=True)
    found = set(ListeningPorts().on((f"TCP/{both}", f"TCP/{only}")) or ())
    assert found == {f"TCP/{both} 0.0.0.0", f"TCP/{both} ::", f"TCP/{only} ::"}


def test_what_listens_on_loopback_serves_nobody_else(stack: ExitStack) -> None:
    port = bound(stack, socket.SOCK_STREAM, "127.0.0.1")
    assert ListeningPorts().on((f"TCP/{port}",)) == [f"TCP/{port}"]


def test_without_ports_nothing_is_asked_and_nobody_listens() -> None:
    assert sock_diag.queries(()) == []
    assert ListeningPorts().on(()) == []


def test_it_says_so_when_somebody_begins_to_listen_and_when_that_ends(stack: ExitStack) -> None:
    port = bound(stack, socket.SOCK_STREAM, WILDCARD[4])
    ports, told = (f"TCP/{port}",), Event()
    listeners = ListeningPorts()
    assert listeners.on(ports) == [f"TCP/{port} 0.0.0.0"]
    listeners.start(told.set)
    stack.pop_all().close()
    assert told.wait(30)
    assert listeners.on(ports) == [f"TCP/{port}"]


def test_where_addresses_move_by_it_a_closed_socket_is_told_at_once(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening_ports, "INTERVAL_S", 60.0)
    port, told = bound(stack, socket.SOCK_STREAM, WILDCARD[4]), Event()
    listeners, ports = ListeningPorts(), (f"TCP/{port}",)
    assert listeners.on(ports, is_urgent=True) == [f"TCP/{port} 0.0.0.0"]
    listeners.start(told.set)
    stack.pop_all().close()
    assert told.wait(30)
    assert listeners.on(ports, is_urgent=True) == [f"TCP/{port}"]


def test_an_answer_of_the_kernel_is_read() -> None:
    (found,) = sock_diag.listeners_in(TCP4, answer(2, bytes((10, 1, 1, 1)), 25))
    assert found == Listener("TCP/25", "10.1.1.1")
    mapped = bytes(10) + b"\xff\xff" + bytes((10, 1, 1, 2))
    assert [*sock_diag.listeners_in(UDP6, answer(10, mapped, 53))] == [
        Listener("UDP/53", "10.1.1.2")
    ]


def test_sockets_on_neighbouring_addresses_share_an_item_and_silent_ports_are_named() -> None:
    seen = [Listener("TCP/25", f"10.1.1.{n}") for n in (3, 1, 2)] + [Listener("TCP/25", "::")]
    ports = ("UDP/53", "TCP/25")
    assert format_listeners(ports, seen) == ["TCP/25 10.1.1.1-10.1.1.3", "TCP/25 ::", "UDP/53"]
    smtp, dns = parse_listeners(format_listeners(ports, seen))
    assert dns == Port("UDP/53")
    first = 0x0A010101
    assert [n - first for n in range(first - 1, first + 5) if smtp.takes(4, n)] == [0, 1, 2]
    assert smtp.takes(6, 0)
    assert not smtp.takes(6, 1)
    assert parse_listeners(["TCP/25 x", "UDP/53 10.1.1.1"]) == parse_listeners(["UDP/53 10.1.1.1"])


def test_a_failure_says_since_when() -> None:
    ready, time = (
        ConditionState(Reason.AGENT_READY, "2026-01-01T00:00:00Z"),
        "2026-01-01T00:00:05Z",
    )
    report = StatusReport(
        "1.0", "b", ready, failures={"10.1.1.1": "no"}, failing_since={"10.1.1.1": time}
    )
    assert build_status(report)["failures"] == [
        {"address": "10.1.1.1", "message": "no", "since": time}
    ]


def test_the_loop_never_waits_for_the_kernel(stack: ExitStack) -> None:
    """It feeds the dead-man; what it asks for is looked at by another thread."""
    port = bound(stack, socket.SOCK_STREAM, WILDCARD[4])
    told, may_answer = Event(), Event()

    class Slow(ListeningPorts):
        def _looked(self, ports: tuple[str, ...]) -> list[str]:
            assert threading.current_thread() is not threading.main_thread()
            may_answer.wait(5)
            return super()._looked(ports)

    listeners = Slow()
    listeners.start(told.set)
    assert listeners.on((f"TCP/{port}",)) == []
    may_answer.set()
    assert told.wait(5)
    assert listeners.on((f"TCP/{port}",)) == [f"TCP/{port} 0.0.0.0"]
    assert listeners.on((f"TCP/{port}", "TCP/1"))[:1] == [f"TCP/{port} 0.0.0.0"]
