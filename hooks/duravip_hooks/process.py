"""Runs one hook: as a process group of its own, with a time limit, its output in our log.

A hook may start programs that stay, such as a server that takes over from another one. They are
its own affair once it has ended in time; of one that is late everything in its group is killed.
"""

import contextlib
import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

OUTPUT_BYTES: Final = 16 * 1024
"""More of what a hook prints is thrown away."""
STOP_GRACE_S: Final = 1.0
"""How long a hook may still run when we are asked to stop."""


class HookResult(NamedTuple):
    """How a hook has ended."""

    problem: str
    """Empty: it has succeeded."""
    output: str
    """What it has printed."""
    seconds: float


class StopRequest:
    """Whether we are asked to stop: `request` may be called by a signal's handler."""

    def __init__(self) -> None:
        self.fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        """Readable once it is."""
        self.is_requested = False

    def request(self) -> None:
        """Ask."""
        self.is_requested = True
        os.eventfd_write(self.fd, 1)

    def close(self) -> None:
        """Let go of the descriptor."""
        os.close(self.fd)


def run_hook(
    argv: Sequence[str],
    text: str,
    environment: Mapping[str, str],
    timeout: float,
    stop: StopRequest,
) -> HookResult:
    """Run it to its end, with `text` as its standard input. Never raises for what a hook does."""
    began = time.monotonic()
    pipe, theirs = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        process = _start(argv, text, environment, theirs)
    except OSError as error:
        os.close(pipe)
        return HookResult(f"cannot be started: {error.strerror}", "", 0.0)
    finally:
        os.close(theirs)
    output = bytearray()
    is_late = not _wait(process.pid, pipe, output, began + timeout, stop)
    if is_late:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    code = process.wait()
    _read(pipe, output)
    os.close(pipe)
    seconds = time.monotonic() - began
    printed = output.decode(errors="replace").strip()
    if is_late:
        why = "we are asked to stop" if stop.is_requested else f"it has taken {timeout:g} s"
        return HookResult(f"killed, since {why}", printed, seconds)
    ended = f"ended by signal {-code}" if code < 0 else f"exit code {code}"
    return HookResult(ended if code else "", printed, seconds)


def _start(
    argv: Sequence[str], text: str, environment: Mapping[str, str], output: int
) -> subprocess.Popen[bytes]:
    os.set_blocking(output, True)
    with tempfile.TemporaryFile() as stdin:  # a pipe would have to be written to meanwhile
        stdin.write(text.encode())
        stdin.seek(0)
        return subprocess.Popen(  # noqa: S603 - administrators decide what a hook is
            argv,
            stdin=stdin,
            stdout=output,
            stderr=output,
            env=environment,
            cwd="/",
            start_new_session=True,
        )


def _wait(process: int, pipe: int, output: bytearray, deadline: float, stop: StopRequest) -> bool:
    """Wait for its end, and take what it prints; False: it is too late."""
    ended = os.pidfd_open(process)
    try:
        with selectors.DefaultSelector() as selector:
            for fd in (pipe, ended, stop.fd):
                selector.register(fd, selectors.EVENT_READ)
            while (left := deadline - time.monotonic()) > 0:
                ready = {key.fd for key, _ in selector.select(left)}
                if pipe in ready and not _read(pipe, output):
                    selector.unregister(pipe)
                if ended in ready:
                    return True
                if stop.fd in ready:
                    selector.unregister(stop.fd)
                    deadline = min(deadline, time.monotonic() + STOP_GRACE_S)
            return False
    finally:
        os.close(ended)


def _read(pipe: int, output: bytearray) -> bool:
    """Take what is there; False: nothing more will come."""
    try:
        piece = os.read(pipe, 64 * 1024)
    except BlockingIOError:
        return True
    output += piece[: OUTPUT_BYTES - len(output)]
    return bool(piece)
