"""Datagrams on both sides: unsigned, and signed by who has the key of one node.

Inputs of the signed ones are what is signed: a byte that chooses the form, then the body.
"""

import socket
import time
from collections.abc import Callable, Iterable
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from duravip_agent.clock import BootTime
from duravip_agent.control.heartbeat import HeartbeatContent, HeartbeatSender
from duravip_agent.control.replicas import Replicas
from duravip_agent.core.probing import ProbeResult
from duravip_agent.core.watchdog_rule import DEFAULTS
from duravip_agent.core.witness_book import ProbeSubject, WitnessBook, suspect_probe
from duravip_agent.kernel.watchdog import Watchdog
from duravip_agent.metrics import Metrics
from duravip_agent.segment.probe_requests import ProbeRequests
from duravip_agent.segment.prober import OnOutcome
from duravip_api.heartbeat import (
    Ack,
    AnyDatagram,
    Heartbeat,
    ProbeReport,
    ProbeRequest,
    encode,
    encode_body,
    parse_keys,
)
from duravip_operator.pulse.authentication import DropReason
from duravip_operator.pulse.replies import Route
from duravip_operator.pulse.server import PulseServer
from duravip_runtime.key_file import KeyFile
from duravip_runtime.secure_channel import OPERATOR, Channel, KeyPair, Party
from fuzz.registry import Target, target

AGENT, REPLICA = KeyPair.generate(), KeyPair.generate()
KEY: Final = "a-key-of-an-older-version"
SHARED: Final = parse_keys(KEY)
JUDGED_EVERY: Final = 50
DATAGRAMS: Final[tuple[AnyDatagram, ...]] = (
    Heartbeat("n1", "b1", 7, 3, "d", ("t",)),
    Ack("b1", 7, leader=True, epoch=5, generation=3, token="t"),  # noqa: S106
    ProbeRequest("n1", "b1", 9, "n2", "lo", ("10.1.1.2", "fd00::2"), ("02:00:00:00:00:02",)),
    ProbeReport("n1", 9, "n2", "lo", "answering", 0.25),
)
_TAGS: Final = {Heartbeat: 1, Ack: 2, ProbeRequest: 3, ProbeReport: 4}
_OLD: Final = 0x80
"""In the first byte of an input: signed with the key that older versions shared."""


def _signed(channel: Channel, data: bytes) -> bytes:
    """The body in an input as the other end of the channel has signed it."""
    form, body = (data[0], data[1:]) if data else (1, b"")
    if form & _OLD:
        return blake2b(body, key=SHARED[0], digest_size=16).digest() + body
    head = b"DV\1" + bytes((form & 7,)) + channel.outgoing.key_id
    return head + blake2b(head + body, key=channel.outgoing.key, digest_size=16).digest() + body


def _bodies() -> Iterable[bytes]:
    for datagram in DATAGRAMS:
        yield bytes((_TAGS[type(datagram)],)) + encode_body(datagram)
        yield bytes((_OLD,)) + encode(datagram, SHARED)[16:]


def _ours_and_theirs() -> tuple[Channel, Channel]:
    agents = AGENT.channel("n1", Party(OPERATOR, REPLICA.public_key))
    return agents, REPLICA.channel(OPERATOR, Party("n1", AGENT.public_key))


def _whole(channel: Channel) -> tuple[bytes, ...]:
    old = [encode(datagram, SHARED) for datagram in DATAGRAMS]
    return (*(channel.sealed(datagram) for datagram in DATAGRAMS), *old)


class Operator:
    """The process of the pulse, all but its loop."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory()
        key = Path(self._folder.name, "key")
        key.write_text(KEY)
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._ours, self._pipe = socket.socketpair()
        settings = {"key_file": str(key), "mature": 0.5, "suspect_after": 0.15}
        self._process = PulseServer(settings, self._udp, self._ours)
        self._route = Route(("127.0.0.1", 9), [])
        self._count = 0
        nodes = [f"n{n}" for n in range(1, 6)]
        told = {name: ["b1", "", True] for name in nodes[1:]}
        entry = [["lo", 4, ["10.1.0.1"], ["10.1.1.1"], []]]
        self._learn(
            secret=REPLICA.secret,
            agents={**told, "n1": ["b1", AGENT.public_key, False]},
            expect=nodes,
            lead={"leader": True, "epoch": 5, "since": 0.0},
            until=time.monotonic() + 10**6,
            generations=dict.fromkeys(nodes, 3),
            roster=dict.fromkeys(nodes, entry),
        )

    def _learn(self, **message: Any) -> None:
        self._process._apply_message(message, time.monotonic())  # noqa: SLF001

    def close(self) -> None:
        """Close its sockets."""
        for sock in (self._udp, self._ours, self._pipe):
            sock.close()
        self._folder.cleanup()

    def hear(self, data: bytes) -> str:
        """Take a datagram; gives back why it was dropped."""
        drop = self._process._handle_datagram(data, self._route, time.monotonic())  # noqa: SLF001
        if drop is DropReason.ERROR:
            raise AssertionError(self._process._note)  # noqa: SLF001
        self._count += 1
        if self._count % JUDGED_EVERY == 0:
            self._process._evaluate()  # noqa: SLF001
            self._pipe.settimeout(0.0)
            while _is_more(self._pipe):
                pass
        return drop.value if drop else "heard"


def _is_more(pipe: socket.socket) -> bool:
    try:
        return bool(pipe.recv(1 << 20))
    except BlockingIOError:
        return False


class Scout:
    """Finds at once that nobody answers."""

    def __init__(self) -> None:
        self._book = WitnessBook()

    def probe_subject(self, suspect: ProbeSubject, on_sighting: OnOutcome) -> None:
        """As `ProbeWorker` of the agent."""
        question = suspect_probe(suspect)
        found = ProbeResult(silent=frozenset(question.addresses))
        on_sighting(self._book.note(suspect, found, time.monotonic()))

    def watch(self, suspects: Iterable[ProbeSubject]) -> None:
        """As `ProbeWorker` of the agent."""
        self._book.watch(suspects, time.monotonic())


class DeadMan:
    """There is none."""

    def feed(self) -> None:
        """Nothing to do."""

    def mute(self) -> None:
        """Nothing to do."""


class Agent:
    """The part of an agent that beats, all but its loop."""

    def __init__(self, *, is_old: bool = False) -> None:
        self._operator = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._operator.bind(("127.0.0.1", 0))
        self._operator.settimeout(1)
        where = self._operator.getsockname()
        target = f"127.0.0.1:{where[1]}"
        self._metrics = Metrics("fuzz")
        self._watchdog = Watchdog(DeadMan(), DEFAULTS, self._metrics, lambda: None)  # type: ignore[arg-type]
        requests = ProbeRequests(Scout(), "b1", self._metrics)  # type: ignore[arg-type]
        self._folder = TemporaryDirectory()
        key = Path(self._folder.name, "key")
        key.write_text(KEY)
        replicas = Replicas("n1", AGENT, KeyFile(key) if is_old else None)
        keys = {} if is_old else {target: REPLICA.public_key}
        replicas.update([(target, (socket.AF_INET, where))], keys, 0.0)
        self._heart = HeartbeatSender(
            "n1",
            "b1",
            replicas=replicas,
            watchdog=self._watchdog,
            probe_requests=requests,
            metrics=self._metrics,
            on_newer=lambda: None,
            on_contact=lambda: None,
        )
        self._heart.content = HeartbeatContent((target,), keys, 5, 3, 3, 5, "d")
        self._heart._sent = dict.fromkeys(range(1, 60), BootTime(0.0))  # noqa: SLF001
        [self._replica] = replicas.all()
        self._ours = self._replica.socket.getsockname() if self._replica.socket else ()

    def close(self) -> None:
        """Close its sockets."""
        self._replica.close()
        self._operator.close()
        self._folder.cleanup()

    def take(self, data: bytes) -> str:
        """Take a datagram; gives back what it was."""
        self._watchdog.loop_alive()
        self._operator.sendto(data, self._ours)
        now = BootTime(time.monotonic())
        datagram = self._received(now)
        self._heart._handle(self._replica, datagram, now)  # noqa: SLF001
        contact = self._heart.contact
        self._operator.settimeout(0.0)
        while _is_more(self._operator):
            pass
        return f"{type(datagram).__name__}, {'some' if contact else 'no'} contact"

    def _received(self, now: float) -> AnyDatagram | None:
        for _ in range(100):
            try:
                return self._replica.receive(now)
            except BlockingIOError:
                time.sleep(0.001)
        raise TimeoutError


@target("operator-unsigned")
def operator_unsigned() -> Target:
    """Whatever reaches the operator's port."""
    operator = Operator()
    return Target(operator.hear, _whole(_ours_and_theirs()[0]), operator.close)


@target("operator-signed")
def operator_signed() -> Target:
    """What an agent may sign, or whoever has its key, or the one that older versions shared."""
    operator, channel = Operator(), _ours_and_theirs()[0]

    def check(data: bytes) -> str:
        return operator.hear(_signed(channel, data))

    return Target(check, tuple(_bodies()), operator.close, 1300)


@target("agent-unsigned")
def agent_unsigned() -> Target:
    """Whatever reaches an agent's socket, as if its replica had sent it."""
    agent = Agent()
    return Target(agent.take, _whole(_ours_and_theirs()[1]), agent.close)


@target("agent-signed")
def agent_signed() -> Target:
    """What a replica may sign, or whoever has the node's key; also the key of older versions."""
    new, old, channel = Agent(), Agent(is_old=True), _ours_and_theirs()[1]

    def check(data: bytes) -> str:
        take: Callable[[bytes], str] = old.take if data and data[0] & _OLD else new.take
        return take(_signed(channel, data))

    def close() -> None:
        new.close()
        old.close()

    return Target(check, tuple(_bodies()), close, 1300)
