"""The lock of an agent: held by agents, and by nobody who may do nothing else."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator

import pytest

from duravip_agent.kernel.instance_lock import NAMES, lock, owners
from duravip_runtime.settings import SettingsError

STRANGER = """
import os, socket, sys
os.setuid(65534)
held = [socket.socket(socket.AF_UNIX) for _ in sys.argv[1:]]
for one, name in zip(held, sys.argv[1:]):
    one.bind("\\0" + name)
print("bound", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def names() -> tuple[str, ...]:
    """Names that nobody else uses: the machine may run an agent."""
    return tuple(f"duravip-test-{secrets.token_hex(4)}{number}" for number in range(3))


@pytest.fixture
def squatted(names: tuple[str, ...]) -> Iterator[int]:
    """How many of the names a stranger holds: all but the last one."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to be somebody else")
    taken = names[:-1]
    argv = [sys.executable, "-c", STRANGER, *taken]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as stranger:
        assert stranger.stdout
        assert stranger.stdout.readline() == b"bound\n"
        yield len(taken)
        stranger.kill()


def test_the_second_agent_is_refused_until_the_first_one_ends(names: tuple[str, ...]) -> None:
    with lock(names):
        assert owners()[names[0]] == {os.geteuid()}
        with pytest.raises(SettingsError):
            lock(names)
    with lock(names):
        pass


def test_a_stranger_keeps_no_agent_from_its_start(
    names: tuple[str, ...], squatted: int, caplog: pytest.LogCaptureFixture
) -> None:
    with lock(names):
        assert owners()[names[squatted]] == {0}
        assert f"the socket @{names[0]} is held by uid 65534, which is no agent" in caplog.text
        with pytest.raises(SettingsError):
            lock(names)


def test_an_agent_under_a_later_name_is_seen_when_the_stranger_has_gone(
    names: tuple[str, ...],
) -> None:
    with lock(names[1:]), pytest.raises(SettingsError):
        lock(names)


def test_an_agent_starts_although_strangers_hold_everything(
    names: tuple[str, ...], squatted: int, caplog: pytest.LogCaptureFixture
) -> None:
    with lock(names[:squatted]):
        assert "none is looked for" in caplog.text


def test_the_first_name_is_the_one_that_earlier_agents_hold() -> None:
    assert NAMES[0] == "duravip-agent"
