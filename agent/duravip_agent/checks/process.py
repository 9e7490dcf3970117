"""The process that makes the checks: `python -m duravip_agent.checks.process`.

It reads what to check from its standard input, a line of JSON each time that this changes, and
writes what passes to its standard output, at once when it changes and every second, so that the
agent knows that it is alive. It ends with the agent: its input ends then, and the kernel kills it.

A process of its own, since the agent's heartbeats share its interpreter: whatever servers answer,
and however many, it costs the agent nothing but a line to read. It gives up all privileges.
"""

import codecs
import ctypes
import gc
import json
import os
import select
import signal
import sys
import time
from collections import Counter, defaultdict
from contextlib import suppress
from typing import Any, Final

from duravip_agent.checks.attempts import Attempt, Result, Wait, attempt
from duravip_agent.core.checks import Probe, Tally, count

REPORT_EVERY_S: Final = 1.0
LINGER_S: Final = 0.2
"""How long a server has to end its answer after the status."""

GATHER_S: Final = 0.01
"""Answers are awaited for so long before the first of them is read: one look finds many."""

NOBODY: Final = 65534
_SET_DEATH_SIGNAL, _SET_NO_NEW_PRIVILEGES = 1, 38
_CAPABILITY_VERSION = 0x20080522


class _Check:
    """A check, and the probe of it that is under way."""

    def __init__(self, probe: Probe, tally: Tally) -> None:
        self.probe, self.tally = probe, tally
        self.request = probe.request
        self.attempt: Attempt | None = None
        """None: nothing is under way."""
        self.begun = self.deadline = 0.0
        self.is_done = False
        """Whether the result is known: only the rest of the answer is read."""
        self.descriptor, self.event = -1, 0
        """What it waits for, once that was found to last."""


class Attempts:
    """All checks, and the probes that are under way."""

    def __init__(self) -> None:
        self._checks: dict[str, _Check] = {}
        """By line."""
        self._epoll = select.epoll()
        self._due: dict[float, list[_Check]] = defaultdict(list)
        """When probes begin: those of one interval together, which costs a third of one by one."""
        self._running: set[_Check] = set()
        self._fresh: list[_Check] = []
        """Of those that run: the ones that have begun just now."""
        self._by_fd: dict[int, _Check] = {}
        self.has_changed = True
        """Whether other checks pass than when this was last set to False."""
        self.results: Counter[str] = Counter()
        self.microseconds: list[int] = []

    @property
    def passing(self) -> list[str]:
        """The lines of those that pass."""
        return [line for line, check in self._checks.items() if check.tally.is_passing]

    def listen_to(self, descriptor: int) -> None:
        """Let `run` return when something can be read there."""
        self._epoll.register(descriptor, select.EPOLLIN)

    def replace(self, probes: list[Probe], passing: set[str]) -> None:
        """Make these checks from now on; of those that are new, `passing` have passed before."""
        self.has_changed = True
        before, self._checks = self._checks, {}
        now = time.monotonic()
        for probe in probes:
            known = before.get(probe.line)
            if known and known.probe == probe:
                check = before.pop(probe.line)
            else:
                check = _Check(probe, Tally(known is None and probe.line in passing))
                self._due[now].append(check)
            self._checks[probe.line] = check
        for check in before.values():
            self._end(check)

    def run(self, until: float) -> bool:
        """Probe until something can be read, a check changes, or the time comes.

        True: something can be read.
        """
        while (now := time.monotonic()) < until and not self.has_changed:
            for moment in [moment for moment in self._due if moment <= now]:
                for check in self._due.pop(moment):
                    self._begin(check, now)
            self._look_at_fresh()
            for check in [late for late in self._running if late.deadline <= now]:
                if not check.is_done:
                    self._count(check, Result.TIMEOUT)
                self._end(check)
            if self._wait(until):
                return True
        return False

    def _begin(self, check: _Check, now: float) -> None:
        probe = check.probe
        if self._checks.get(probe.line) is not check:
            return
        self._due[(round(now / probe.interval) + 1) * probe.interval].append(check)
        if check.attempt:
            if not check.is_done:
                return  # one at a time, if the time-out is longer than the interval
            self._end(check)
        check.attempt, check.is_done = attempt(probe, check.request), False
        check.begun = time.monotonic()
        check.deadline = check.begun + probe.timeout
        if self._advance(check) is not None:
            self._running.add(check)
            self._fresh.append(check)

    def _look_at_fresh(self) -> None:
        """Read what has come at once: most servers answer so soon that nothing is waited for."""
        if self._fresh:
            time.sleep(GATHER_S)
            fresh, self._fresh = self._fresh, []
            for check in fresh:
                self._go_on(check)

    def _wait(self, until: float) -> bool:
        """Until something is due, or answers come; whether anything else can be read."""
        deadlines = [check.deadline for check in self._running]
        end = min([until, *self._due, *deadlines])
        is_input = False
        for descriptor, _ in self._epoll.poll(max(0.0, end - time.monotonic())):
            if check := self._by_fd.get(descriptor):
                self._go_on(check)
            else:
                is_input = True
        return is_input

    def _go_on(self, check: _Check) -> None:
        waits_for = self._advance(check)
        if waits_for is None:
            return
        sock, event = waits_for
        if not check.event:
            check.descriptor = sock.fileno()
            self._by_fd[check.descriptor] = check
            self._epoll.register(sock, event)
        elif check.event != event:
            self._epoll.modify(sock, event)
        check.event = event

    def _advance(self, check: _Check) -> Wait | None:
        """Do the next step of its probe; what it waits for then, None if it has ended."""
        assert check.attempt  # noqa: S101 - for mypy
        try:
            step = next(check.attempt, None)
            if isinstance(step, Result):
                self._count(check, step)
                check.is_done, check.deadline = True, time.monotonic() + LINGER_S
                step = next(check.attempt, None)
        except (OSError, ValueError):
            step = None
            if not check.is_done:
                self._count(check, Result.INVALID)
        if step is None or isinstance(step, Result):  # there is only one
            self._end(check)
            return None
        return step

    def _end(self, check: _Check) -> None:
        """End the probe that is under way, if one is."""
        if check.event:
            del self._by_fd[check.descriptor]
            check.event = 0
        self._running.discard(check)
        if check.attempt:
            check.attempt.close()  # closes the socket, which leaves the epoll by that
            check.attempt = None

    def _count(self, check: _Check, result: Result) -> None:
        self.results[result] += 1
        self.microseconds.append(int(1e6 * (time.monotonic() - check.begun)))
        before = check.tally
        check.tally = count(before, check.probe, is_success=result is Result.PASSED)
        self.has_changed |= before.is_passing != check.tally.is_passing


def main() -> None:
    """Work until the input ends."""
    codecs.lookup("idna")  # for names of servers: nobody may not read Python's own files
    give_up_privileges()
    gc.freeze()  # what is there by now stays
    attempts, rest = Attempts(), b""
    attempts.has_changed = False  # until it is told what to check it has nothing to report
    source = sys.stdin.fileno()
    os.set_blocking(source, False)
    attempts.listen_to(source)
    while True:
        if attempts.run(time.monotonic() + REPORT_EVERY_S):
            data = os.read(source, 1 << 20)
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            if lines:
                wanted = json.loads(lines[-1])
                attempts.replace(list(map(_probe, wanted["probes"])), set(wanted["passing"]))
        report: dict[str, Any] = {
            "results": attempts.results,
            "microseconds": attempts.microseconds,
        }
        if attempts.has_changed:
            report["passing"] = attempts.passing
        sys.stdout.write(f"{json.dumps(report)}\n")
        sys.stdout.flush()
        attempts.has_changed = False
        attempts.results.clear()
        attempts.microseconds.clear()


def _probe(fields: list[Any]) -> Probe:
    probe = Probe(*fields)
    return probe._replace(statuses=tuple((low, high) for low, high in probe.statuses))


def give_up_privileges() -> None:
    """Be nobody, with no capability; where that is not allowed, with no capability."""
    libc = ctypes.CDLL(None, use_errno=True)
    with suppress(OSError):
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    header, none = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)()
    libc.capset(header, none)
    libc.prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    libc.prctl(_SET_DEATH_SIGNAL, int(signal.SIGKILL), 0, 0, 0)  # which a new user resets


if __name__ == "__main__":
    with suppress(BrokenPipeError, KeyboardInterrupt):
        main()
