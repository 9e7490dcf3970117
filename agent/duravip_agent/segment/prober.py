"""Probes for addresses: for the loop, for the operator, and to stay a witness.

`core.probing` decides what is sent when, `core.witness_book` what an outcome proves, and who is
watched when.
"""

import logging
import os
import select
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from math import ceil, inf
from queue import SimpleQueue
from threading import Thread

from duravip_agent.codec import bpf
from duravip_agent.codec.frames import ARP, IPV6, claim_in, probe_frame
from duravip_agent.core.probing import ProbeBatch, ProbeResult, ProbeRun, ProbeSpec
from duravip_agent.core.witness_book import ProbeOutcome, ProbeSubject, WitnessBook, suspect_probe
from duravip_agent.segment.raw_socket import RawSocket

log = logging.getLogger(__name__)

OnResult = Callable[[ProbeResult], None]

MAX_FRAMES_AT_ONCE = 20_000
"""With more frames at a time than this, answers may be lost: all results become doubtful."""


@dataclass(eq=False, slots=True)
class _Entry:
    run: ProbeRun
    addresses: tuple[str, ...]
    on_result: OnResult


class Prober:
    """Asks questions on one interface, several at a time. For one thread.

    Its sockets are opened when they are first needed, and again when the interface is a new one.
    """

    def __init__(self, interface: str) -> None:
        self._interface = interface
        self._sockets: dict[int, RawSocket] = {}
        self._entries: list[_Entry] = []

    @property
    def is_idle(self) -> bool:
        """Whether no question is open."""
        return not self._entries

    def close(self) -> None:
        """Give the sockets back."""
        while self._sockets:
            self._sockets.popitem()[1].close()

    def begin(self, question: ProbeSpec, on_result: OnResult) -> None:
        """Take up a question; `advance` asks it, and calls back when it is answered."""
        self._read_frames()
        run = ProbeRun(question, time.monotonic())
        for kind in {_kind_of(address) for address in question.addresses}:
            if not self._open(kind):
                run.invalidate()
        self._entries.append(_Entry(run, question.addresses, on_result))
        self._update_filters()

    def probe(self, question: ProbeSpec) -> ProbeResult:
        """Ask one question and wait for what is found."""
        results: list[ProbeResult] = []
        self.begin(question, results.append)
        while not results:
            poll = select.poll()
            for fileno in self.filenos():
                poll.register(fileno, select.POLLIN)
            poll.poll(milliseconds_until(self.next_due()))
            self.advance()
        return results[0]

    def advance(self) -> None:
        """Hear what has come, send what is due, and tell what was found."""
        self._read_frames()
        for entry in self._entries:
            while batch := entry.run.pop_due(time.monotonic()):
                entry.run.mark_sent(batch, self._send(batch), time.monotonic())
                self._read_frames()
        now = time.monotonic()
        self._read_frames()
        over = [entry for entry in self._entries if entry.run.is_over(now)]
        if over:
            self._check()
            self._report(over, now)

    def next_due(self) -> float:
        """When `advance` has something to do although nothing was heard."""
        return min((entry.run.next_due() for entry in self._entries), default=inf)

    def filenos(self) -> list[int]:
        """What to wait for until then."""
        return [sock.fileno() for sock in self._sockets.values()]

    def _open(self, kind: int) -> bool:
        """Whether there is a socket, and a link that carries frames."""
        sock = self._sockets.get(kind)
        if sock is not None and sock.mac() is None:
            self._invalidate_all()
            self._sockets.pop(kind).close()
            sock = None
        if sock is None:
            try:
                sock = self._sockets[kind] = RawSocket(self._interface, kind)
            except OSError as error:
                log.debug("cannot probe on %s: %s", self._interface, error)
                return False
        return sock.is_running()

    def _update_filters(self) -> None:
        """Let in what may answer the questions that are open; nothing when there are none."""
        blocks = bpf.covering_blocks(a for entry in self._entries for a in entry.addresses)
        for kind, sock in self._sockets.items():
            mac = sock.mac() if blocks else None
            sock.set_filter(bpf.REJECT_ALL if mac is None else _PROGRAMS[kind](blocks, mac))

    def _send(self, batch: ProbeBatch) -> int:
        sock = self._sockets.get(_kind_of(batch.addresses[0]))
        mac = None if sock is None else sock.mac()
        if sock is None or mac is None:
            return 0
        return sock.send([probe_frame(address, mac) for address in batch.addresses])

    def _read_frames(self) -> None:
        for sock in self._sockets.values():
            count = 0
            for frame in sock.frames(MAX_FRAMES_AT_ONCE):
                count += 1
                address, mac = claim_in(frame)
                for entry in self._entries:
                    entry.run.add_answer(address, mac)
            if count == MAX_FRAMES_AT_ONCE:
                self._invalidate_all()

    def _check(self) -> None:
        """Silence means nothing where frames were lost, or the link does not carry any."""
        for sock in self._sockets.values():
            if sock.lost() or not sock.is_running():
                self._invalidate_all()

    def _report(self, over: list[_Entry], now: float) -> None:
        """One at a time: should a callback fail, the next ones are told the next time."""
        try:
            for entry in over:
                self._entries.remove(entry)
                entry.on_result(entry.run.result(now))
        finally:
            self._update_filters()

    def _invalidate_all(self) -> None:
        for entry in self._entries:
            entry.run.invalidate()


_PROGRAMS = {ARP: bpf.arp_answers, IPV6: bpf.advertisements}


def _kind_of(address: str) -> int:
    return IPV6 if ":" in address else ARP


def milliseconds_until(until: float) -> int | None:
    """How long `poll` is to wait; None = for ever."""
    return None if until == inf else max(0, ceil((until - time.monotonic()) * 1000))


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
