"""The operator's end of the pulse: starts its process, and starts it again should it die."""

import asyncio
import json
import logging
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from duravip_operator.core.snapshot import Hearing
from duravip_operator.endpoints import endpoint
from duravip_operator.metrics import Metrics
from duravip_operator.pulse.messages import Heard, Message, line
from duravip_operator.settings import Settings, SettingsError

log = logging.getLogger(__name__)

RECEIVE_BUFFER: Final = 4 * 1024 * 1024
"""Bytes of beats that wait while the process does not run: as much as the kernel allows."""

LONGEST_LINE: Final = 16 * 1024 * 1024
FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 5.0
STOP_WITHIN: Final = 0.5


class Pulse:
    """Who is heard. All of it belongs to the asyncio thread."""

    def __init__(
        self, settings: Settings, on_change: Callable[[], None], metrics: Metrics
    ) -> None:
        """`on_change` is called when a hearing changes, or an agent has started anew."""
        self._settings = settings
        self._on_change = on_change
        self._metrics = metrics
        self._hearing: dict[str, Hearing] = {}
        self._beats: dict[str, Heard] = {}
        self._expected: frozenset[str] = frozenset()
        self._told: Message = {"leader": False, "epoch": 0, "generations": {}}
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to hear; raises SettingsError when the address cannot be had."""
        self._socket = _bound(self._settings.pulse_listen)
        self._task = asyncio.create_task(self._keep_running(self._socket), name="pulse")

    async def stop(self) -> None:
        """Hear and answer nothing more."""
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._socket:
            self._socket.close()

    @property
    def port(self) -> int:
        """The UDP port that is listened on."""
        return int(self._socket.getsockname()[1]) if self._socket else 0

    def hearing(self) -> Mapping[str, Hearing]:
        """What is heard of every node that is expected, or was heard."""
        return self._hearing

    def beats(self) -> Mapping[str, Heard]:
        """What the last beat of each agent has said."""
        return self._beats

    def expect(self, nodes: frozenset[str]) -> None:
        """The agents of these nodes have been told to beat here."""
        if nodes != self._expected:
            self._expected = nodes
            self._send({"expect": sorted(nodes)})

    def tell(self, *, leader: bool, epoch: int, generations: Mapping[str, int]) -> None:
        """What is to be said in answers to beats."""
        told = {"leader": leader, "epoch": epoch, "generations": dict(generations)}
        if told != self._told:
            self._told = told
            self._send({"tell": told})

    async def _keep_running(self, udp: socket.socket) -> None:
        pause = FIRST_PAUSE
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            await self._run(udp)
            self._metrics.pulse_restarts.inc()
            log.error("the pulse's process has ended, and is started again")
            pause = FIRST_PAUSE if loop.time() - started > LONGEST_PAUSE else 2 * pause
            await asyncio.sleep(min(pause, LONGEST_PAUSE))

    async def _run(self, udp: socket.socket) -> None:
        """Start the process, tell it all that is known, and listen to it until it ends."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = _started(self._settings, udp, theirs)
            reader, self._pipe = await asyncio.open_connection(sock=ours, limit=LONGEST_LINE)
            self._send({"resume": {name: now.value for name, now in self._hearing.items()}})
            self._send({"expect": sorted(self._expected)})
            self._send({"tell": self._told})
            async for said in reader:
                self._take(json.loads(said))
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
            await asyncio.to_thread(process.wait, STOP_WITHIN)

    def _send(self, message: Message) -> None:
        if self._pipe:
            self._pipe.write(line(message))

    def _take(self, message: Message) -> None:
        if "note" in message:
            log.warning("pulse: %s", message["note"])
        boots = {name: heard.boot for name, heard in self._beats.items()}
        beats = {name: Heard(*fields) for name, fields in message.get("beats", {}).items()}
        self._beats |= beats
        restarted = [
            name for name, heard in beats.items() if boots.get(name, heard.boot) != heard.boot
        ]
        for name in restarted:
            log.info("the agent of %s has started anew", name)
        changes: dict[str, str | None] = message.get("hearing", {})
        for name, value in changes.items():
            self._change(name, value)
        if changes or restarted:
            self._on_change()

    def _change(self, name: str, value: str | None) -> None:
        before = self._hearing.pop(name, Hearing.UNHEARD)
        if value is None:
            self._beats.pop(name, None)
            return
        now = self._hearing[name] = Hearing(value)
        if now is not before:
            level = logging.WARNING if now in {Hearing.SILENT, Hearing.LOST} else logging.INFO
            log.log(level, "node %s is %s, was %s", name, now.value, before.value)


def _bound(listen: str) -> socket.socket:
    host, port = endpoint(listen)
    try:
        family, *_, where = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        udp = socket.socket(family, socket.SOCK_DGRAM)
        try:
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            udp.bind(where)
        except OSError:
            udp.close()
            raise
    except OSError as error:
        raise SettingsError(f"--pulse-listen: cannot listen on {listen}: {error}") from error
    return udp


def _started(
    settings: Settings, udp: socket.socket, pipe: socket.socket
) -> subprocess.Popen[bytes]:
    said: dict[str, Any] = {
        "socket": udp.fileno(),
        "key_file": str(settings.pulse_key_file),
        "mature": settings.mature,
        "suspect_after": settings.suspect_after,
        "lost_after": settings.lost_after,
    }
    module = "duravip_operator.pulse.process"
    command = [sys.executable, "-m", module, json.dumps(said)]
    return subprocess.Popen(  # noqa: S603 - our own program
        command, stdin=pipe.fileno(), pass_fds=[udp.fileno()]
    )
