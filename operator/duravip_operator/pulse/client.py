"""The operator's end of the pulse: runs its process, restarts it, and keeps what it reports."""

import asyncio
import json
import logging
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from math import inf
from typing import Any, Final, NamedTuple

from duravip_operator.core.heartbeat_evidence import HeartbeatState
from duravip_operator.core.snapshot import Plumbing
from duravip_operator.health_checks import RestartHistory
from duravip_operator.metrics import Metrics
from duravip_operator.pulse.authentication import AgentIdentity
from duravip_operator.pulse.ipc import (
    Message,
    PulseView,
    apply_changes,
    differences,
    encode_line,
    view_to_json,
)
from duravip_operator.pulse.probe_targets import (
    ClusterTargets,
    NodeTargets,
    changes_to_json,
    targets_of,
)
from duravip_operator.pulse.replies import enable_packet_info
from duravip_operator.pulse.reported_view import (
    PROBING_TAKES_S,
    ProbeMetrics,
    ReportedView,
    log_changes,
)
from duravip_operator.settings import Settings
from duravip_runtime.secure_channel import KeyPair
from duravip_runtime.settings import SettingsError, parse_endpoint

log = logging.getLogger(__name__)

MAX_LINE_BYTES: Final = 16 * 1024 * 1024
FIRST_BACKOFF_S: Final = 0.05
MAX_BACKOFF_S: Final = 5.0
STOP_TIMEOUT_S: Final = 0.5

PROLONG_EVERY_S: Final = 0.3
LEADS_WITHOUT_NEWS_S: Final = 1.5
"""After so many seconds without a word of ours our process no longer speaks for a leader."""

TARGETS_AFTER_WRITE_S: Final = 0.05
"""How much later than its generation the pulse learns the probe targets of a written spec."""


class HeardTimes(NamedTuple):
    """When each node was last heard, by the monotonic clock."""

    now: float = 0.0
    """When that was asked; 0: never yet."""
    last: Mapping[str, float] = {}


class PulseClient:
    """Who is heard, who is gone. All of it belongs to the asyncio thread."""

    def __init__(
        self,
        settings: Settings,
        on_change: Callable[[], None],
        metrics: Metrics,
    ) -> None:
        """`on_change` is called when the view changes, or an agent has started anew."""
        self._settings = settings
        self._on_change = on_change
        self.on_heartbeat: Callable[[str], None] = lambda _: None
        """Called with the node whose heartbeat says something new."""
        self._probe_metrics = ProbeMetrics(metrics)
        self._metrics = metrics
        self._restarts = RestartHistory("the pulse's process")
        self._reported = ReportedView()
        self._view = PulseView()
        self._beats: dict[str, HeartbeatState] = {}
        self.heard_times = HeardTimes()
        """The last answer to `ask_heard_times`; replaced, never changed."""
        self._expected: frozenset[str] = frozenset()
        self._leadership: Message = {"leader": False, "epoch": 0, "since": 0.0}
        self._generations: dict[str, int] = {}
        self._targets: ClusterTargets = {}
        self._agents: dict[str, AgentIdentity] = {}
        self._keys = KeyPair.generate()
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: asyncio.StreamWriter | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._leads_until: Callable[[], float] = lambda: inf

    def start(self, leads_until: Callable[[], float] = lambda: inf) -> None:
        """Begin to hear; raises SettingsError when the address cannot be had.

        `leads_until` says when our leadership ends by the monotonic clock, if we lead: should
        this process stand still then, the other one must not go on to speak for a leader.
        """
        self._socket = bind_socket(self._settings.pulse_listen)
        self._leads_until = leads_until
        running, prolonging = self._keep_running(self._socket), self._prolong_leadership()
        self._tasks = [asyncio.create_task(work) for work in (running, prolonging)]

    async def stop(self) -> None:
        """Hear and answer nothing more."""
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        if self._socket:
            self._socket.close()

    @property
    def port(self) -> int:
        """The UDP port that is listened on."""
        return int(self._socket.getsockname()[1]) if self._socket else 0

    @property
    def public_key(self) -> str:
        """By which agents know this replica."""
        return self._keys.public_key

    def view(self) -> PulseView:
        """What is known now."""
        return self._view

    def problem(self) -> str:
        """Why beats are not heard; empty: they are."""
        return self._restarts.problem()

    def beats(self) -> Mapping[str, HeartbeatState]:
        """What the last beat of each agent has said."""
        return self._beats

    def ask_heard_times(self) -> None:
        """Have the process say when it has last heard each node, which it does not by itself."""
        self._send({"ask": "heard"})

    def expect(self, nodes: frozenset[str]) -> None:
        """The agents of these nodes have been told to beat here."""
        if nodes != self._expected:
            self._expected = nodes
            self._send({"expect": sorted(nodes)})

    def update_agents(self, agents: Mapping[str, AgentIdentity]) -> None:
        """NodePlumbing says this of the nodes' agents: nobody else is heard."""
        if agents != self._agents:
            self._send({"agents": differences(self._agents, agents)})
            self._agents = dict(agents)

    def update_answers(
        self, epoch: int | None, generations: Mapping[str, int], targets: ClusterTargets
    ) -> None:
        """What is to be said in answers to beats, and where a silent node is to be looked for.

        `epoch` is None unless we lead.
        """
        news: Message = {}
        if (epoch is not None, epoch or 0) != (
            self._leadership["leader"],
            self._leadership["epoch"],
        ):
            since = time.monotonic()
            self._leadership = {"leader": epoch is not None, "epoch": epoch or 0, "since": since}
            news["lead"], news["until"] = self._leadership, self._leadership_end()
        if generations != self._generations:
            news["generations"] = differences(self._generations, generations)
            self._generations = dict(generations)
        if targets != self._targets:
            news["roster"] = changes_to_json(differences(self._targets, targets))
            self._targets = dict(targets)
        if news:
            self._send(news)

    async def _keep_running(self, udp: socket.socket) -> None:
        pause = FIRST_BACKOFF_S
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            await self._run(udp)
            self._metrics.pulse_restarts.inc()
            self._restarts.record_end("see the log")
            log.error("the pulse's process has ended, and is started again")
            pause = FIRST_BACKOFF_S if loop.time() - started > MAX_BACKOFF_S else 2 * pause
            await asyncio.sleep(min(pause, MAX_BACKOFF_S))

    async def _prolong_leadership(self) -> None:
        while True:
            self._send({"until": self._leadership_end()})
            await asyncio.sleep(PROLONG_EVERY_S)

    def _leadership_end(self) -> float:
        return min(self._leads_until(), time.monotonic() + LEADS_WITHOUT_NEWS_S)

    async def _run(self, udp: socket.socket) -> None:
        """Start the process, tell it all that is known, and listen to it until it ends."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = start_server(self._settings, udp, theirs)
            reader, self._pipe = await asyncio.open_connection(sock=ours, limit=MAX_LINE_BYTES)
            self._send({"secret": self._keys.secret, "agents": self._agents})
            self._send({"resume": view_to_json(self._reported.actual)})
            lead = {"lead": self._leadership, "until": self._leadership_end()}
            self._send({"expect": sorted(self._expected), **lead})
            targets = changes_to_json(self._targets)
            self._send({"generations": self._generations, "roster": targets})
            async for message in reader:
                self._handle_message(json.loads(message))
        except (OSError, ValueError) as error:
            log.warning("cannot talk to the pulse's process: %s", error)
        finally:
            await self._ended(ours)

    async def _ended(self, ours: socket.socket) -> None:
        pipe, self._pipe = self._pipe, None
        if pipe:
            pipe.close()
        ours.close()
        process, self._process = self._process, None
        if process:
            process.kill()  # it has nothing to put in order
            await asyncio.to_thread(process.wait, STOP_TIMEOUT_S)

    def _send(self, message: Message) -> None:
        if self._pipe:
            self._pipe.write(encode_line(message))

    def _handle_message(self, message: Message) -> None:
        if "note" in message:
            log.warning("pulse: %s", message["note"])
        if "heard" in message:
            self.heard_times = HeardTimes(message["now"], message["heard"])
            return
        before, after = self._reported.actual, apply_changes(self._reported.actual, message)
        now = time.monotonic()
        if self._reported.update(after, now):
            asyncio.get_running_loop().call_later(PROBING_TAKES_S, self._refresh_view)
        boots = {name: heard.boot for name, heard in self._beats.items()}
        beats = {
            name: HeartbeatState(*fields) for name, fields in message.get("beats", {}).items()
        }
        self._beats |= beats
        for name in self._beats.keys() - after.hearing.keys() - beats.keys():
            del self._beats[name]
        restarted = [
            name for name, heard in beats.items() if boots.get(name, heard.boot) != heard.boot
        ]
        for name in restarted:
            log.info("the agent of %s has started anew", name)
        if "sights" in message:
            self._probe_metrics.count(message)
        self._probe_metrics.observe(before, after, now)
        self._refresh_view(must_tell=bool(restarted))
        for name in beats:
            self.on_heartbeat(name)

    def _refresh_view(self, *, must_tell: bool = False) -> None:
        """See what is to be shown now."""
        before, self._view = self._view, self._reported.visible(time.monotonic())
        log_changes(before, self._view)
        if must_tell or self._view != before:
            self._on_change()


RECEIVE_BUFFER_BYTES: Final = 4 * 1024 * 1024
"""Bytes of beats that wait while the process does not run: as much as the kernel allows."""


def bind_socket(listen: str) -> socket.socket:
    """The socket that beats are heard on; raises SettingsError when it cannot be had."""
    host, port = parse_endpoint(listen)
    try:
        family, *_, where = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        udp = socket.socket(family, socket.SOCK_DGRAM)
        try:
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
            enable_packet_info(udp)
            udp.bind(where)
        except OSError:
            udp.close()
            raise
    except OSError as error:
        raise SettingsError(f"--pulse-listen: cannot listen on {listen}: {error}") from error
    return udp


def start_server(
    settings: Settings, udp: socket.socket, pipe: socket.socket
) -> subprocess.Popen[bytes]:
    """The process; it is told the rest, and our private key, through the other end of the pipe."""
    how: dict[str, Any] = {
        "socket": udp.fileno(),
        "key_file": settings.pulse_key_file and str(settings.pulse_key_file),
        "mature": settings.mature,
        "suspect_after": settings.suspect_after,
    }
    module = "duravip_operator.pulse.server"
    command = [sys.executable, "-m", module, json.dumps(how)]
    return subprocess.Popen(  # noqa: S603 - our own program
        command, stdin=pipe.fileno(), pass_fds=[udp.fileno()]
    )


class PulseFeed:
    """Tells the pulse what the NodePlumbings say of agents, generations and probe targets.

    Only what belongs to a NodePlumbing that has changed is computed anew.
    """

    def __init__(self, pulse: PulseClient, our_address: str) -> None:
        self._pulse, self._our_address = pulse, our_address
        self._roster: dict[str, tuple[Plumbing, NodeTargets]] = {}
        self._update_timer: asyncio.TimerHandle | None = None
        self._last: tuple[int | None, Mapping[str, Plumbing]] = (None, {})

    def update(self, epoch: int | None, plumbings: Mapping[str, Plumbing]) -> None:
        """Tell everything; `epoch` is None unless we lead."""
        if self._update_timer:
            self._update_timer.cancel()
            self._update_timer = None
        known, self._roster = self._roster, {}
        for name, plumbing in plumbings.items():
            entry = known.get(name)
            is_same = entry is not None and entry[0] is plumbing
            self._roster[name] = entry if entry and is_same else (plumbing, targets_of(plumbing))
        self._pulse.update_agents(
            {name: agent_identity(plumbing) for name, plumbing in plumbings.items()}
        )
        beating_here = (n for n, p in plumbings.items() if self._our_address in p.pulse)
        self._pulse.expect(frozenset(beating_here))
        self._update_answers(epoch, plumbings)

    def update_generations(self, epoch: int | None, plumbings: Mapping[str, Plumbing]) -> None:
        """Tell at once what agents wait for: the generations of specs just written.

        Their probe targets follow a moment later, also where no pass follows: a node that falls
        silent right after it was granted an address is to be probed for that address.
        """
        self._update_answers(epoch, plumbings)
        if not self._update_timer:
            loop = asyncio.get_running_loop()
            self._update_timer = loop.call_later(
                TARGETS_AFTER_WRITE_S, lambda: self.update(*self._last)
            )

    def _update_answers(self, epoch: int | None, plumbings: Mapping[str, Plumbing]) -> None:
        self._last = epoch, plumbings
        self._pulse.update_answers(
            epoch,
            {name: plumbing.generation for name, plumbing in plumbings.items()},
            {name: entry for name, (_, entry) in self._roster.items()},
        )


def agent_identity(plumbing: Plumbing) -> AgentIdentity:
    """What a NodePlumbing says of the node's agent.

    An agent is as old as a status without its public key; what it is told by an old leader, it can
    only answer as one.
    """
    is_old = not plumbing.public_key or not any(plumbing.pulse_keys)
    return AgentIdentity(plumbing.boot, plumbing.public_key, is_old)
