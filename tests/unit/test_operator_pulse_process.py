"""The pulse's own process, on loopback: it answers, survives its end, and ends with us."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from duravip_api.beats import Ack, Beat, keys_in, opened, sealed
from duravip_operator.core.snapshot import Hearing
from duravip_operator.metrics import Metrics
from duravip_operator.pulse import Heard, Pulse
from duravip_operator.settings import SettingsError, parsed

OLD, NEW = "0123456789abcdef", "fedcba9876543210"
OPTIONS = ["--mature=0.3", "--suspect-after=0.3", "--lost-after=0.6"]


class Agent:
    """Beats when it is told to."""

    def __init__(self, port: int, key: str = OLD) -> None:
        self.keys = keys_in(key)
        self.boot, self.seq = "a", 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(("127.0.0.1", port))
        self.socket.settimeout(0.0)

    def beat(self) -> None:
        self.seq += 1
        beat = Beat("n1", self.boot, self.seq, 4, "d")
        self.socket.send(sealed(beat, self.keys))

    def answers(self) -> list[Ack]:
        found: list[Ack] = []
        while True:
            try:
                ack = opened(Ack, self.socket.recv(2000), self.keys)
            except BlockingIOError:
                return found
            found += [ack] if ack else []


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(OLD)
    return path


def played(key: Path, play: Callable[[Pulse, Agent], Awaitable[None]]) -> None:
    """Run a pulse and an agent while `play` goes on."""

    async def run() -> None:
        given = ["--pulse-listen=127.0.0.1:0", "--pulse-advertise=h:1"]
        settings = parsed([*given, f"--pulse-key-file={key}", *OPTIONS])
        pulse = Pulse(settings, lambda: None, Metrics("test"))
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


def test_a_node_is_heard_until_it_falls_silent(key: Path) -> None:
    async def play(pulse: Pulse, agent: Agent) -> None:
        pulse.expect(frozenset({"n1", "n2"}))
        await beating(agent, lambda: pulse.hearing().get("n1") is Hearing.ALIVE)
        assert pulse.beats()["n1"] == Heard("a", 4, "d")
        assert pulse.hearing()["n2"] is Hearing.UNHEARD
        await quiet(lambda: pulse.hearing()["n1"] is Hearing.SILENT)
        await quiet(lambda: pulse.hearing()["n1"] is Hearing.LOST)
        await quiet(lambda: pulse.hearing()["n2"] is Hearing.LOST)

    played(key, play)


def test_a_beat_is_answered_with_what_the_leader_says(key: Path) -> None:
    async def play(pulse: Pulse, agent: Agent) -> None:
        answers: list[Ack] = []

        def last() -> Ack | None:
            answers.extend(agent.answers())
            return answers[-1] if answers else None

        pulse.tell(leader=True, epoch=7, generations={"n1": 12})
        await beating(agent, lambda: (ack := last()) is not None and ack.leader)
        assert answers[-1] == Ack("a", answers[-1].seq, leader=True, epoch=7, generation=12)
        pulse.tell(leader=False, epoch=0, generations={})
        await beating(agent, lambda: (ack := last()) is not None and not ack.leader)

    played(key, play)


def test_the_key_can_be_changed_without_a_gap(key: Path) -> None:
    async def play(pulse: Pulse, agent: Agent) -> None:
        await beating(agent, lambda: pulse.hearing().get("n1") is Hearing.ALIVE)
        await asyncio.to_thread(key.write_text, f"{NEW}\n{OLD}\n")
        agent.keys = keys_in(f"{OLD}\n{NEW}")
        fresh = keys_in(NEW)
        received: list[Ack] = []

        def is_signed_anew() -> bool:
            try:
                ack = opened(Ack, agent.socket.recv(2000), fresh)
            except BlockingIOError:
                return False
            received.extend([ack] if ack else [])
            return bool(received)

        await beating(agent, is_signed_anew)
        assert pulse.hearing()["n1"] is Hearing.ALIVE

    played(key, play)


def test_strangers_are_not_heard(key: Path) -> None:
    async def play(pulse: Pulse, agent: Agent) -> None:
        stranger = Agent(pulse.port, key=NEW)
        stranger.beat()
        stranger.socket.send(b"x" * 1400)
        stranger.socket.close()
        agent.boot = "mine"
        await beating(agent, lambda: "n1" in pulse.beats())
        assert pulse.beats()["n1"].boot == "mine"

    played(key, play)


def test_a_process_that_dies_is_replaced_and_nobody_grows_young(key: Path) -> None:
    async def play(pulse: Pulse, agent: Agent) -> None:
        seen: set[Hearing] = set()
        pulse.expect(frozenset({"n1"}))
        pulse.tell(leader=True, epoch=7, generations={})
        await beating(agent, lambda: pulse.hearing().get("n1") is Hearing.ALIVE)
        first = pid_of(pulse)
        os.kill(first, signal.SIGKILL)
        await quiet(lambda: not Path(f"/proc/{first}").exists())
        agent.answers()
        answers: list[Ack] = []

        def is_answered() -> bool:
            seen.add(pulse.hearing()["n1"])
            answers.extend(agent.answers())
            return bool(answers)

        await beating(agent, is_answered)
        assert answers[-1].epoch == 7
        await beating(agent, lambda: pulse.hearing()["n1"] is Hearing.ALIVE)
        assert seen <= {Hearing.ALIVE, Hearing.SILENT}

    played(key, play)


def test_the_process_ends_when_we_are_killed(key: Path) -> None:
    program = f"""
import asyncio, os, signal
from duravip_operator.metrics import Metrics
from duravip_operator.pulse import Pulse
from duravip_operator.settings import parsed
async def run():
    pulse = Pulse(parsed(["--pulse-listen=127.0.0.1:0", "--pulse-advertise=h:1",
        "--pulse-key-file={key}"]), lambda: None, Metrics("test"))
    pulse.start()
    await asyncio.sleep(0.5)
    with open(f"/proc/{{os.getpid()}}/task/{{os.getpid()}}/children") as children:
        print(children.read(), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(run())
"""
    argv = [sys.executable, "-c", program]
    done = subprocess.run(argv, capture_output=True, timeout=30, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    child = int(done.stdout)

    def is_gone() -> bool:
        try:
            state = Path(f"/proc/{child}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return True
        return state.rpartition(")")[2].split()[0] == "Z"  # nobody reaps it in some containers

    asyncio.run(quiet(is_gone))


def test_an_address_that_is_taken_is_a_wrong_setting(key: Path) -> None:
    async def play(pulse: Pulse, _: Agent) -> None:
        listen = f"--pulse-listen=127.0.0.1:{pulse.port}"
        settings = parsed([listen, "--pulse-advertise=h:1", f"--pulse-key-file={key}"])
        with pytest.raises(SettingsError, match="--pulse-listen: cannot listen on 127"):
            Pulse(settings, lambda: None, Metrics("test")).start()

    played(key, play)
