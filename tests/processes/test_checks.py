"""The process that makes checks: against servers of every sort, killed, stopped, left alone."""

import os
import signal
import socket
import ssl
import struct
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

import pytest

from duravip_agent.checks import client
from duravip_agent.checks.client import Checks
from duravip_agent.core.checks import Probe
from duravip_agent.metrics import Metrics

HOST = "127.0.0.1"
PATIENCE = 15.0
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """Says something to whoever connects, in a thread for each."""

    def __init__(self, answer: Callable[[socket.socket], None]) -> None:
        self._answer = answer
        self._sock = socket.create_server((HOST, 0), backlog=256)
        self.port: int = self._sock.getsockname()[1]
        self.connections = 0
        Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._sock.accept()
                self.connections += 1
                Thread(target=self._speak, args=(sock,), daemon=True).start()

    def _speak(self, sock: socket.socket) -> None:
        with suppress(OSError), sock:
            self._answer(sock)

    def close(self) -> None:
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()


def says(answer: bytes) -> Callable[[socket.socket], None]:
    def speak(sock: socket.socket) -> None:
        sock.recv(4096)
        sock.sendall(answer)

    return speak


def is_silent(sock: socket.socket) -> None:
    sock.recv(4096)
    time.sleep(60)


def never_ends(sock: socket.socket) -> None:
    sock.recv(4096)
    sock.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        sock.sendall(b"X-More: yes\r\n" * 1000)


def has_no_end_of_status(sock: socket.socket) -> None:
    while True:
        sock.sendall(b"HTTP/1.1 200 " + b"O" * 1000)


def http(port: int, name: str = "") -> Probe:
    line = f"http/{port}{name}"
    return Probe(line, HOST, "http", port, 0.2, 0.4, fall=2, rise=2, statuses=((200, 399),))


def tcp(port: int) -> Probe:
    return http(port)._replace(line=f"tcp/{port}", scheme="tcp")


def eventually(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def servers() -> Iterator[Callable[..., Server]]:
    made: list[Server] = []

    def make(answer: Callable[[socket.socket], None]) -> Server:
        made.append(Server(answer))
        return made[-1]

    yield make
    for server in made:
        server.close()


class Watched:
    """The agent's end."""

    def __init__(self) -> None:
        self.metrics, self.changed = Metrics("1"), Event()
        self.checks = Checks(self.metrics)
        self.checks.start(self.changed.set)

    def count(self, result: str) -> float:
        value = self.metrics.registry.get_sample_value(
            "duravip_agent_checks_total", {"result": result}
        )
        return value or 0.0

    def passes(self, *probes: Probe) -> None:
        wanted = {probe.line for probe in probes}
        eventually(lambda: self.checks.passing == wanted)


@pytest.fixture
def watched() -> Iterator[Watched]:
    made = Watched()
    yield made
    made.checks.replace(())
    eventually(lambda: made.checks.process_id is None)


def test_a_server_that_answers_passes_and_is_not_cut_short(
    watched: Watched, servers: Callable[..., Server]
) -> None:
    refused = Event()

    def answer(sock: socket.socket) -> None:
        sock.recv(4096)
        sock.sendall(b"HTTP/1.1 204 No Content\r\n")
        time.sleep(0.05)
        try:
            sock.sendall(b"X: y\r\n\r\n")
        except OSError:
            refused.set()

    good = http(servers(answer).port)
    also_good = tcp(servers(says(OK)).port)
    watched.checks.replace((good, also_good))
    watched.passes(good, also_good)
    assert watched.changed.is_set()
    assert not refused.is_set()
    assert watched.count("passed") >= 4


def test_a_probe_counts_once_though_the_connection_is_reset_after_the_status(
    watched: Watched, servers: Callable[..., Server]
) -> None:
    def answer(sock: socket.socket) -> None:
        sock.recv(4096)
        sock.sendall(b"HTTP/1.1 200 OK\r\n")
        time.sleep(0.05)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    rude = http(servers(answer).port)
    watched.checks.replace((rude,))
    watched.passes(rude)
    eventually(lambda: watched.count("passed") >= 5)
    assert watched.count("invalid") == 0


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (says(b"HTTP/1.1 500 No\r\n\r\n"), "status"),
        (says(b"SSH-2.0-OpenSSH_9.2\r\n"), "invalid"),
        (says(b""), "invalid"),
        (is_silent, "timeout"),
        (has_no_end_of_status, "invalid"),
    ],
    ids=["500", "other-protocol", "closes", "silent", "endless-status"],
)
def test_a_server_that_does_not_work_fails(
    watched: Watched,
    servers: Callable[..., Server],
    answer: Callable[[socket.socket], None],
    result: str,
) -> None:
    good, bad = http(servers(says(OK)).port), http(servers(answer).port)
    watched.checks.replace((good, bad))
    watched.passes(good)
    eventually(lambda: watched.count(result) >= 3)
    assert watched.checks.passing == {good.line}


def test_a_port_that_nobody_listens_on_is_refused(watched: Watched) -> None:
    with socket.create_server((HOST, 0)) as sock:
        port = sock.getsockname()[1]
    watched.checks.replace((tcp(port),))
    eventually(lambda: watched.count("refused") >= 3)
    assert not watched.checks.passing


def test_redirects_are_not_followed_and_long_answers_cost_nothing(
    watched: Watched, servers: Callable[..., Server]
) -> None:
    other = servers(says(OK))
    moved = b"HTTP/1.1 302 Found\r\nLocation: http://%s:%d/\r\n\r\n" % (HOST.encode(), other.port)
    long = b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n" + bytes(10_000_000)
    probes = [http(servers(answer).port) for answer in (says(moved), says(long), never_ends)]
    strict = probes[0]._replace(line="strict", statuses=((200, 299),))
    watched.checks.replace((*probes, strict))
    watched.passes(*probes)
    assert other.connections == 0
    eventually(lambda: watched.count("status") >= 2)


def test_https_is_not_verified(
    watched: Watched, servers: Callable[..., Server], tmp_path: Path
) -> None:
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-subj", "/CN=other", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def answer(sock: socket.socket) -> None:
        with context.wrap_socket(sock, server_side=True) as secure:
            says(OK)(secure)

    good = http(servers(answer).port)._replace(scheme="https", host="www.example.org")
    plain = http(servers(says(OK)).port)._replace(scheme="https")
    watched.checks.replace((good, plain))
    watched.passes(good)


def test_a_server_that_is_stopped_fails_in_time_and_passes_again(watched: Watched) -> None:
    script = """
        import http.server, sys
        server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
        print(server.server_port, flush=True)
        server.serve_forever()
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd="/",
    ) as server:  # fmt: skip
        try:
            assert server.stdout
            probe = http(int(server.stdout.readline()))
            watched.checks.replace((probe,))
            watched.passes(probe)
            server.send_signal(signal.SIGSTOP)
            watched.passes()
            server.send_signal(signal.SIGCONT)
            watched.passes(probe)
        finally:
            server.kill()


def test_a_check_that_is_no_longer_wanted_does_not_pass(
    watched: Watched, servers: Callable[..., Server]
) -> None:
    one, other = http(servers(says(OK)).port), http(servers(says(OK)).port)
    watched.checks.replace((one,))
    watched.passes(one)
    watched.checks.replace((one, other))
    watched.passes(one, other)
    watched.checks.replace((other,))
    watched.passes(other)
    watched.checks.replace((other._replace(target="127.0.0.2"),))
    watched.passes()
    watched.checks.replace(())
    eventually(lambda: watched.checks.process_id is None)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_process_that_is_killed_or_hangs_is_replaced_and_nothing_else_changes(
    watched: Watched,
    servers: Callable[..., Server],
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
) -> None:
    monkeypatch.setattr(client, "HUNG_AFTER_S", 1.5)
    server = servers(says(OK))
    probe = http(server.port)
    watched.checks.replace((probe,))
    watched.passes(probe)
    first = watched.checks.process_id
    assert first
    watched.changed.clear()
    os.kill(first, number)
    eventually(lambda: watched.checks.process_id not in {first, None})
    before = server.connections
    eventually(lambda: server.connections > before)
    assert not Path(f"/proc/{first}").exists()
    assert not watched.changed.is_set(), "what passed goes on passing"
    server.close()
    watched.passes()


def test_what_passed_is_forgotten_where_no_process_can_be_had(
    watched: Watched, servers: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = http(servers(says(OK)).port)
    watched.checks.replace((probe,))
    watched.passes(probe)
    monkeypatch.setattr(client, "COMMAND", ("/bin/false",))
    monkeypatch.setattr(client, "STALE_AFTER_S", 1.5)
    assert watched.checks.process_id
    os.kill(watched.checks.process_id, signal.SIGKILL)
    time.sleep(0.5)
    assert watched.checks.passing
    watched.passes()


def test_the_process_ends_with_an_agent_that_is_killed(servers: Callable[..., Server]) -> None:
    probe = http(servers(says(OK)).port)
    script = f"""
        import time
        from duravip_agent.checks.client import Checks
        from duravip_agent.core.checks import Probe
        from duravip_agent.metrics import Metrics
        checks = Checks(Metrics("1"))
        checks.start(lambda: print(checks.process_id, flush=True))
        checks.replace(({tuple(probe)!r} and Probe(*{tuple(probe)!r}),))
        time.sleep(60)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True
    ) as agent:
        try:
            assert agent.stdout
            child = int(agent.stdout.readline())
            os.kill(child, signal.SIGSTOP)  # even one that cannot notice anything
        finally:
            agent.kill()
    eventually(lambda: not _lives(child))


def _lives(process: int) -> bool:
    with suppress(OSError):
        return " Z " not in Path(f"/proc/{process}/stat").read_text()
    return False


def test_the_process_has_no_privileges(watched: Watched, servers: Callable[..., Server]) -> None:
    probe = http(servers(says(OK)).port)
    watched.checks.replace((probe,))
    watched.passes(probe)
    status = Path(f"/proc/{watched.checks.process_id}/status").read_text().splitlines()
    fields = dict(line.split(":\t", 1) for line in status if ":\t" in line)
    assert int(fields["CapEff"], 16) == int(fields["CapPrm"], 16) == 0
    assert fields["NoNewPrivs"] == "1"
    assert fields["Uid"].split()[0] == "65534"


def test_what_64_checks_a_second_cost_is_printed(
    watched: Watched, servers: Callable[..., Server]
) -> None:
    server = servers(says(OK))
    probes = tuple(http(server.port, f"/{n}")._replace(interval=1.0) for n in range(64))
    watched.checks.replace(probes)
    watched.passes(*probes)
    process, ticks = watched.checks.process_id, os.sysconf("SC_CLK_TCK")

    def used() -> float:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / ticks

    before, begun = used(), time.monotonic()
    time.sleep(5)
    seconds = time.monotonic() - begun
    memory = Path(f"/proc/{process}/status").read_text().partition("VmRSS:")[2].split("kB")[0]
    print(f"64 checks: {(used() - before) / seconds:.2%} of a core, {int(memory) / 1024:.0f} MiB")
    assert watched.checks.passing == {probe.line for probe in probes}
