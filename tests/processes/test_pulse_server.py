"""The pulse's own process, on loopback: it answers, survives its end, and ends with us."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from duravip_api.heartbeat import Ack
from duravip_operator.core.snapshot import Liveness
from duravip_operator.metrics import Metrics
from duravip_operator.pulse import HeartbeatState, PulseClient
from duravip_operator.pulse.server import ACK_EVERY_NTH_BEAT
from duravip_operator.settings import settings_from
from duravip_runtime.settings import SettingsError
from processes.pulse_agent import Agent, beating, pid_of, played, quiet


def said(agent: Agent, generation: int) -> Ack:
    return Ack("a", agent.seq, True, 7, generation, *agent.echoes)  # noqa: FBT003 - as in the class


def test_a_node_is_heard_until_it_falls_silent() -> None:
    async def play(pulse: PulseClient, agent: Agent) -> None:
        pulse.expect(frozenset({"n1", "n2"}))
        await beating(agent, lambda: pulse.view().hearing.get("n1") is Liveness.ALIVE)
        assert pulse.beats()["n1"] == HeartbeatState("a", 4, "d")
        assert pulse.view().hearing["n2"] is Liveness.UNKNOWN
        await quiet(lambda: pulse.view().hearing["n1"] is Liveness.SUSPECT)
        assert 0.3 < time.monotonic() - pulse.view().silences["n1"].last_heard < 5
        await quiet(lambda: pulse.view().hearing["n2"] is Liveness.SUSPECT)

    played(play)


def test_when_a_node_was_heard_is_told_to_whoever_asks() -> None:
    async def play(pulse: PulseClient, agent: Agent) -> None:
        assert pulse.heard_times.last == {}
        began = time.monotonic()
        await beating(agent, lambda: "n1" in pulse.beats())
        pulse.ask_heard_times()
        await quiet(lambda: pulse.heard_times.last)
        asked, last = pulse.heard_times.now, pulse.heard_times.last["n1"]
        assert began <= last <= asked <= time.monotonic()

    played(play)


def test_a_beat_is_answered_with_what_the_leader_says() -> None:
    async def play(pulse: PulseClient, agent: Agent) -> None:
        answers: list[Ack] = []

        def last() -> Ack | None:
            answers.extend(agent.answers())
            return answers[-1] if answers else None

        pulse.update_answers(7, {"n1": 12}, {})
        await beating(agent, lambda: (ack := last()) is not None and ack.leader)
        assert answers[-1].seq == agent.seq
        assert answers[-1] == said(agent, 12)
        pulse.update_answers(None, {}, {})
        await beating(agent, lambda: (ack := last()) is not None and not ack.leader)

    played(play)


def test_of_those_that_do_not_lead_agents_hear_seldom() -> None:
    async def play(pulse: PulseClient, agent: Agent) -> None:
        await beating(agent, lambda: "n1" in pulse.beats())
        agent.answers()
        first, seqs = agent.seq, set()

        def answered() -> set[int]:
            seqs.update(answer.seq for answer in agent.answers())
            return seqs

        for _ in range(10 * ACK_EVERY_NTH_BEAT):
            agent.beat()
            await asyncio.sleep(0.01)
            answered()
        wanted = {seq for seq in range(first + 1, agent.seq + 1) if seq % ACK_EVERY_NTH_BEAT == 0}
        await quiet(lambda: wanted <= answered())
        assert seqs <= wanted | {first}

    played(play)


def test_a_leader_that_stands_still_leads_no_longer() -> None:
    async def play(pulse: PulseClient, agent: Agent) -> None:
        pulse.update_answers(7, {}, {})
        await beating(agent, lambda: any(ack.leader for ack in agent.answers()))
        ended = time.monotonic() + 3
        led = True
        while led and time.monotonic() < ended:
            agent.beat()
            time.sleep(0.1)  # noqa: ASYNC251 - it stands still
            led = all(ack.leader for ack in agent.answers())
        assert not led
        await beating(agent, lambda: any(ack.leader for ack in agent.answers()))

    played(play)


def test_an_agent_is_told_at_once_of_a_new_generation() -> None:
    async def play(pulse: PulseClient, agent: Agent) -> None:
        pulse.update_answers(7, {"n1": 12}, {})
        await beating(agent, lambda: any(ack.leader for ack in agent.answers()))
        agent.beat()
        await quiet(agent.answers)
        pulse.update_answers(7, {"n1": 13}, {})
        await quiet(lambda: said(agent, 13) in agent.answers())

    played(play)


def test_what_was_recorded_before_and_is_sent_again_is_answered_and_not_heard() -> None:
    async def play(pulse: PulseClient, agent: Agent) -> None:
        pulse.expect(frozenset({"n1"}))
        await beating(agent, lambda: "n1" in pulse.beats())
        os.kill(pid_of(pulse), signal.SIGKILL)
        silent_for = 0
        async with asyncio.timeout(30):  # a starved machine starts the process late
            while silent_for < 50:
                agent.seq += 1
                agent.socket.send(agent.sealed_beat())
                await asyncio.sleep(0.02)
                silent_for += pulse.view().hearing["n1"] is Liveness.SUSPECT
        assert pulse.view().hearing["n1"] is Liveness.SUSPECT
        await beating(agent, lambda: pulse.view().hearing["n1"] is not Liveness.SUSPECT)

    played(play)


def test_a_process_that_dies_is_replaced_and_nobody_grows_young() -> None:
    async def play(pulse: PulseClient, agent: Agent) -> None:
        seen: set[Liveness] = set()
        pulse.expect(frozenset({"n1"}))
        pulse.update_answers(7, {}, {})
        await beating(agent, lambda: pulse.view().hearing.get("n1") is Liveness.ALIVE)
        first = pid_of(pulse)
        os.kill(first, signal.SIGKILL)
        await quiet(lambda: not Path(f"/proc/{first}").exists())
        agent.answers()

        def is_answered() -> bool:
            seen.add(pulse.view().hearing["n1"])
            return any(answer.epoch == 7 for answer in agent.answers())

        await beating(agent, is_answered)
        await beating(agent, lambda: pulse.view().hearing["n1"] is Liveness.ALIVE)
        assert seen <= {Liveness.ALIVE, Liveness.SUSPECT}

    played(play)


def test_the_process_ends_when_we_are_killed() -> None:
    program = """
import asyncio, os, signal
from duravip_operator.metrics import Metrics
from duravip_operator.pulse import PulseClient
from duravip_operator.settings import settings_from

async def run():
    pulse = PulseClient(settings_from(["--pulse-listen=127.0.0.1:0", "--pulse-advertise=h:1"]),
        lambda: None, Metrics("test"))
    pulse.start()
    await asyncio.sleep(0.5)
    with open(f"/proc/{os.getpid()}/task/{os.getpid()}/children") as children:
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


def test_an_address_that_is_taken_is_a_wrong_setting() -> None:
    async def play(pulse: PulseClient, _: Agent) -> None:
        listen = f"--pulse-listen=127.0.0.1:{pulse.port}"
        settings = settings_from([listen, "--pulse-advertise=h:1"])
        with pytest.raises(SettingsError, match="--pulse-listen: cannot listen on 127"):
            PulseClient(settings, lambda: None, Metrics("test")).start()

    played(play)
