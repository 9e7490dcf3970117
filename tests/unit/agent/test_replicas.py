"""How an agent speaks with the replicas of the operator, on loopback: to each with its own key."""

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from duravip_agent.control.heartbeat import HeartbeatContent, HeartbeatSender
from duravip_agent.control.replicas import REOPEN_AFTER_S, Replicas, Signing, SocketAddress
from duravip_agent.core.watchdog_rule import DEFAULTS
from duravip_agent.kernel.watchdog import Watchdog
from duravip_agent.metrics import Metrics
from duravip_agent.segment.probe_requests import ProbeRequests
from duravip_api.heartbeat import Ack, Heartbeat, ProbeRequest
from duravip_runtime.key_file import KeyFile
from duravip_runtime.secure_channel import OPERATOR, KeyPair, Party
from processes.pulse_agent import KEY, OldSigning

KEYS = KeyPair.generate()
BEAT = Heartbeat("n1", "b1", 1, 1, "d")


class Operator:
    """A replica that does what the test says."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.keys = KeyPair.generate()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.socket.settimeout(5)
        self.signing: Signing = self.keys.channel(OPERATOR, Party("n1", KEYS.public_key))
        self.sender: tuple[str, int] = ("", 0)

    @property
    def resolved(self) -> tuple[str, SocketAddress]:
        return self.target, (socket.AF_INET, self.socket.getsockname())

    @property
    def target(self) -> str:
        host, port = self.socket.getsockname()
        return f"{host}:{port}"

    def hear(self) -> Heartbeat:
        """The next beat that is signed as it shall be."""
        while True:
            data, self.sender = self.socket.recvfrom(2000)
            beat = self.signing.opened(data)
            if isinstance(beat, Heartbeat):
                return beat

    def say(self, datagram: Ack | ProbeRequest, signing: Signing | None = None) -> None:
        self.socket.sendto((signing or self.signing).sealed(datagram), self.sender)


@pytest.fixture
def operators() -> Iterator[list[Operator]]:
    found = [Operator(), Operator()]
    yield found
    for operator in found:
        operator.socket.close()


@pytest.fixture
def replicas(tmp_path: Path) -> Iterator[Replicas]:
    file = tmp_path / "key"
    file.write_text(KEY)
    replicas = Replicas("n1", KEYS, KeyFile(file))
    yield replicas
    replicas.update([], {}, 0.0)


def test_each_replica_is_spoken_to_with_its_own_key(
    operators: list[Operator], replicas: Replicas
) -> None:
    one, two = operators
    two.signing = OldSigning()  # of an older version
    replicas.update([one.resolved, two.resolved], {one.target: one.keys.public_key}, 0.0)
    assert [replica.send(BEAT) for replica in replicas.all()] == [True, True]
    assert one.hear() == two.hear() == BEAT


def test_a_replica_with_a_key_is_never_believed_by_the_old_one(
    operators: list[Operator], replicas: Replicas
) -> None:
    one = operators[0]
    replicas.update([one.resolved], {one.target: one.keys.public_key}, 0.0)
    [replica] = replicas.all()
    replica.send(BEAT)
    one.hear()
    ack = Ack("b1", 1, leader=True, epoch=1, generation=1)
    one.say(ack, OldSigning())
    one.say(ack)
    assert [received(replica.receive), received(replica.receive)] == [None, ack]


def received(receive: Callable[[float], object]) -> object:
    for _ in range(500):
        try:
            return receive(0.0)
        except BlockingIOError:
            time.sleep(0.01)
    raise TimeoutError


def test_the_kernel_drops_what_comes_from_elsewhere(
    operators: list[Operator], replicas: Replicas
) -> None:
    one, stranger = operators
    replicas.update([one.resolved], {one.target: one.keys.public_key}, 0.0)
    [replica] = replicas.all()
    replica.send(BEAT)
    one.hear()
    ack = Ack("b1", 1, leader=True, epoch=1, generation=1)
    stranger.socket.sendto(one.signing.sealed(ack), one.sender)
    one.say(Ack("b1", 2, leader=True, epoch=1, generation=1))
    assert received(replica.receive) == Ack("b1", 2, leader=True, epoch=1, generation=1)
    with pytest.raises(BlockingIOError):
        replica.receive(0.0)


def test_a_new_key_of_a_replica_is_used_at_once(
    operators: list[Operator], replicas: Replicas
) -> None:
    one = operators[0]
    replicas.update([one.resolved], {one.target: one.keys.public_key}, 0.0)
    [before] = replicas.all()
    one.keys = KeyPair.generate()
    one.signing = one.keys.channel(OPERATOR, Party("n1", KEYS.public_key))
    replicas.update([one.resolved], {one.target: one.keys.public_key}, 0.1)
    [after] = replicas.all()
    after.send(BEAT)
    assert before.socket is None
    assert one.hear() == BEAT


def test_a_socket_on_which_nothing_is_heard_is_replaced(
    operators: list[Operator], replicas: Replicas
) -> None:
    one = operators[0]
    known = [one.resolved], {one.target: one.keys.public_key}
    replicas.update(*known, 0.0)
    [replica] = replicas.all()
    first = replica.socket
    replicas.update(*known, REOPEN_AFTER_S - 0.1)
    assert replica.socket is first
    replicas.update(*known, REOPEN_AFTER_S)
    assert replica.socket is not first
    assert replica.send(BEAT)
    assert one.hear() == BEAT


def test_without_any_key_nothing_is_sent(operators: list[Operator]) -> None:
    replicas = Replicas("n1", KEYS, None)
    replicas.update([operators[0].resolved], {}, 0.0)
    replicas.update([operators[0].resolved], {operators[0].target: "nonsense"}, 0.0)
    assert replicas.all() == []


class DeadMan:
    """Nothing is muted here."""

    def refresh(self) -> None: ...

    def mute(self) -> None: ...


class Beating:
    """An agent's heart, which beats to one replica."""

    def __init__(self, operator: Operator) -> None:
        self.operator, self.reads = operator, 0
        metrics = Metrics("1")
        self.watchdog = Watchdog(DeadMan(), DEFAULTS, metrics, lambda: None)  # type: ignore[arg-type]
        requests = ProbeRequests(None, "b1", metrics)  # type: ignore[arg-type]
        self.replicas = Replicas("n1", KEYS, None)
        self.heart = HeartbeatSender(
            "n1",
            "b1",
            replicas=self.replicas,
            watchdog=self.watchdog,
            probe_requests=requests,
            metrics=metrics,
            on_newer=self._read,
            on_contact=lambda: None,
        )
        self.heart.content = HeartbeatContent(
            (operator.target,), {operator.target: operator.keys.public_key}, 5, 3, 3, 5, "d"
        )

    def _read(self) -> None:
        self.reads += 1

    def answer(self, epoch: int, generation: int, *, seq: int = 0) -> None:
        """Beat, and be answered so."""
        self.watchdog.loop_alive()
        self.heart._send()  # noqa: SLF001
        beat = self.operator.hear()
        self.operator.say(Ack("b1", seq or beat.seq, True, epoch, generation, "t"))  # noqa: FBT003
        self.heart._listen(5.0)  # noqa: SLF001


@pytest.fixture
def beating(operators: list[Operator]) -> Iterator[Beating]:
    found = Beating(operators[0])
    yield found
    found.replicas.update([], {}, 0.0)


def test_a_forged_epoch_silences_no_agent(beating: Beating) -> None:
    beating.answer(5, 3)
    beating.answer(2**31 - 2, 3)
    assert beating.reads == 1
    beating.answer(5, 3)
    contact = beating.heart.contact
    assert contact
    assert (contact.epoch, contact.generation) == (5, 3)


def test_an_acknowledgement_of_a_beat_that_was_not_sent_proves_nothing(beating: Beating) -> None:
    beating.answer(5, 3, seq=10**6)
    assert beating.heart.contact is None
