"""An agent that beats, and sees, what a test tells it to."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

from duravip_api.beats import Ack, Beat, Look, Sight, keys_in, opened, sealed
from duravip_operator.metrics import Metrics
from duravip_operator.pulse import Pulse
from duravip_operator.settings import parsed

KEY = "0123456789abcdef"
OPTIONS = ["--mature=0.3", "--suspect-after=0.3"]


class Agent:
    """Beats when it is told to."""

    def __init__(self, port: int, key: str = KEY, name: str = "n1") -> None:
        self.keys, self.name = keys_in(key), name
        self.sees = "answering"
        """What it says when it is asked to look."""
        self.asked: list[Look] = []
        self.boot, self.seq = "a", 0
        self.echoes: tuple[str, ...] = ()
        """The token of the last answer."""
        self._answers: list[Ack] = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(("127.0.0.1", port))
        self.socket.settimeout(0.0)

    def beat(self) -> None:
        self._listen()
        self.seq += 1
        self.socket.send(self.sealed_beat())

    def sealed_beat(self) -> bytes:
        beat = Beat(self.name, self.boot, self.seq, 4, "d", self.echoes)
        return sealed(beat, self.keys)

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
            if ack := opened(Ack, data, self.keys):
                self._answers.append(ack)
                self.echoes = (ack.token,)
            elif look := opened(Look, data, self.keys):
                self.asked.append(look)
                self.see(look, self.sees)

    def see(self, look: Look, verdict: str) -> None:
        sight = Sight(look.scout, look.number, look.suspect, look.interface, verdict)
        self.socket.send(sealed(sight, self.keys))


def played(key: Path, play: Callable[[Pulse, Agent], Awaitable[None]]) -> None:
    """Run a pulse and an agent while `play` goes on."""

    async def run() -> None:
        given = ["--pulse-listen=127.0.0.1:0", "--pulse-advertise=h:1"]
        settings = parsed([*given, f"--pulse-key-file={key}", *OPTIONS])
        pulse = Pulse(settings, lambda: None, lambda _: None, lambda: None, Metrics("test"))
        pulse.start()
        agent = Agent(pulse.port)
        try:
            await play(pulse, agent)
        finally:
            agent.socket.close()
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


def pid_of(pulse: Pulse) -> int:
    """The process below us that hears on the pulse's port."""
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    found = [
        int(child)
        for child in children
        if "duravip_operator.pulse.process" in Path(f"/proc/{child}/cmdline").read_text()
    ]
    assert pulse.port
    assert len(found) == 1
    return found[0]
