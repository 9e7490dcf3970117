"""`duravip-hooks` as a process, with real executables, told by the agent's own local API."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from duravip_agent.core.node_spec import Placement
from duravip_agent.local_api import Identity, LocalApi, open_local_api
from lab.fleet import PROGRAMS

PROGRAM = PROGRAMS / "duravip-hooks"
PATIENCE_S = 30.0
A, B, C = "10.1.1.1", "10.1.1.2", "10.1.1.3"
WANTED = {address: Placement("eth1", 32) for address in (A, B, C)}
WRITES = 'printf "%s\\n" "${0##*/} $*" >> "$TOLD"'
"""What a hook does that is only to be seen: a line with its name and arguments."""


class Node:
    """A local API, a folder of hooks, and the program between them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.told_file = folder / "hooks.d", folder / "told"
        self.folder.mkdir()
        self.told_file.touch()
        self.socket, self.log = folder / "agent.sock", folder / "log"
        self.api: LocalApi | None = None
        self.program: subprocess.Popen[bytes] | None = None

    def hook(self, name: str, script: str = WRITES, mode: int = 0o755) -> Path:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(mode)
        return path

    def serve(self, *addresses: str) -> None:
        """Let exactly these be served; the agent is started where none runs."""
        if self.api is None:
            where = f"unix:{self.socket}"
            self.api = open_local_api(where, "", lambda: Identity("n1", "boot", True))  # noqa: FBT003
            self.api.start()
        self.api.update(frozenset(addresses), WANTED)
        self.api.wait_until_notified()

    def end_agent(self) -> None:
        if self.api:
            self.api.close()
            self.api = None

    def start(self, *options: str, **variables: str) -> subprocess.Popen[bytes]:
        command = [str(PROGRAM), f"--agent={self.socket}", f"--dir={self.folder}", *options]
        environment = {**os.environ, "TOLD": str(self.told_file), **variables}
        with self.log.open("ab") as log:
            self.program = subprocess.Popen(command, stderr=log, env=environment)
        return self.program

    def told(self) -> list[str]:
        return self.told_file.read_text().splitlines()

    def logged(self) -> str:
        return self.log.read_text()

    def wait_told(self, *lines: str) -> None:
        """Wait until exactly these were told."""
        self.wait(lambda: len(self.told()) >= len(lines))
        assert self.told() == list(lines)

    def wait(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, (self.told(), self.logged())
            time.sleep(0.01)

    def close(self) -> None:
        if self.program:
            self.program.kill()
            self.program.wait()
        self.end_agent()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = Node(tmp_path)
    yield made
    made.close()


def test_hooks_run_in_order_and_then_all_is_settled(node: Node) -> None:
    node.hook("20.second")
    node.hook("10.first")
    node.hook("10.first~")
    node.hook("10.first.dpkg-old")
    node.hook("30.third", mode=0o644)
    node.serve(A)
    node.start()
    both = [f"{hook} gained {A} eth1" for hook in ("10.first", "20.second")]
    settled = ["10.first settled", "20.second settled"]
    node.wait_told(*both, *settled)
    node.serve(B)
    lost = [f"{hook} lost {A} eth1" for hook in ("10.first", "20.second")]
    # what has come in one change, or in two, is told in this order
    gained = [f"{hook} gained {B} eth1" for hook in ("10.first", "20.second")]
    node.wait_told(*both, *settled, *lost, *gained, *settled)
    assert "30.third is ignored: it is not executable" in node.logged()


def test_settled_reads_all_that_is_served_and_the_environment_says_where(node: Node) -> None:
    node.hook(
        "10.list",
        '[ $1 != settled ] || { cat; echo "$DURAVIP_NODE $DURAVIP_REVISION"; } > "$TOLD"',
    )
    node.serve(C, A, B)
    node.start()
    node.wait(lambda: len(node.told()) == 4)
    assert node.told() == [A, B, C, "n1 1"]


def test_a_hook_that_takes_too_long_is_killed_with_all_that_it_has_started(node: Node) -> None:
    node.hook("10.slow", 'sleep 1000 & echo $! > "$TOLD"; wait')
    node.serve()
    node.start(DURAVIP_HOOK_TIMEOUT="0.5")
    node.wait(lambda: "10.slow settled: killed, since it has taken 0.5 s" in node.logged())
    child = int(node.told()[0])
    node.wait(lambda: not Path(f"/proc/{child}").exists() or "zombie" in state(child))


def state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return "zombie"


def test_what_a_hook_leaves_running_stays_and_holds_nothing_up(node: Node) -> None:
    node.hook("10.server", 'sleep 1000 & echo $! >> "$TOLD"')
    node.hook("20.next")
    node.serve()
    node.start()
    node.wait(lambda: "20.next settled" in node.told())
    child = int(node.told()[0])
    try:
        assert "zombie" not in state(child)
    finally:
        os.kill(child, signal.SIGKILL)


def test_settled_is_tried_again_until_it_succeeds_and_only_where_it_failed(node: Node) -> None:
    node.hook("10.fails", f"{WRITES}; [ -e {node.folder}/fine ]")
    node.hook("20.works")
    node.serve()
    node.start()
    node.wait(lambda: node.told().count("10.fails settled") >= 2)
    (node.folder / "fine").touch()
    node.wait(lambda: "settled: 1 hooks notified, 0 failed" in node.logged())
    assert node.told().count("20.works settled") == 1
    assert "10.fails settled: exit code 1" in node.logged()


def test_what_a_hook_prints_is_in_the_log_line_by_line(node: Node) -> None:
    node.hook("10.talks", "echo one; echo two >&2; yes | head -c 1000000")
    node.serve()
    node.start("--log-format=json")
    node.wait(lambda: "settled: 1 hooks notified" in node.logged())
    messages = [json.loads(line)["message"] for line in node.logged().splitlines()]
    assert "10.talks settled: one" in messages
    assert "10.talks settled: two" in messages
    assert len(node.logged()) < 3_000_000


def test_events_that_come_while_hooks_run_coalesce(node: Node) -> None:
    go = node.folder / "go"
    node.hook("10.slow", f"{WRITES}; until [ -e {go} ]; do sleep 0.01; done")
    node.serve(A)
    node.start()
    node.wait_told(f"10.slow gained {A} eth1")
    for _ in range(20):
        node.serve(A, B)
        node.serve(A)
    node.serve(C)
    go.touch()
    rest = (f"10.slow lost {A} eth1", f"10.slow gained {C} eth1", "10.slow settled")
    node.wait_told(f"10.slow gained {A} eth1", *rest)


def test_the_agent_is_waited_for_and_followed_over_its_restarts(node: Node) -> None:
    node.hook("10.hook")
    node.start()
    node.wait(lambda: "cannot be followed: No such file" in node.logged())
    node.serve(A)
    node.wait_told(f"10.hook gained {A} eth1", "10.hook settled")
    node.end_agent()
    node.wait(lambda: node.logged().count("cannot be followed") == 2)
    assert node.told() == [f"10.hook gained {A} eth1", "10.hook settled"]
    node.serve(B)
    node.wait(
        lambda: node.told()[-1] == "10.hook settled" and f"10.hook gained {B} eth1" in node.told()
    )
    assert f"10.hook lost {A} eth1" in node.told()
    assert node.logged().count("cannot be followed") == 2, "one line, however often it is tried"


def test_hooks_may_come_and_go_while_it_runs(node: Node) -> None:
    node.serve()
    node.start()
    node.wait(lambda: "settled: 0 hooks notified" in node.logged())
    hook = node.hook("10.late")
    node.serve(A)
    node.wait_told(f"10.late gained {A} eth1", "10.late settled")
    hook.unlink()
    node.serve(A, B)
    node.wait(lambda: f"gained {B} eth1: 0 hooks notified" in node.logged())


def test_what_everybody_may_write_to_does_not_run(node: Node) -> None:
    node.hook("10.open", mode=0o757)
    node.serve(A)
    node.start()
    node.wait(lambda: "settled: 0 hooks notified" in node.logged())
    assert "10.open is ignored: everybody may write to it" in node.logged()
    node.hook("10.open")
    node.folder.chmod(0o777)
    node.serve(A, B)
    node.wait(lambda: "everybody may write to it" in node.logged().splitlines()[-1])
    assert node.told() == []
    node.folder.chmod(0o755)
    node.wait_told("10.open settled")


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("#!/none\n", "cannot be started: No such file"),
        ("\x7fELF", "cannot be started: Exec format"),
    ],
)
def test_a_hook_that_cannot_be_started_fails_and_the_next_one_runs(
    node: Node, script: str, why: str
) -> None:
    node.hook("10.broken").write_text(script)
    node.hook("20.works")
    node.serve()
    node.start()
    node.wait_told("20.works settled")
    node.wait(lambda: f"10.broken settled: {why}" in node.logged())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_ends_with_0_also_while_a_hook_runs(
    node: Node, number: signal.Signals
) -> None:
    node.hook("10.endless", f"{WRITES}; sleep 1000")
    node.hook("20.never")
    node.serve()
    program = node.start("--hook-timeout=100")
    node.wait_told("10.endless settled")
    program.send_signal(number)
    assert program.wait(PATIENCE_S) == 0
    assert "killed, since we are asked to stop" in node.logged()
    assert node.told() == ["10.endless settled"]


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ("--agent=10.1.1.1:9480", "--agent: must be unix:/PATH, or HOST:PORT with a loopback"),
        ("--agent=", "--agent: must be"),
        ("--dir=/none", "cannot read the folder /none: No such file or directory"),
        ("--hook-timeout=0", "--hook-timeout: "),
        ("--colour=blue", "--colour=blue"),
    ],
)
def test_bad_settings_end_it_with_2_and_one_line(node: Node, option: str, why: str) -> None:
    program = node.start(option)
    assert program.wait(PATIENCE_S) == 2
    assert why in node.logged()
    assert len(node.logged().splitlines()) == 1


def test_a_folder_that_everybody_may_write_to_ends_the_start(node: Node) -> None:
    node.folder.chmod(0o777)
    program = node.start()
    assert program.wait(PATIENCE_S) == 2
    assert "everybody may write to it" in node.logged()


def test_it_needs_nothing_of_kubernetes_and_explains_itself() -> None:
    shown = subprocess.run([PROGRAM, "--help"], check=True, capture_output=True, text=True).stdout
    assert "NN.NAME settled" in shown
    assert "--hook-timeout" in shown
    assert "kubeconfig" not in shown
    look = (
        "import sys, duravip_hooks.__main__; "
        "print(*{'kubernetes', 'kopf', 'pyroute2', 'prometheus_client'} & {*sys.modules})"
    )
    found = subprocess.run(
        [sys.executable, "-c", look], check=True, capture_output=True, text=True
    )
    assert found.stdout.strip() == ""
