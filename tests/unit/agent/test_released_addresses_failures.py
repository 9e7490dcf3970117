"""A kernel that cannot end connections says so once, and nothing else waits for it."""

import errno
import logging
from collections.abc import Iterator
from typing import Any, Self

import pytest

from duravip_agent.kernel import released_addresses
from duravip_agent.kernel.released_addresses import ConnectionEnder
from duravip_agent.metrics import Metrics


class Kernel:
    """One without INET_DIAG_DESTROY, and with no connection tracking at all."""

    def __init__(self, protocol: int, timeout: float) -> None:
        del timeout
        self._has_diag = protocol == released_addresses.SOCK_DIAG

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def stream(self, question: object) -> Iterator[bytes]:
        del question
        if not self._has_diag:
            raise OSError(errno.ENOENT, "No such file or directory")
        # An IPv4 TCP socket of 10.1.1.1.
        yield bytes(4) + bytes(4) + bytes((10, 1, 1, 1)) + bytes(60)

    def change(self, bodies: list[bytes], *_: Any) -> dict[int, int]:
        return dict.fromkeys(range(len(bodies)), errno.EOPNOTSUPP)


def test_what_the_kernel_lacks_is_said_once_and_counted_each_time(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(released_addresses, "NetlinkSocket", Kernel)
    monkeypatch.setattr("duravip_agent.codec.sock_diag.has_source", lambda *_: True)
    metrics = Metrics("1")
    ender = ConnectionEnder(metrics, frozenset)
    ender.start()
    with caplog.at_level(logging.WARNING):
        for address in ("10.1.1.1", "10.1.1.2", "10.1.1.3"):
            ender.end({address})
            assert ender.wait(5)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert "(sockets): Operation not supported" in said[0]
    assert "(conntrack): No such file or directory" in said[1]
    failures = "duravip_agent_ended_connections_failures_total"
    for kind in ("sockets", "conntrack"):
        assert metrics.registry.get_sample_value(failures, {"kind": kind}) == 3
