"""An agent that beats, and sees, what a test tells it to."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

from duravip_agent.control.replicas import Signing
from duravip_api.heartbeat import (
    Ack,
    AnyDatagram,
    Heartbeat,
    ProbeReport,
    ProbeRequest,
    decode_any,
    encode,
    parse_keys,
)
from duravip_operator.metrics import Metrics
from duravip_operator.pulse import PulseClient
from duravip_operator.pulse.authentication import AgentIdentity as Known
from duravip_operator.settings import settings_from
from duravip_runtime.secure_channel import OPERATOR, KeyPair, Party

KEY = "0123456789abcdef"
"""That of older versions."""
OPTIONS = ["--mature=0.3", "--suspect-after=0.3"]


class OldSigning:
    """As older versions do it."""

    def __init__(self, key: str = KEY) -> None:
        self.keys = parse_keys(key)

    def sealed(self, datagram: AnyDatagram) -> bytes:
        return encode(datagram, self.keys)

    def opened(self, data: bytes) -> AnyDatagram | None:
        return decode_any(data, self.keys)


class Agent:
    """Beats when it is told to."""

    sockets: list[socket.socket] = []
    """Those of all of them."""

    def __init__(
        self, pulse: PulseClient, name: str = "n1", signing: Signing | None = None
    ) -> None:
        """`signing`: another one than with the key of this start of the agent."""
        self.keys, self.name = KeyPair.generate(), name
        operator = Party(OPERATOR, pulse.public_key)
        self.signing = signing or self.keys.channel(name, operator)
        self.sees = "answering"
        """What it says when it is asked to look."""
        self.asked: list[ProbeRequest] = []
        self.boot, self.seq = "a", 0
        self.echoes: tuple[str, ...] = ()
        """The token of the last answer."""
        self._answers: list[Ack] = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(("127.0.0.1", pulse.port))
        self.socket.settimeout(0.0)
        self.sockets.append(self.socket)

    def beat(self) -> None:
        self._listen()
        self.seq += 1
        self.socket.send(self.sealed_beat())

    def known(self, *, old: bool = False) -> Known:
        """What NodePlumbing says of it."""
        return Known(self.boot, "" if old else self.keys.public_key, old)

    def sealed_beat(self, name: str = "", boot: str = "") -> bytes:
        beat = Heartbeat(name or self.name, boot or self.boot, self.seq, 4, "d", self.echoes)
        return self.signing.sealed(beat)

    def answers(self) -> list[Ack]:
        """Those that have come since; looks are answered on the way."""
        self._listen()
        found, self._answers = self._answers, []
        return found

    def _listen(self) -> None:
        while True:
            try:
                data = self.socket.recv(2000)
            except BlockingIOError:
                return
            datagram = self.signing.opened(data)
            if isinstance(datagram, Ack):
                self._answers.append(datagram)
                self.echoes = (datagram.token,)
            elif isinstance(datagram, ProbeRequest):
                self.asked.append(datagram)
                self.see(datagram, self.sees)

    def see(self, look: ProbeRequest, verdict: str) -> None:
        sight = ProbeReport(look.scout, look.number, look.suspect, look.interface, verdict)
        self.socket.send(self.signing.sealed(sight))


def played(play: Callable[[PulseClient, Agent], Awaitable[None]], key: Path | None = None) -> None:
    """Run a pulse and the agent of n1, which it knows, while `play` goes on."""

    async def run() -> None:
        given = ["--pulse-listen=127.0.0.1:0", "--pulse-advertise=h:1"]
        old = [f"--pulse-key-file={key}"] if key else []
        settings = settings_from([*given, *old, *OPTIONS])
        pulse = PulseClient(settings, lambda: None, Metrics("test"))
        pulse.start()
        agent = Agent(pulse)
        pulse.update_agents({"n1": agent.known()})
        try:
            await play(pulse, agent)
        finally:
            while Agent.sockets:
                Agent.sockets.pop().close()
            await pulse.stop()

    asyncio.run(run())


async def beating(agent: Agent, condition: Callable[[], object], within: float = 10) -> None:
    """Beat until the condition holds."""
    async with asyncio.timeout(within):
        while not condition():
            agent.beat()
            await asyncio.sleep(0.05)


async def quiet(condition: Callable[[], object], within: float = 10) -> None:
    """Wait, without a beat, until the condition holds."""
    async with asyncio.timeout(within):
        while True:
            if condition():
                return
            await asyncio.sleep(0.005)


def pid_of(pulse: PulseClient) -> int:
    """The process below us that hears on the pulse's port."""
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    found = [
        int(child)
        for child in children
        if "duravip_operator.pulse.server" in Path(f"/proc/{child}/cmdline").read_text()
    ]
    assert pulse.port
    assert len(found) == 1
    return found[0]
