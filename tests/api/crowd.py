"""Slow peers and large bodies, as a program of their own: `crowd.py SECONDS HOST:PORT[+tls]...`.

At each port 200 connections send half a request and wait, and 20 more send bodies of 14 MiB over
and over. It says `there` when all are at it.
"""

import contextlib
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator

SLOW, LARGE = 200, 20
MUCH = b"x" * (14 * 1024 * 1024)
HALF = b"POST /admission HTTP/1.1\r\nContent-Le"
WHOLE = b"POST /admission HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(MUCH)


def connected(where: str, *, encrypted: bool) -> socket.socket:
    """A connection to HOST:PORT."""
    host, _, port = where.rpartition(":")
    plain = socket.create_connection((host, int(port)), timeout=5)
    if not encrypted:
        return plain
    context = ssl._create_unverified_context()  # noqa: S323, SLF001 - whoever attacks asks nobody
    return context.wrap_socket(plain)


def push(where: str, end: float, *, encrypted: bool) -> None:
    """Send large bodies until the end."""
    while time.monotonic() < end:
        with contextlib.suppress(OSError), connected(where, encrypted=encrypted) as peer:
            peer.sendall(WHOLE + MUCH)
            peer.recv(1000)
        time.sleep(0.1)


def linger(where: str, *, encrypted: bool) -> Iterator[socket.socket]:
    """Connections that send half a request; half of the encrypted ones do not even shake hands."""
    for number in range(SLOW):
        with contextlib.suppress(OSError):
            peer = connected(where, encrypted=encrypted and number % 2 == 0)
            peer.send(HALF)
            yield peer


def main() -> None:
    """Be a nuisance for so many seconds."""
    end = time.monotonic() + float(sys.argv[1])
    kept = []
    for text in sys.argv[2:]:
        where, _, tls = text.partition("+")
        for _ in range(LARGE):
            how = {"encrypted": bool(tls)}
            threading.Thread(target=push, args=(where, end), kwargs=how, daemon=True).start()
        kept += list(linger(where, encrypted=bool(tls)))
    print("there", flush=True)
    time.sleep(max(0.0, end - time.monotonic()))
    print(f"{len(kept)} waited", flush=True)


if __name__ == "__main__":
    main()
