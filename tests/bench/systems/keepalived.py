"""Debian's keepalived as plain processes on the lab's nodes."""

import os
import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from bench.phases import Line
from bench.spread import BLOCK, VICTIM, at_home
from bench.systems.keepalived_config import config
from bench.systems.system import Act
from lab.cluster import Lab
from lab.machines import Machine
from lab.processes import Process, wait_for

PROGRAM = "/usr/sbin/keepalived"
SETTLED_WITHIN = 60.0
STOPPED_WITHIN = 30.0
A_THOUSAND = 2.0
"""Seconds that keepalived may take for each thousand addresses, on top of its timers."""


class Keepalived:
    """keepalived with one interval of advertisements."""

    def __init__(self, lab: Lab, advert: float) -> None:
        self._lab = lab
        self._advert = advert
        self._count = 0
        self._running: dict[str, Process] = {}
        self._is_ending = False
        """Whether the one on the victim was asked to end, which takes a while."""

    @staticmethod
    def absence() -> str:
        """Why it cannot be measured here; empty when it can."""
        found = Path(PROGRAM).exists() or shutil.which("keepalived")
        return "" if found else "keepalived is not installed (Debian's package keepalived)"

    @cached_property
    def acts(self) -> Mapping[str, Act]:
        """By case: what happens to it."""
        return {
            "crash": self._lab.machines[VICTIM].crash,
            "sigterm": self._terminate,
            "agent-killed": self._kill,
            "agent-frozen": lambda: self._signal(signal.SIGSTOP),
        }

    @cached_property
    def ends(self) -> Mapping[str, Act]:
        """By case: what ends that."""
        return {"agent-frozen": self._thaw}

    def patience(self, case: str, count: int) -> float:
        """Three advertisements that are missed and a fraction of one, then the addresses."""
        waits = 0.0 if case == "sigterm" else 4 * self._advert
        return 0.8 + waits + A_THOUSAND * count / 1000

    def start(self) -> None:
        """Nothing runs until there are addresses."""

    def serve(self, count: int) -> None:
        """Start it anew everywhere, with so many addresses."""
        for node in self._lab.nodes:
            node.ensure_on()  # the cell before this one may have ended with a crash
            self._end(node)
        self._count = count
        for node in self._lab.nodes:
            (node.folder / "keepalived.conf").write_text(config(node.name, count, self._advert))

    def settle(self, case: str) -> None:  # noqa: ARG002 (all cases begin alike)
        """Start what does not run, and wait until every address is at home, and nowhere else."""
        for node in self._lab.nodes:
            node.ensure_on()
            running = self._running.get(node.name)
            if running is None or not running.is_running or self._is_ending_on(node):
                self._end(node)
                self._begin(node)
        self._is_ending = False
        for node in self._lab.nodes:
            wait_for(
                lambda n=node: _held(n) == set(at_home(n.name, self._count)),  # type: ignore[misc]
                f"keepalived has its addresses on {node.name}",
                SETTLED_WITHIN + 3 * A_THOUSAND * self._count / 1000,
                every=0.1,
            )
        time.sleep(2 * self._advert)

    def log(self) -> Iterator[Line]:
        """It logs no milliseconds."""
        return iter(())

    def _begin(self, node: Machine) -> None:
        files = {f"--{use}": node.folder / f"keepalived.{use}" for use in ("pid", "vrrp_pid")}
        for file in files.values():
            file.unlink(missing_ok=True)
        self._running[node.name] = node.spawn(
            [
                PROGRAM,
                "--vrrp",
                "--dont-fork",
                "--log-console",
                f"--use-file={node.folder / 'keepalived.conf'}",
                *(f"{option}={file}" for option, file in files.items()),
            ]
        )

    def _end(self, node: Machine) -> None:
        running = self._running.pop(node.name, None)
        if running:
            running.terminate()
            running.wait(STOPPED_WITHIN)
        node.run(["ip", "addr", "flush", "dev", "eth1", "to", BLOCK])

    def _terminate(self) -> float:
        when = time.monotonic()
        self._running[VICTIM].terminate()
        self._is_ending = True
        return when

    def _is_ending_on(self, node: Machine) -> bool:
        return self._is_ending and node.name == VICTIM

    def _signal(self, number: signal.Signals) -> float:
        """To all of its processes, the one that would start another one again first."""
        when = time.monotonic()
        for pid in self._processes():
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        return when

    def _kill(self) -> float:
        """Its parent could not see its child die, nor the child its parent."""
        self._signal(signal.SIGSTOP)
        children = self._processes()[1:]
        when = time.monotonic()
        for pid in children:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._running[VICTIM].kill()
        return when

    def _thaw(self) -> float:
        when = self._signal(signal.SIGCONT)
        self._running[VICTIM].resume()
        return when

    def _processes(self) -> list[int]:
        parent = self._running[VICTIM].pid
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return [parent, *map(int, children)]


def _held(node: Machine) -> set[str]:
    words = node.run(["ip", "-4", "-o", "addr", "show", "dev", "eth1", "to", BLOCK]).split()
    return {word.removesuffix("/32") for word in words if word.endswith("/32")}
