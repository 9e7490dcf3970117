"""The process that hears the beats: `python -m duravip_operator.pulse.server SETTINGS`.

Standard input is a socket to the operator; when that closes, the operator has ended, and so does
this. File descriptor `socket` of the settings is the UDP socket, which outlives this process: a
new one finds in it what has arrived meanwhile.
"""

import contextlib
import gc
import json
import os
import secrets
import selectors
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from duravip_api.heartbeat import Ack, Heartbeat, ProbeRequest
from duravip_operator.core.snapshot import Liveness
from duravip_operator.pulse import probe_targets as roster
from duravip_operator.pulse.authentication import Agent, Authenticator, Drop
from duravip_operator.pulse.failure_detector import Detector, Known, Times
from duravip_operator.pulse.ipc import Message, Outgoing, View, line, lines, view_after
from duravip_operator.pulse.probe_rounds import Ask, Scouting
from duravip_operator.pulse.rate_limit import RateLimit
from duravip_operator.pulse.replies import Route, received, send
from duravip_operator.pulse.suspicion import silences
from duravip_runtime.key_file import KeyFile
from duravip_runtime.secure_channel import KeyPair

TICK: Final = 0.05
"""At the latest after so many seconds it looks around; a silence that is due it awaits exactly."""

LATE: Final = 0.02
"""Whoever wakes up so much later than it wanted to has heard nobody meanwhile."""

SAID_EVERY: Final = 0.01
SEEN_EVERY: Final = 0.1
RECKONED_EVERY: Final = 1.0
SELDOM: Final = 5
"""A replica that does not lead answers one in so many beats: its answers prove nothing, and to be
woken by them is a part of what an agent costs a node at rest."""
DRAINED_AT_ONCE: Final = 5000
NICE: Final = -15


class Process:
    """Hears, answers, judges, and tells the operator what has changed."""

    def __init__(self, settings: Message, udp: socket.socket, pipe: socket.socket) -> None:
        self._udp, self._pipe = udp, pipe
        self._udp.settimeout(0.0)
        self._pipe.settimeout(None)
        self._detector = Detector(Times(settings["mature"], settings["suspect_after"]))
        # Looks are numbered by the time, so that no answer to an earlier process fits one of ours.
        self._scouting = Scouting(time.time_ns())
        key_file = settings["key_file"]
        self._keys = KeyFile(Path(key_file) if key_file else None)
        self._authenticator: Authenticator | None = None
        """None: the operator has not told us our private key yet."""
        self._limit = RateLimit()
        self._drops = Counter[str]()
        """How many datagrams were dropped, by the reason."""
        self._token = secrets.token_hex(8)
        self._outgoing = Outgoing(View())
        self._received = bytearray()
        self._leader, self._epoch = False, 0
        self._led_since: float | None = None
        self._leads_until = 0.0
        self._generations: dict[str, int] = {}
        self._routes: dict[str, Route] = {}
        """The way back to whoever sent the last beat of each node."""
        self._hearing: dict[str, Liveness] = {}
        self._witnessed: dict[str, frozenset[str]] = {}
        self._seen = self._said = self._reckoned = 0.0
        self._is_news = False
        self._counted = (0, 0)
        self._note = ""

    def run(self) -> None:
        """Until the operator ends."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._udp, selectors.EVENT_READ)
            selector.register(self._pipe, selectors.EVENT_READ)
            while self._authenticator is None:  # what was known comes first
                if not self._take():
                    return
            while True:
                now = time.monotonic()
                due = min(now + TICK, self._detector.next_due(), self._scouting.next_due())
                ready = {key.fileobj for key, _ in selector.select(max(0.0, due - now))}
                late = time.monotonic() - max(due, now)
                if late > LATE:
                    self._detector.excuse(late, now + late)
                if self._pipe in ready and not self._take():
                    return
                # Whatever has arrived is heard before anybody's silence is judged.
                self._drain()
                self._judge()

    def _take(self) -> bool:
        """Take what the operator says; False when it has ended."""
        data = self._pipe.recv(1 << 20)
        self._received += data
        for message in lines(self._received):
            self._learn(message, time.monotonic())
        return bool(data)

    def _learn(self, message: Message, now: float) -> None:
        if "secret" in message:
            self._authenticator = Authenticator(KeyPair.from_secret(message["secret"]))
            self._authenticator.shared_keys = self._keys.keys
        if "agents" in message:
            self._know(message["agents"])
        if "resume" in message:
            self._resume(view_after(View(), message["resume"]), now)
        if "expect" in message:
            self._detector.expect(frozenset(message["expect"]), now)
        if "lead" in message:
            told = message["lead"]
            self._leader, self._epoch = told["leader"], told["epoch"]
            self._led_since = told["since"] if self._leader else None
        self._leads_until = message.get("until", self._leads_until)
        for name, generation in message.get("generations", {}).items():
            if generation is None:
                self._generations.pop(name, None)
            else:
                self._generations[name] = generation
            beat = self._detector.last_beat(name)
            # An agent that knows of a new spec reads it at once, and arms only once it was told.
            if self._leader and beat and generation:
                self._answer(beat)
        if "roster" in message:
            entries = message["roster"].items()
            read = {n: None if e is None else roster.read(e) for n, e in entries}
            self._scouting.enroll(read, now)

    def _know(self, changes: Mapping[str, list[Any] | None]) -> None:
        """NodePlumbing says something else of these nodes' agents."""
        agents = {name: None if said is None else Agent(*said) for name, said in changes.items()}
        if self._authenticator:
            self._authenticator.learn(agents)
        for name, agent in agents.items():
            if agent is None:
                self._routes.pop(name, None)
                self._limit.forget(name)

    def _resume(self, known: View, now: float) -> None:
        """Go on from what an earlier process knew."""
        self._outgoing = Outgoing(known)
        silences = known.silences
        self._detector.resume(
            {
                name: Known(hearing, silences[name].last_heard if name in silences else now)
                for name, hearing in known.hearing.items()
            },
            now,
        )
        for name, silence in silences.items():
            if silence.unreachable_on:
                self._scouting.resume(name, silence.unreachable_on, now)
        for name, interfaces in known.witnessed.items():
            for segment in roster.segments(interfaces):
                self._scouting.witnesses.resume(name, segment, now)

    def _drain(self) -> None:
        for _ in range(DRAINED_AT_ONCE):
            try:
                data, route = received(self._udp)
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP answer to one of ours: that agent has ended
            if drop := self._hear(data, route, time.monotonic()):
                self._drops[drop.value] += 1

    def _hear(self, data: bytes, route: Route, now: float) -> Drop | None:
        """Take a datagram; gives back why it was dropped, if it was. Never raises."""
        try:
            opened = self._authenticator.open(data) if self._authenticator else Drop.UNKNOWN
            if isinstance(opened, Drop):
                return opened
            if isinstance(opened.datagram, Heartbeat):
                return self._hear_beat(opened.datagram, route, now)
            self._is_news |= self._scouting.see(opened.datagram, now)
        except Exception as error:  # noqa: BLE001 - one datagram must not end the process
            self._say(f"a datagram of {len(data)} bytes made us fail: {error!r}"[:300])
            return Drop.ERROR
        return None

    def _hear_beat(self, beat: Heartbeat, route: Route, now: float) -> Drop | None:
        if not self._detector.is_new(beat):
            return Drop.REPLAY
        if not self._limit.allows(beat.node, now):
            return Drop.FLOOD
        if self._token not in beat.echoes:
            self._introduce(beat, route)
            return None
        known = self._detector.last_beat(beat.node)
        self._detector.heard(beat, now)
        self._routes[beat.node] = route
        self._answer(beat)
        # A move waits to hear that what was revoked is served no more.
        self._is_news |= known is None or known.digest != beat.digest
        return None

    def _introduce(self, beat: Heartbeat, route: Route) -> None:
        """Answer what may have been recorded: whoever is there echoes it from now on."""
        ack = Ack(beat.boot, beat.seq, leader=False, epoch=0, generation=0, token=self._token)
        self._send(beat.node, ack, route)

    def _answer(self, beat: Heartbeat) -> None:
        generation = self._generations.get(beat.node, 0)
        leads = self._leader and time.monotonic() < self._leads_until
        if not leads and beat.seq % SELDOM:
            return
        ack = Ack(beat.boot, beat.seq, leads, self._epoch, generation, self._token)
        self._send(beat.node, ack, self._routes.get(beat.node))

    def _look(self, ask: Ask) -> None:
        scout, suspect, segment = ask.watch
        if beat := self._detector.last_beat(scout):
            what = (suspect, segment.interface, ask.addresses, ask.macs)
            self._send(
                scout, ProbeRequest(scout, beat.boot, ask.number, *what), self._routes.get(scout)
            )

    def _send(self, node: str, datagram: Ack | ProbeRequest, route: Route | None) -> None:
        sealed = self._authenticator.seal(node, datagram) if self._authenticator else None
        if sealed is None or route is None:
            return
        try:
            send(self._udp, sealed, route)
        except OSError as error:
            self._say(f"cannot reach the agent at {route.where[0]}: {error.strerror}")

    def _judge(self) -> None:
        now = time.monotonic()
        self._detector.judge(now)
        hearing = self._detector.hearing()
        if hearing != self._hearing:
            self._hearing, self._is_news = hearing, True
            self._scouting.hear(hearing, now)
        self._scouting.judge(now)
        for ask in self._scouting.due(now):
            self._look(ask)
        if self._is_news or now - self._said >= SAID_EVERY:
            self._tell(now)
            self._is_news, self._said = False, now
        if note := self._keys.refresh(now):
            self._say(note)
        if self._authenticator:
            self._authenticator.shared_keys = self._keys.keys

    def _tell(self, now: float) -> None:
        """Tell the operator what is new."""
        if now - self._seen >= SEEN_EVERY:
            self._seen, self._witnessed = now, self._scouting.witnessed(now)
        silent = self._detector.silent()
        heard = sum(1 for hearing in self._hearing.values() if hearing not in _UNHEARD)
        found = silences(silent, self._scouting.outcomes(), heard, self._led_since, now)
        view = View(self._hearing, found, self._witnessed)
        changes = self._outgoing.changes(view, self._detector.beats()) or {}
        sights, drops = self._scouting.sights, self._drops
        counted = sights.total(), drops.total()
        if counted != self._counted and now - self._reckoned >= RECKONED_EVERY:
            self._reckoned, self._counted = now, counted
            changes["sights"], changes["drops"] = dict(sights), dict(drops)
        if changes:
            self._pipe.sendall(line(changes))

    def _say(self, note: str) -> None:
        if note != self._note:
            self._note = note
            self._pipe.sendall(line({"note": note}))


_UNHEARD: Final = frozenset({Liveness.UNKNOWN, Liveness.SUSPECT})


def main() -> None:
    """Run until the operator ends; only its end counts, whatever signals its group gets."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    gc.freeze()
    with contextlib.suppress(OSError):  # ahead of what merely calculates, where that is allowed
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    try:
        settings: Message = json.loads(sys.argv[1])
        udp = socket.socket(fileno=settings["socket"])
        Process(settings, udp, socket.socket(fileno=sys.stdin.fileno())).run()
    except (BrokenPipeError, ConnectionResetError):
        return


if __name__ == "__main__":
    main()
