"""Probes for addresses on one interface; `core.probing` decides what is sent when."""

import logging
import select
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, inf

from duravip_agent.codec import bpf
from duravip_agent.codec.frames import ARP, IPV6, claim_in, probe_frame
from duravip_agent.core.probing import ProbeBatch, ProbeResult, ProbeRun, ProbeSpec
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
