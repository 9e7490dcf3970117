"""The process that hears the beats: `python -m duravip_operator.pulse.process SETTINGS`.

Standard input is a socket to the operator; when that closes, the operator has ended, and so does
this. File descriptor `socket` of the settings is the UDP socket, which outlives this process: a
new one finds in it what has arrived meanwhile.
"""

import gc
import json
import selectors
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any, Final

from duravip_api import timing
from duravip_api.beats import MAX_BYTES, Ack, Beat, keys_in, opened, sealed
from duravip_operator.core.snapshot import Hearing
from duravip_operator.pulse.detector import Detector, Times
from duravip_operator.pulse.messages import Message, Outgoing, line, lines

TICK: Final = 0.02
KEYS_CHECKED_EVERY: Final = 1.0
DRAINED_AT_ONCE: Final = 5000


class Keys:
    """The key file, read again when it changes; while it is unreadable the old keys stay."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._checked = 0.0
        self._stamp: tuple[int, int, int] | None = None
        self.keys: tuple[bytes, ...] = ()

    def refresh(self, now: float) -> str:
        """Look whether the file has changed; what to say about it, if anything."""
        if now - self._checked < KEYS_CHECKED_EVERY:
            return ""
        self._checked = now
        try:
            found = self._path.stat()
            stamp = found.st_ino, found.st_mtime_ns, found.st_size
            if stamp == self._stamp:
                return ""
            before, self.keys = self.keys, keys_in(self._path.read_text())
            self._stamp = stamp
        except (OSError, ValueError) as error:
            self._stamp = None
            return f"cannot read the pulse keys {self._path}, the old ones stay: {error}"
        return "the pulse keys were read again" if before else ""


class Process:
    """Hears, answers, judges, and tells the operator what has changed."""

    def __init__(self, settings: Message) -> None:
        self._udp = socket.socket(fileno=settings["socket"])
        self._udp.settimeout(0.0)
        self._pipe = socket.socket(fileno=sys.stdin.fileno())
        self._pipe.settimeout(None)
        times = Times(settings["mature"], settings["suspect_after"], settings["lost_after"])
        self._lost_after = times.lost_after
        self._detector = Detector(times)
        self._keys = Keys(Path(settings["key_file"]))
        self._keys.refresh(time.monotonic())
        self._outgoing = Outgoing({})
        self._received = bytearray()
        self._leader, self._epoch = False, 0
        self._generations: dict[str, int] = {}
        self._note = ""

    def run(self) -> None:
        """Until the operator ends."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._udp, selectors.EVENT_READ)
            selector.register(self._pipe, selectors.EVENT_READ)
            awake = judged = time.monotonic()
            while True:
                ready = {key.fileobj for key, _ in selector.select(TICK)}
                now = time.monotonic()
                self._excuse(now, late=now - awake - TICK)
                awake = now
                if self._pipe in ready and not self._take():
                    return
                # Whatever has arrived is heard before anybody's silence is judged.
                self._drain()
                if now - judged >= TICK:
                    self._judge(time.monotonic())
                    judged = now

    def _take(self) -> bool:
        """Take what the operator says; False when it has ended."""
        data = self._pipe.recv(65536)
        self._received += data
        now = time.monotonic()
        for message in lines(self._received):
            if "resume" in message:
                known = {name: Hearing(value) for name, value in message["resume"].items()}
                self._detector.resume(known, now)
                self._outgoing = Outgoing(known)
            if "expect" in message:
                self._detector.expect(frozenset(message["expect"]), now)
            if "tell" in message:
                told = message["tell"]
                self._leader, self._epoch = told["leader"], told["epoch"]
                self._generations = told["generations"]
        return bool(data)

    def _drain(self) -> None:
        for _ in range(DRAINED_AT_ONCE):
            try:
                data, sender = self._udp.recvfrom(MAX_BYTES + 1)
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP answer to one of ours: that agent has ended
            beat = opened(Beat, data, self._keys.keys)
            if beat is not None and self._detector.heard(beat, time.monotonic()):
                self._answer(beat, sender)

    def _answer(self, beat: Beat, sender: tuple[Any, ...]) -> None:
        generation = self._generations.get(beat.node, 0)
        ack = Ack(beat.boot, beat.seq, self._leader, self._epoch, generation)
        try:
            self._udp.sendto(sealed(ack, self._keys.keys), sender)
        except OSError as error:
            self._say(f"cannot answer the agent of {beat.node}: {error.strerror}")

    def _excuse(self, now: float, late: float) -> None:
        """Make up for the time in which this process did not run."""
        if late > self._lost_after:
            # So much has arrived that some of it was thrown away: it proves nobody's silence.
            self._detector.excuse(late, now)
        elif late > timing.BEAT:
            self._detector.excuse(timing.BEAT, now)

    def _judge(self, now: float) -> None:
        self._detector.judge(now)
        if changes := self._outgoing.changes(
            self._detector.hearing(), list(self._detector.beats())
        ):
            self._pipe.sendall(line(changes))
        if note := self._keys.refresh(now):
            self._say(note)

    def _say(self, note: str) -> None:
        if note != self._note:
            self._note = note
            self._pipe.sendall(line({"note": note}))


def main() -> None:
    """Run until the operator ends; only its end counts, whatever signals its group gets."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    gc.freeze()
    try:
        Process(json.loads(sys.argv[1])).run()
    except (BrokenPipeError, ConnectionResetError):
        return


if __name__ == "__main__":
    main()
