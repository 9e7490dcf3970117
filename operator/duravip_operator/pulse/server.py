"""The pulse's process: `python -m duravip_operator.pulse.server SETTINGS`.

It is a process and no thread for the sake of latency. A failure detector with a limit of 150 ms
must run within milliseconds; the operator's interpreter is held for up to a second by a long list
or a decision, and its garbage collector stops every thread. This process imports no client of the
API server, has a small heap and a higher priority.

One loop serves the UDP socket of the agents and the pipe to the operator. Heartbeats are read
before anybody is suspected, and when the loop itself was late, everybody gets that time back. The
process acknowledges heartbeats for a leader only until the end of its leadership as last reported,
so that it speaks for no leader whose own process stands still.

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
from duravip_operator.pulse import probe_targets
from duravip_operator.pulse.authentication import (
    AgentIdentity,
    Authenticator,
    DropReason,
    HeartbeatRateLimit,
)
from duravip_operator.pulse.failure_detector import (
    FailureDetector,
    KnownLiveness,
    Timeouts,
    suspicions,
)
from duravip_operator.pulse.ipc import (
    ChangeEncoder,
    Message,
    PulseView,
    apply_changes,
    decode_lines,
    encode_line,
)
from duravip_operator.pulse.probe_rounds import OutgoingProbe, ProbeRounds
from duravip_operator.pulse.replies import Route, receive, send
from duravip_runtime.key_file import KeyFile
from duravip_runtime.secure_channel import KeyPair

MAX_WAIT_S: Final = 0.05
"""At the latest after so many seconds it looks around; a silence that is due it awaits exactly."""

STALL_AFTER_S: Final = 0.02
"""Whoever wakes up so much later than it wanted to has heard nobody meanwhile."""

REPORT_EVERY_S: Final = 0.01
WITNESSED_EVERY_S: Final = 0.1
COUNTS_EVERY_S: Final = 1.0
ACK_EVERY_NTH_BEAT: Final = 5
"""A replica that does not lead answers one in so many beats: its answers prove nothing, and to be
woken by them is a part of what an agent costs a node at rest."""
MAX_DATAGRAMS_PER_TURN: Final = 5000
PROCESS_NICENESS: Final = -15


class PulseServer:
    """Hears, answers, judges, and tells the operator what has changed."""

    def __init__(self, settings: Message, udp: socket.socket, pipe: socket.socket) -> None:
        self._udp, self._pipe = udp, pipe
        self._udp.settimeout(0.0)
        self._pipe.settimeout(None)
        self._detector = FailureDetector(Timeouts(settings["mature"], settings["suspect_after"]))
        # Looks are numbered by the time, so that no answer to an earlier process fits one of ours.
        self._probe_rounds = ProbeRounds(time.time_ns())
        key_file = settings["key_file"]
        self._keys = KeyFile(Path(key_file) if key_file else None)
        self._authenticator: Authenticator | None = None
        """None: the operator has not told us our private key yet."""
        self._rate_limit = HeartbeatRateLimit()
        self._drops = Counter[str]()
        """How many datagrams were dropped, by the reason."""
        self._token = secrets.token_hex(8)
        self._changes = ChangeEncoder(PulseView())
        self._received = bytearray()
        self._leader, self._epoch = False, 0
        self._led_since: float | None = None
        self._leads_until = 0.0
        self._generations: dict[str, int] = {}
        self._routes: dict[str, Route] = {}
        """The way back to whoever sent the last beat of each node."""
        self._hearing: dict[str, Liveness] = {}
        self._witnessed: dict[str, frozenset[str]] = {}
        self._witnessed_at = self._reported_at = self._counts_sent_at = 0.0
        self._has_news = False
        self._counted = (0, 0)
        self._note = ""

    def run(self) -> None:
        """Until the operator ends."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._udp, selectors.EVENT_READ)
            selector.register(self._pipe, selectors.EVENT_READ)
            while self._authenticator is None:  # what was known comes first
                if not self._read_pipe():
                    return
            while True:
                now = time.monotonic()
                due = min(
                    now + MAX_WAIT_S, self._detector.next_due(), self._probe_rounds.next_due()
                )
                ready = {key.fileobj for key, _ in selector.select(max(0.0, due - now))}
                late = time.monotonic() - max(due, now)
                if late > STALL_AFTER_S:
                    self._detector.compensate_stall(late, now + late)
                if self._pipe in ready and not self._read_pipe():
                    return
                # Whatever has arrived is heard before anybody's silence is judged.
                self._read_datagrams()
                self._evaluate()

    def _read_pipe(self) -> bool:
        """Take what the operator says; False when it has ended."""
        data = self._pipe.recv(1 << 20)
        self._received += data
        for message in decode_lines(self._received):
            self._apply_message(message, time.monotonic())
        return bool(data)

    def _apply_message(self, message: Message, now: float) -> None:
        if "secret" in message:
            self._authenticator = Authenticator(KeyPair.from_secret(message["secret"]))
            self._authenticator.shared_keys = self._keys.keys
        if "agents" in message:
            self._update_agents(message["agents"])
        if "resume" in message:
            self._resume(apply_changes(PulseView(), message["resume"]), now)
        if "expect" in message:
            self._detector.expect(frozenset(message["expect"]), now)
        if "lead" in message:
            told = message["lead"]
            self._leader, self._epoch = told["leader"], told["epoch"]
            self._led_since = told["since"] if self._leader else None
        self._leads_until = message.get("until", self._leads_until)
        if message.get("ask") == "heard":
            answer = {"heard": self._detector.heard_times(), "now": now}
            self._pipe.sendall(encode_line(answer))
        if "generations" in message:
            self._update_generations(message["generations"])
        if "roster" in message:
            targets = probe_targets.changes_from_json(message["roster"])
            self._probe_rounds.update_targets(targets, now)

    def _update_generations(self, changes: Mapping[str, int | None]) -> None:
        """The specs of these nodes have these generations now."""
        for name, generation in changes.items():
            if generation is None:
                self._generations.pop(name, None)
            else:
                self._generations[name] = generation
            beat = self._detector.last_beat(name)
            # An agent that knows of a new spec reads it at once, and arms only once it was told.
            if self._leader and beat and generation:
                self._acknowledge(beat)

    def _update_agents(self, changes: Mapping[str, list[Any] | None]) -> None:
        """NodePlumbing says something else of these nodes' agents."""
        agents = {
            name: None if said is None else AgentIdentity(*said) for name, said in changes.items()
        }
        if self._authenticator:
            self._authenticator.update_agents(agents)
        for name, agent in agents.items():
            if agent is None:
                self._routes.pop(name, None)
                self._rate_limit.forget(name)

    def _resume(self, known: PulseView, now: float) -> None:
        """Go on from what an earlier process knew."""
        self._changes = ChangeEncoder(known)
        silences = known.silences
        self._detector.resume(
            {
                name: KnownLiveness(
                    hearing, silences[name].last_heard if name in silences else now
                )
                for name, hearing in known.hearing.items()
            },
            now,
        )
        for name, silence in silences.items():
            if silence.unreachable_on:
                self._probe_rounds.resume(name, silence.unreachable_on, now)
        for name, interfaces in known.witnessed.items():
            for segment in probe_targets.segments(interfaces):
                self._probe_rounds.witnesses.resume(name, segment, now)

    def _read_datagrams(self) -> None:
        for _ in range(MAX_DATAGRAMS_PER_TURN):
            try:
                data, route = receive(self._udp)
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP answer to one of ours: that agent has ended
            if drop := self._handle_datagram(data, route, time.monotonic()):
                self._drops[drop.value] += 1

    def _handle_datagram(self, data: bytes, route: Route, now: float) -> DropReason | None:
        """Take a datagram; gives back why it was dropped, if it was. Never raises."""
        try:
            opened = self._authenticator.open(data) if self._authenticator else DropReason.UNKNOWN
            if isinstance(opened, DropReason):
                return opened
            if isinstance(opened.datagram, Heartbeat):
                return self._handle_heartbeat(opened.datagram, route, now)
            self._has_news |= self._probe_rounds.take_report(opened.datagram, now)
        except Exception as error:  # noqa: BLE001 - one datagram must not end the process
            self._log(f"a datagram of {len(data)} bytes made us fail: {error!r}"[:300])
            return DropReason.ERROR
        return None

    def _handle_heartbeat(self, beat: Heartbeat, route: Route, now: float) -> DropReason | None:
        if not self._detector.is_new(beat):
            return DropReason.REPLAY
        if not self._rate_limit.allows(beat.node, now):
            return DropReason.FLOOD
        if self._token not in beat.echoes:
            self._send_token(beat, route)
            return None
        known = self._detector.last_beat(beat.node)
        self._detector.record(beat, now)
        self._routes[beat.node] = route
        self._acknowledge(beat)
        # A move waits to hear that what was revoked is served no more.
        self._has_news |= known is None or known.digest != beat.digest
        return None

    def _send_token(self, beat: Heartbeat, route: Route) -> None:
        """Answer what may have been recorded: whoever is there echoes it from now on."""
        ack = Ack(beat.boot, beat.seq, leader=False, epoch=0, generation=0, token=self._token)
        self._send(beat.node, ack, route)

    def _acknowledge(self, beat: Heartbeat) -> None:
        generation = self._generations.get(beat.node, 0)
        leads = self._leader and time.monotonic() < self._leads_until
        if not leads and beat.seq % ACK_EVERY_NTH_BEAT:
            return
        ack = Ack(beat.boot, beat.seq, leads, self._epoch, generation, self._token)
        self._send(beat.node, ack, self._routes.get(beat.node))

    def _send_probe(self, ask: OutgoingProbe) -> None:
        scout, suspect, _ = ask.watch
        if beat := self._detector.last_beat(scout):
            what = (suspect, ask.interface, ask.addresses, ask.macs)
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
            self._log(f"cannot reach the agent at {route.where[0]}: {error.strerror}")

    def _evaluate(self) -> None:
        now = time.monotonic()
        self._detector.evaluate(now)
        hearing = self._detector.liveness()
        if hearing != self._hearing:
            self._hearing, self._has_news = hearing, True
            self._probe_rounds.update_liveness(hearing, now)
        self._probe_rounds.evaluate(now)
        for ask in self._probe_rounds.due(now):
            self._send_probe(ask)
        if self._has_news or now - self._reported_at >= REPORT_EVERY_S:
            self._report_changes(now)
            self._has_news, self._reported_at = False, now
        if note := self._keys.refresh(now):
            self._log(note)
        if self._authenticator:
            self._authenticator.shared_keys = self._keys.keys

    def _report_changes(self, now: float) -> None:
        """Tell the operator what is new."""
        if now - self._witnessed_at >= WITNESSED_EVERY_S:
            self._witnessed_at, self._witnessed = now, self._probe_rounds.witnessed(now)
        silent = self._detector.suspects()
        heard = sum(1 for hearing in self._hearing.values() if hearing not in _NOT_HEARD)
        found = suspicions(silent, self._probe_rounds.outcomes(), heard, self._led_since, now)
        view = PulseView(self._hearing, found, self._witnessed)
        changes = self._changes.changes(view, self._detector.beats()) or {}
        sights, drops = self._probe_rounds.reports, self._drops
        counted = sights.total(), drops.total()
        if counted != self._counted and now - self._counts_sent_at >= COUNTS_EVERY_S:
            self._counts_sent_at, self._counted = now, counted
            changes["sights"], changes["drops"] = dict(sights), dict(drops)
        if changes:
            self._pipe.sendall(encode_line(changes))

    def _log(self, note: str) -> None:
        if note != self._note:
            self._note = note
            self._pipe.sendall(encode_line({"note": note}))


_NOT_HEARD: Final = frozenset({Liveness.UNKNOWN, Liveness.SUSPECT})


def main() -> None:
    """Run until the operator ends; only its end counts, whatever signals its group gets."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    gc.freeze()
    with contextlib.suppress(OSError):  # ahead of what merely calculates, where that is allowed
        os.setpriority(os.PRIO_PROCESS, 0, PROCESS_NICENESS)
    try:
        settings: Message = json.loads(sys.argv[1])
        udp = socket.socket(fileno=settings["socket"])
        PulseServer(settings, udp, socket.socket(fileno=sys.stdin.fileno())).run()
    except (BrokenPipeError, ConnectionResetError):
        return


if __name__ == "__main__":
    main()
