"""A slow API server is taken for no dead one: requests wait for it, and Leases last longer."""

import ssl
import subprocess
import time
from pathlib import Path
from socket import create_server
from threading import Thread

import pytest
from kubernetes.client import ApiClient, Configuration, VersionApi
from urllib3.exceptions import InsecureRequestWarning

from duravip_operator.leadership import lease_rule as rule
from duravip_operator.leadership.lease_rule import LEASE_DURATION_S, RETRY_PERIOD_S
from duravip_runtime.kube import RequestTimeout, request
from unit.operator.test_elector import World


def test_a_server_that_is_well_is_given_the_shortest_time() -> None:
    patience = RequestTimeout(1.0, 10.0)
    for _ in range(9):
        patience.answered(0.02)
    assert patience.timeout == 1.0


def test_a_slow_one_is_given_three_times_what_it_takes_and_not_for_ever() -> None:
    patience = RequestTimeout(1.0, 10.0)
    patience.answered(0.9)
    assert patience.timeout == pytest.approx(2.7)
    for _ in range(50):
        patience.answered(0.02)
    assert patience.timeout == 1.0


def test_whoever_was_waited_for_in_vain_is_given_twice_the_time_up_to_the_longest() -> None:
    patience, waited = RequestTimeout(1.0, 10.0), []
    for _ in range(6):
        waited.append(patience.timeout)
        patience.unanswered(patience.timeout)
    assert waited == [1, 2, 4, 8, 10, 10]


def test_a_connection_that_is_refused_at_once_asks_for_no_patience() -> None:
    patience = RequestTimeout(1.0, 10.0)
    patience.unanswered(0.001)
    assert patience.timeout == 1.0


@pytest.mark.parametrize("takes", [0.6, 1.0, 3.0])
def test_where_every_request_takes_long_the_leader_stays_the_leader(takes: float) -> None:
    world = World()
    (one, connection), (two, other) = world.candidate("one"), world.candidate("two")
    connection.takes = takes
    for _ in range(5):
        one.round(0)
    assert one.epoch is not None
    epoch = one.epoch
    for _ in range(50):
        until, started = one.leads_until, world.now
        one.round(0)
        assert world.now < until  # it led until the answer came
        world.now = max(world.now, started + RETRY_PERIOD_S)
        other.takes = 0.0
        two.round(0)
        assert two.epoch is None
    assert one.epoch == epoch


def test_a_server_that_is_well_has_leases_that_last_two_seconds() -> None:
    assert [rule.lease_duration(took) for took in (0.0, 0.05, 0.24)] == [LEASE_DURATION_S] * 3
    assert rule.lease_duration(1.0) == 7.0
    assert rule.lease_duration(60.0) == rule.MAX_LEASE_DURATION_S


def test_a_connection_that_took_long_leaves_all_the_time_for_the_answer(tmp_path: Path) -> None:
    argv = ["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt"]
    argv += ["ec_paramgen_curve:P-256", "-subj", "/CN=slow", "-keyout", "key", "-out", "crt"]
    subprocess.run(argv, cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "crt", tmp_path / "key")
    with create_server(("127.0.0.1", 0)) as listening:

        def answer_slowly() -> None:
            plain, _ = listening.accept()
            time.sleep(0.6 * shortest)
            with context.wrap_socket(plain, server_side=True) as connection:
                connection.recv(4096)
                time.sleep(0.6 * shortest)
                connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"major": 1}')

        shortest = 1.5
        server = Thread(target=answer_slowly)
        server.start()
        configuration = Configuration(host=f"https://127.0.0.1:{listening.getsockname()[1]}")
        configuration.verify_ssl = False
        configuration.retries = False
        with ApiClient(configuration) as client, pytest.warns(InsecureRequestWarning):
            asked = request(
                VersionApi(client).get_code, timeout=RequestTimeout(shortest, 10 * shortest)
            )
        server.join()
    assert asked == {"major": 1}
