"""The thread that probes: for the loop, for the operator, and to stay a witness.

`core.witness_book` decides what an outcome proves, and who is watched when.
"""

import logging
import os
import select
import time
from collections.abc import Callable, Iterable
from functools import partial
from math import inf
from queue import SimpleQueue
from threading import Thread

from duravip_agent.core.probing import ProbeResult, ProbeSpec
from duravip_agent.core.witness_book import ProbeOutcome, ProbeSubject, WitnessBook, suspect_probe
from duravip_agent.segment.prober import OnResult, Prober, milliseconds_until

log = logging.getLogger(__name__)

OnOutcome = Callable[[ProbeOutcome], None]

MAX_PROBERS = 256
"""As many interfaces as a node reports: what the operator names may not exist."""

_PAUSE = 0.1
"""After a failure of our own."""


class ProbeWorker:
    """Takes orders from any thread and never lets one wait; calls back from its own thread."""

    def __init__(self) -> None:
        self._probers: dict[str, Prober] = {}
        self._book = WitnessBook()
        self._tasks: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._is_stopping = False
        self._wake_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.thread = Thread(target=self._run, name="probe-worker", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self.thread.start()

    def stop(self) -> None:
        """End; what is being asked is dropped."""
        self._is_stopping = True
        os.eventfd_write(self._wake_fd, 1)
        self.thread.join()

    def probe(self, interface: str, question: ProbeSpec, on_result: OnResult) -> None:
        """Ask a question, as before a contested address is taken (rule A2)."""
        self._submit(partial(self._begin_probe, interface, question, on_result))

    def probe_subject(self, suspect: ProbeSubject, on_outcome: OnOutcome) -> None:
        """Look whether a suspect answers."""
        question = suspect_probe(suspect)
        self._submit(partial(self._probe_subject, suspect, question, on_outcome))

    def watch(self, suspects: Iterable[ProbeSubject]) -> None:
        """From now on be a witness for exactly these."""
        wanted = tuple(suspects)
        self._submit(lambda: self._book.watch(wanted, time.monotonic()))

    def witnessed(self) -> frozenset[tuple[str, str]]:
        """Every `(node, interface)` whose silence would mean something if we reported it now."""
        return self._book.witnessed(time.monotonic())

    def _submit(self, order: Callable[[], None]) -> None:
        self._tasks.put(order)
        os.eventfd_write(self._wake_fd, 1)

    def _begin_probe(self, interface: str, question: ProbeSpec, on_result: OnResult) -> None:
        prober = self._probers.get(interface)
        if prober is None:
            self._make_room()
            prober = self._probers[interface] = Prober(interface)
        prober.begin(question, on_result)

    def _make_room(self) -> None:
        """Forget the interfaces on which nothing is asked, when there are too many names."""
        if len(self._probers) < MAX_PROBERS:
            return
        for name in [name for name, prober in self._probers.items() if prober.is_idle]:
            self._probers.pop(name).close()

    def _probe_subject(
        self, suspect: ProbeSubject, question: ProbeSpec, on_outcome: OnOutcome
    ) -> None:
        def tell(findings: ProbeResult) -> None:
            on_outcome(self._book.note(suspect, findings, time.monotonic()))

        self._begin_probe(suspect.interface, question, tell)

    def _run(self) -> None:
        while not self._is_stopping:
            try:
                self._turn()
            except Exception:
                log.exception("probing failed and goes on")
                time.sleep(_PAUSE)
        for prober in self._probers.values():
            prober.close()

    def _turn(self) -> None:
        self._wait()
        while not self._tasks.empty():
            self._tasks.get()()
        for suspect, question in self._book.due(time.monotonic()):
            self._probe_subject(suspect, question, _ignore)
        for prober in self._probers.values():
            prober.advance()

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._wake_fd, select.POLLIN)
        for prober in self._probers.values():
            for fileno in prober.filenos():
                poll.register(fileno, select.POLLIN)
        due = [prober.next_due() for prober in self._probers.values()]
        watch = self._book.next_due()
        ready = poll.poll(milliseconds_until(min([*due, inf if watch is None else watch])))
        if any(fileno == self._wake_fd for fileno, _ in ready):
            os.eventfd_read(self._wake_fd)


def _ignore(_: ProbeOutcome) -> None:
    """The book has it: that is all that a witness wants."""
