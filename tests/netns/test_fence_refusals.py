"""Where no fence can be had, one line says why."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from duravip_agent.kernel.nftables import FenceError
from netns.fenced_node import DEAD_MAN, FencedNode, fenced_node

BUILDER = """
from duravip_agent.kernel.fence import Fence
from duravip_agent.kernel.nftables import FenceError
try:
    Fence().build(["eth1"], 0.5)
except FenceError as error:
    print(error)
"""
WITHOUT_PERMISSION = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"]


@pytest.fixture
def node() -> Iterator[FencedNode]:
    with fenced_node() as found:
        yield found


def test_a_node_without_the_program_nft_is_refused(
    node: FencedNode, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FenceError, match="there is no program nft"):
        node.fence.build(["eth1"], DEAD_MAN)


def test_a_kernel_that_knows_no_such_rules_is_refused_in_one_line(
    node: FencedNode, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said = "/dev/stdin:12:9-15: Error: Could not process rule: Operation not supported"
    program = tmp_path / "nft"
    program.write_text(f"#!/bin/sh\necho '{said}' >&2\necho more >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(FenceError, match=r"5\.16 or newer") as refusal:
        node.fence.build(["eth1"], DEAD_MAN)
    assert "rule: Operation not supported; it needs" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_an_agent_without_the_permission_is_refused() -> None:
    argv = [*WITHOUT_PERMISSION, sys.executable, "-c", BUILDER]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "CAP_NET_ADMIN" in done.stdout
