"""What the process that makes checks costs: `python -m bench.checks [CHECKS [SECONDS]]`.

So many checks, each every second, against servers on loopback, first by TCP and then by HTTP. What
is counted is the processor time of the process (`duravip_agent.checks.process`), in per cent of a
core; beside it that of a bare loop that does the same system calls and nothing else: less cannot
be had in Python on this machine. The servers run here, and do not count.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, Final

from bench.usage import usage
from duravip_agent.checks.client import COMMAND
from duravip_agent.core.checks import Probe

HOST: Final = "127.0.0.1"
ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
SETTLE_S: Final = 3.0
BARE: Final = """
import json, socket, sys, time
HOST, PENDING = "127.0.0.1", (115, 114)
scheme, ports, request = json.loads(sys.stdin.readline())
while True:
    sockets = []
    for port in ports:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        sock.setsockopt(socket.IPPROTO_IP, 24, 1)
        sock.bind((HOST, 0))
        while sock.connect_ex((HOST, port)) in PENDING:
            pass
        if scheme == "tcp":
            sock.close()
        else:
            sock.send(request.encode())
            sockets.append(sock)
    time.sleep(0.5)
    for sock in sockets:
        while sock.recv(4096):
            pass
        sock.close()
    time.sleep(0.5)
"""


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection."""
    with suppress(OSError):
        if await reader.read(4096):
            writer.write(ANSWER)
            await writer.drain()
    writer.close()


@contextmanager
def running(command: tuple[str, ...], first_line: Any) -> Iterator[int]:
    """A program that is told one line of JSON; gives its number."""
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as program:
        try:
            told: IO[str] | None = program.stdin
            assert told
            told.write(f"{json.dumps(first_line)}\n")
            told.flush()
            yield program.pid
        finally:
            program.kill()


async def percent(pid: int, seconds: float) -> float:
    """What a program uses of a core, once it has settled."""
    await asyncio.sleep(SETTLE_S)
    before = usage(pid).cpu_seconds
    await asyncio.sleep(seconds)
    return (usage(pid).cpu_seconds - before) / seconds * 100


async def measured(scheme: str, number: int, seconds: float) -> tuple[float, float]:
    """`(the process that makes checks, the bare loop)`."""
    servers = [await asyncio.start_server(serve, HOST, 0) for _ in range(number)]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    probes = [
        Probe(f"{scheme}/{port}", HOST, scheme, port, 1.0, 1.0, 3, 2, ((200, 399),))
        for port in ports
    ]
    with running(COMMAND, {"probes": probes, "passing": []}) as pid:
        ours = await percent(pid, seconds)
    with running((sys.executable, "-c", BARE), (scheme, ports, probes[0].request.decode())) as pid:
        return ours, await percent(pid, seconds)


def main(number: str = "64", seconds: str = "60") -> None:
    """Print a line for each kind of check."""
    print(f"{number} checks every second, over {seconds} s{'checks':>9}{'bare':>9}  % of a core")
    for scheme in ("tcp", "http"):
        ours, bare = asyncio.run(measured(scheme, int(number), float(seconds)))
        print(f"{scheme:38}{ours:9.2f}{bare:9.2f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
