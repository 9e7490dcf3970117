"""Machines: a network namespace, and the namespaces that a PID 1 of its own lives in.

SIGKILL to that PID 1 makes the kernel kill every process of the machine at once, and takes its
mounts with it. With the cables down first, that is a power loss: nobody says goodbye.
"""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab import processes
from lab.cgroups import Groups
from lab.errors import LabError
from lab.layout import Layout, Nic
from lab.network import Network
from lab.processes import Process, Starter

INIT = Path(__file__).with_name("machine-init.sh")
ENTER = 'while [ "$1" != -- ]; do echo $$ > "$1" || exit 1; shift; done; shift; exec "$@"'
"""A shell script: enters the control groups named before `--`, becomes the program after it."""


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What a machine is made of."""

    name: str
    nics: tuple[Nic, ...]
    init: tuple[str, ...] = ()
    """What becomes its PID 1 once its mounts are there; without it, PID 1 only reaps."""
    env: Mapping[str, str] = field(default_factory=dict)
    """More environment for PID 1."""
    binds: tuple[tuple[Path, Path], ...] = ()
    """Files and folders to mount over others: (what, where). Both must exist."""
    share: int = 1
    """How many times the usual share of the processors it gets while all are busy."""
    own_cgroups: bool = False
    """Whether it sees its control groups as the root of all, and has them mounted to divide."""


class Machine:
    """One machine of a lab."""

    def __init__(self, blueprint: Blueprint, layout: Layout, network: Network) -> None:
        self.blueprint = blueprint
        self.name = blueprint.name
        self.folder = layout.folder(self.name)
        """Survives a crash; seen under the same path from inside."""
        self._namespace = layout.namespace_file(self.name)
        self._network = network
        self._groups = Groups(layout, self.name)
        self._children: list[Starter] = []

    @property
    def pid(self) -> int:
        """The outside number of its PID 1."""
        found = processes.first_of(self._namespace)
        if found is None:
            raise LabError(f"machine {self.name} is off")
        return found

    @property
    def is_on(self) -> bool:
        """Whether it runs; a frozen one does."""
        return processes.first_of(self._namespace) is not None

    def ensure_on(self) -> None:
        """Power it on, unless it is on already."""
        if not self.is_on:
            self.power_on()

    def power_on(self) -> None:
        """Plug it in and start it; ready for programs when this returns."""
        if self._namespace.exists():
            raise LabError(f"machine {self.name} is on already")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._network.plug(self.name, self.blueprint.nics)
        self._groups.create(self.blueprint.share)
        told, tells = os.pipe()
        try:
            self._children.append(self._boot(tells))
        finally:
            os.close(tells)
        with os.fdopen(told) as pipe:
            if pipe.readline() != "ready\n":
                log = (self.folder / "init.log").read_text().strip()
                raise LabError(f"machine {self.name} does not start: {log[-500:]}")

    def crash(self) -> float:
        """Cut its power; gives the time.monotonic() of it, and returns when all of it is gone."""
        pid = self.pid
        when = self._network.cut(self.name, self.blueprint.nics)
        os.kill(pid, signal.SIGKILL)
        self._groups.thaw()  # what is frozen cannot die
        processes.end_all(self._namespace)
        self.reap()
        self._network.unplug(self.name, self.blueprint.nics)
        self._groups.remove()
        return when

    def reap(self) -> None:
        """Take note of its processes that have ended."""
        self._children = [child for child in self._children if child.poll() is None]

    def cable(self, nic: str, *, up: bool) -> float:
        """Plug a cable in or out; gives the time.monotonic() of it."""
        return self._network.cable(self.name, nic, up=up)

    def cut(self, bridge: str) -> float:
        """Cut it off from the control network or the segment; its carrier stays."""
        return self._network.cut(self.name, self._nics_on(bridge))

    def mend(self, bridge: str) -> float:
        """Undo a cut."""
        return self._network.mend(self.name, self._nics_on(bridge))

    def freeze(self) -> None:
        """Make all of its processes stand still, as a hung machine's; its kernel still answers."""
        if not self._groups.freeze():
            self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on."""
        if not self._groups.thaw():
            self._signal_all(signal.SIGCONT)

    def spawn(
        self,
        argv: Sequence[str],
        log: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Process:
        """Start a program in it, which outlives us. Paths must be absolute: it starts in /."""
        log = log or self.folder / f"{Path(argv[0]).name}.log"
        with log.open("ab") as out:
            written = out.tell()
            starter = Starter(
                self.entering(argv),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=processes.environment(env),
            )
        self.reap()
        self._children.append(starter)
        return Process(argv, starter, log, written)

    def run(self, argv: Sequence[str], text: str | None = None, timeout: float = 60) -> str:
        """Run a program in it to its end and give what it printed; it must exit with 0."""
        return processes.checked(self.attempt(argv, text, timeout))

    def attempt(
        self, argv: Sequence[str], text: str | None = None, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in it to its end, whatever its exit code."""
        done = processes.attempt(self.entering(argv), text, timeout)
        done.args = list(argv)  # for messages: how it got in is of no interest
        return done

    def entering(self, argv: Sequence[str]) -> list[str]:
        """The command line that runs another one in it, from the root namespace."""
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--uts", "--ipc", "--net", "--pid"]
        if self.blueprint.own_cgroups:
            enter.append("--cgroup")
        return [*self._joining(), *enter, "--", *argv]

    def _joining(self) -> list[str]:
        return ["sh", "-c", ENTER, "sh", *self._groups.doors, "--"]

    def _boot(self, ready: int) -> Starter:
        blueprint = self.blueprint
        unshare = ["unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child"]
        if blueprint.own_cgroups:
            unshare.append("--cgroup")
        inner = [str(INIT), self.name, str(self.folder), *blueprint.init]
        extra = {
            "LAB_BINDS": "".join(f"{what} {where}\n" for what, where in blueprint.binds),
            "LAB_READY": str(ready),
            "LAB_CGROUPS": " ".join(self._groups.mounts) if blueprint.own_cgroups else "",
        }
        with (self.folder / "init.log").open("ab") as out:
            return Starter(
                [*self._joining(), "nsenter", f"--net={self._namespace}", *unshare, *inner],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(ready,),
                env=processes.environment({**blueprint.env, **extra}),
            )

    def _nics_on(self, bridge: str) -> list[Nic]:
        found = [nic for nic in self.blueprint.nics if nic.bridge == bridge]
        if not found:
            raise LabError(f"machine {self.name} has no card on the {bridge} network")
        return found

    def _signal_all(self, number: signal.Signals) -> None:
        """Without control groups; pods with networks of their own are not reached."""
        for pid in processes.in_namespace(self._namespace):
            os.kill(pid, number)
