"""Whom the pulse's own process believes, on loopback: each node for itself, and nobody else."""

import asyncio
import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from duravip_api.heartbeat import ProbeReport, new_boot
from duravip_operator.core import parsing
from duravip_operator.core.snapshot import Liveness, Plumbing
from duravip_operator.pulse import HeartbeatState, PulseClient
from duravip_operator.pulse.authentication import AgentIdentity as Known
from duravip_operator.pulse.authentication import Authenticator, AuthenticDatagram, DropReason
from duravip_operator.pulse.client import agent_identity
from duravip_runtime.secure_channel import OPERATOR, KeyPair, Party
from processes.pulse_agent import KEY, Agent, OldSigning, beating, pid_of, played, quiet


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(KEY)
    return path


def drops(pulse: PulseClient, reason: str) -> float:
    return pulse._metrics.drops.labels(reason)._value.get()  # noqa: SLF001


def is_alive(pulse: PulseClient, name: str = "n1") -> bool:
    return pulse.view().hearing.get(name) is Liveness.ALIVE


Forge = Callable[[Agent], bytes]


@pytest.mark.parametrize(
    ("forge", "reason"),
    [
        (lambda thief: thief.sealed_beat(name="n2"), "sender"),
        (lambda thief: thief.sealed_beat(name="n9"), "sender"),
        (lambda thief: thief.sealed_beat(boot="another"), "boot"),
        (lambda thief: thief.sealed_beat()[:-1], "signature"),
        (lambda _: b"x" * 1400, "unknown"),
        (lambda _: b"", "unknown"),
        (
            lambda thief: thief.signing.sealed(ProbeReport("n2", 1, "n1", "eth1", "silent")),
            "sender",
        ),
    ],
    ids=["another node", "no node", "another boot", "spoiled", "noise", "nothing", "a sight"],
)
def test_what_is_forged_with_one_nodes_key_is_dropped_and_the_true_agents_stay_heard(
    forge: Forge, reason: str
) -> None:
    async def play(pulse: PulseClient, n1: Agent) -> None:
        n2 = Agent(pulse, name="n2")
        pulse.update_agents({"n1": n1.known(), "n2": n2.known()})

        def both_are_heard() -> bool:
            n2.beat()
            return is_alive(pulse) and is_alive(pulse, "n2")

        await beating(n1, both_are_heard)
        thief = Agent(pulse, signing=n1.signing)
        thief.seq, thief.boot, thief.echoes = 10**6, n1.boot, n1.echoes
        before = drops(pulse, reason)
        thief.socket.send(forge(thief))
        await beating(n1, lambda: both_are_heard() and drops(pulse, reason) > before)
        assert pulse.beats() == {
            "n1": HeartbeatState("a", 4, "d"),
            "n2": HeartbeatState("a", 4, "d"),
        }
        assert pulse.view().hearing.keys() == {"n1", "n2"}

    played(play)


def test_an_agent_that_starts_anew_is_heard_once_its_status_names_it() -> None:
    async def play(pulse: PulseClient, agent: Agent) -> None:
        pulse.expect(frozenset({"n1"}))
        await beating(agent, lambda: is_alive(pulse))
        anew = Agent(pulse)
        anew.boot = "b"
        for _ in range(10):
            anew.beat()
            await asyncio.sleep(0.01)
        await beating(agent, lambda: drops(pulse, "unknown") >= 10)
        assert pulse.beats()["n1"].boot == "a"
        pulse.update_agents({"n1": anew.known()})
        await beating(anew, lambda: pulse.beats()["n1"].boot == "b")
        assert is_alive(pulse)
        before = drops(pulse, "unknown")
        agent.beat()  # the former start of the agent, or whoever has its key
        await beating(anew, lambda: drops(pulse, "unknown") > before)
        assert pulse.beats()["n1"].boot == "b"

    played(play)


def test_a_node_that_is_gone_is_not_heard_and_not_remembered() -> None:
    async def play(pulse: PulseClient, agent: Agent) -> None:
        await beating(agent, lambda: is_alive(pulse))
        pulse.update_agents({})
        await beating(agent, lambda: "n1" not in pulse.view().hearing)
        await beating(agent, lambda: drops(pulse, "unknown"))

    played(play)


def test_our_private_key_goes_through_the_pipe_alone() -> None:
    async def play(pulse: PulseClient, agent: Agent) -> None:
        await beating(agent, lambda: is_alive(pulse))
        process = Path(f"/proc/{pid_of(pulse)}")
        secret = pulse._keys.secret.encode()  # noqa: SLF001
        assert secret not in (process / "cmdline").read_bytes()
        assert secret not in (process / "environ").read_bytes()
        os.kill(int(process.name), signal.SIGKILL)
        await quiet(lambda: not is_alive(pulse))
        await beating(agent, lambda: is_alive(pulse))  # the next process has the same key

    played(play)


def test_more_beats_than_an_agent_sends_are_not_heard() -> None:
    async def play(pulse: PulseClient, agent: Agent) -> None:
        await beating(agent, lambda: is_alive(pulse))
        for _ in range(1000):
            agent.seq += 1
            agent.socket.send(agent.sealed_beat())
        await beating(agent, lambda: drops(pulse, "flood"))
        await beating(agent, lambda: is_alive(pulse))

    played(play)


def test_wrong_types_that_are_signed_end_nothing() -> None:
    async def play(pulse: PulseClient, agent: Agent) -> None:
        await beating(agent, lambda: is_alive(pulse))
        process = pid_of(pulse)
        whole = json.loads(agent.sealed_beat()[28:])
        for field in whole:
            for value in (None, True, -1, 1e300, [], {}, "x" * 300, [[1]], 2**70):
                agent.socket.send(_signed(agent, json.dumps({**whole, field: value}).encode()))
        agent.socket.send(_signed(agent, b"[" * 1300))
        await beating(agent, lambda: drops(pulse, "malformed") > 40)
        assert pid_of(pulse) == process
        assert drops(pulse, "error") == 0

    played(play)


def _signed(agent: Agent, body: bytes) -> bytes:
    from hashlib import blake2b  # noqa: PLC0415 - as the format says, without our code

    head, key = agent.sealed_beat()[:12], agent.signing.outgoing.key  # type: ignore[attr-defined]
    return head + blake2b(head + body, key=key, digest_size=16).digest() + body


def test_an_agent_of_an_older_version_is_heard_and_answered_in_its_own_way(key: Path) -> None:
    async def play(pulse: PulseClient, n1: Agent) -> None:
        old = Agent(pulse, name="old", signing=OldSigning())
        pulse.update_agents({"n1": n1.known(), "old": old.known(old=True)})
        pulse.update_answers(7, {"old": 4}, {})

        def both_are_heard() -> bool:
            n1.beat()
            return is_alive(pulse) and is_alive(pulse, "old")

        await beating(old, both_are_heard)
        await beating(old, lambda: any(ack.leader for ack in old.answers()))

    played(play, key)


def test_with_the_old_key_nobody_speaks_for_a_node_that_has_a_key_of_its_own(key: Path) -> None:
    async def play(pulse: PulseClient, n1: Agent) -> None:
        old = Agent(pulse, name="old", signing=OldSigning())
        pulse.update_agents({"n1": n1.known(), "old": old.known(old=True)})
        await beating(n1, lambda: is_alive(pulse))
        thief = Agent(pulse, signing=OldSigning())
        thief.boot, thief.seq, thief.echoes = n1.boot, 10**6, n1.echoes
        thief.socket.send(thief.sealed_beat())
        thief.socket.send(thief.sealed_beat(name="nobody"))
        await beating(n1, lambda: drops(pulse, "sender") == 2)
        await beating(n1, lambda: is_alive(pulse))
        assert pulse.beats().keys() == {"n1"}

    played(play, key)


def test_without_a_key_file_the_old_form_is_not_even_hashed() -> None:
    keys = KeyPair.generate()
    authenticator = Authenticator(keys)
    authenticator.update_agents({"n1": Known("a", "", is_shared_key_allowed=True)})
    assert authenticator.open(b"x" * 300) is DropReason.UNKNOWN


def test_a_key_that_another_node_has_published_gives_it_no_word_of_that_node() -> None:
    keys, n1 = KeyPair.generate(), KeyPair.generate()
    authenticator = Authenticator(keys)
    authenticator.update_agents(
        {
            "n1": Known("a", n1.public_key, is_shared_key_allowed=False),
            "copy": Known("a", n1.public_key, is_shared_key_allowed=False),
        }
    )
    channel = n1.channel("n1", Party(OPERATOR, keys.public_key))
    sight = ProbeReport("n1", 1, "n2", "eth1", "silent")
    assert authenticator.open(channel.sealed(sight)) == AuthenticDatagram("n1", sight)
    assert authenticator.open(channel.sealed(replace(sight, scout="copy"))) is DropReason.SENDER


@pytest.mark.parametrize("public_key", ["nonsense", "A" * 43 + "="])
def test_a_public_key_that_is_none_makes_its_node_unheard_and_no_other_one(
    public_key: str,
) -> None:
    async def play(pulse: PulseClient, n1: Agent) -> None:
        pulse.update_agents(
            {"n1": n1.known(), "n2": Known("a", public_key, is_shared_key_allowed=False)}
        )
        await beating(n1, lambda: is_alive(pulse))
        forged = Agent(pulse, name="n2")
        forged.beat()
        await beating(n1, lambda: drops(pulse, "unknown") >= 1)

    played(play)


@pytest.mark.parametrize(
    ("public_key", "pulse_keys", "allowed"),
    [
        ("", (), True),  # all of an older version
        ("", ("k",), True),  # an old agent, a new leader
        ("n", (), True),  # a new agent, an old leader
        ("n", ("", ""), True),
        ("n", ("", "k"), False),  # a new leader, and an old replica beside it
        ("n", ("k",), False),
    ],
)
def test_the_old_key_counts_only_for_who_can_sign_with_nothing_else(
    public_key: str, pulse_keys: tuple[str, ...], allowed: bool
) -> None:
    plumbing = Plumbing("n1", boot="a", public_key=public_key, pulse_keys=pulse_keys)
    assert agent_identity(plumbing) == Known("a", public_key, allowed)


def status(boot: str, public_key: str) -> Plumbing:
    agent = {"version": "1", "boot": boot, "publicKey": public_key}
    return parsing.plumbing({"metadata": {"name": "n1"}, "status": {"agent": agent}})


def test_a_key_that_an_older_agent_has_left_in_the_status_is_not_its_own() -> None:
    """It writes its own boot, and what it does not know of stays as it was."""
    boot = new_boot("key of a newer one")
    assert status(boot, "key of a newer one").public_key == "key of a newer one"
    assert status(boot, "another key").public_key == ""
    assert status("0123456789abcdef0123456789abcdef", "key of a newer one").public_key == ""
    assert new_boot("key of a newer one") != boot
