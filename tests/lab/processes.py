"""Programs: run one, keep one running, find those of a namespace."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from lab.errors import LabError

POLL = 0.005
PROXIES = ("http_proxy", "https_proxy", "all_proxy")


class Starter(subprocess.Popen[bytes]):
    """What starts a program in a machine, and ends with it. Both outlive us if need be."""

    def __del__(self) -> None:
        """Nothing: to forget it is no leak."""


class Process:
    """A program that was started in a machine."""

    def __init__(self, argv: Sequence[str], starter: Starter, log: Path, written: int) -> None:
        self.argv = tuple(argv)
        self.log = log
        self._written = written
        self._starter = starter
        self.pid = _only_child(starter)
        """Its number outside the machine; that of its starter when it has already ended."""

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet; a stopped one runs."""
        return self._starter.poll() is None

    def terminate(self) -> None:
        """Ask it to end."""
        self.signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, and wait until it has."""
        self.signal(signal.SIGKILL)
        self.resume()
        self.wait()

    def stop(self) -> None:
        """Make it stand still."""
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on; its starter, which stops with it, as well."""
        self.signal(signal.SIGCONT)
        if self.is_running:
            self._starter.send_signal(signal.SIGCONT)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it is still there."""
        if self.is_running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def wait(self, timeout: float | None = 10) -> int:
        """Wait for its end; the exit code, or minus the signal that ended it."""
        try:
            return self._starter.wait(timeout)
        except subprocess.TimeoutExpired:
            raise LabError(f"{self.argv[0]} has not ended after {timeout} s") from None

    def output(self) -> str:
        """What it has written so far, without what others had written to its log before."""
        return self.log.read_bytes()[self._written :].decode(errors="replace")


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of the lab's programs: ours, without proxies, which no machine can reach."""
    ours = {name: value for name, value in os.environ.items() if name.lower() not in PROXIES}
    return ours | dict(extra or {})


def run(argv: Sequence[str], text: str | None = None, timeout: float = 60) -> str:
    """Run a program to its end and give what it printed; it must exit with 0."""
    return checked(attempt(argv, text, timeout))


def attempt(
    argv: Sequence[str], text: str | None = None, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, whatever its exit code."""
    try:
        return subprocess.run(
            argv,
            input=text or "",
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
            env=environment(),
        )
    except FileNotFoundError:
        raise LabError(f"cannot run {argv[0]}: it is not installed") from None
    except subprocess.TimeoutExpired:
        raise LabError(f"{' '.join(argv)} has not ended after {timeout} s") from None


def checked(done: subprocess.CompletedProcess[str]) -> str:
    """What a program printed; LabError when it did not exit with 0."""
    if done.returncode:
        said = (done.stderr or done.stdout).strip() or f"exit code {done.returncode}"
        raise LabError(f"{' '.join(done.args)}: {said}")
    return done.stdout


def wait_for(
    condition: Callable[[], object], what: str, timeout: float = 60, every: float = POLL
) -> None:
    """Look again and again until the condition holds."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            raise LabError(f"{what}: not within {timeout:g} s")
        time.sleep(every)


def in_namespace(file: Path) -> list[int]:
    """The processes in a network namespace, but those that have ended and wait to be reaped."""
    try:
        wanted = file.stat()
    except FileNotFoundError:
        return []
    return [pid for pid in _all() if _is_in(pid, wanted)]


def first_of(file: Path) -> int | None:
    """PID 1, by its outside number, of the machine with this network namespace."""
    for pid in in_namespace(file):
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        numbers = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()
        if len(numbers) == 3 and numbers[2] == "1":  # a container's PID 1 has one number more
            return pid
    return None


def kill_all(file: Path) -> bool:
    """Kill every process of a network namespace; whether there was one."""
    found = in_namespace(file)
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return bool(found)


def end_all(file: Path) -> None:
    """Kill every process of a network namespace, and wait until they are gone."""
    wait_for(lambda: not kill_all(file), f"the processes of {file.name} end", timeout=30)


def _all() -> Iterator[int]:
    return (int(entry) for entry in os.listdir("/proc") if entry.isdigit())  # noqa: PTH208 (ten times quicker than Path)


def _is_in(pid: int, wanted: os.stat_result) -> bool:
    try:
        found = os.stat(f"/proc/{pid}/ns/net")  # noqa: PTH116 (the same)
    except OSError:
        return False
    return (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino)


def _only_child(starter: Starter) -> int:
    """The process that `nsenter` made; the starter's own number when it is over already."""
    listed = Path(f"/proc/{starter.pid}/task/{starter.pid}/children")
    while starter.poll() is None:
        children = listed.read_text().split()
        if children:
            return int(children[0])
        time.sleep(0.001)
    return starter.pid
