"""The door: a port of the root namespace's loopback that leads to the API server.

A file to run by itself: door_process.py NAMESPACE-FILE. It prints its port, then forwards until
it is ended. A socket stays in the namespace where it was made: so this process listens at home,
and steps into the other namespace just to make the sockets that it connects from.
"""

import asyncio
import contextlib
import ctypes
import os
import socket
import sys

TARGET = ("127.0.0.1", 6443)
CHUNK = 1 << 18
HOME = "/proc/self/ns/net"


def socket_inside(file: str) -> socket.socket:
    """Make a socket in the network namespace that this file stands for now."""
    home = os.open(HOME, os.O_RDONLY)
    try:
        enter(os.open(file, os.O_RDONLY))
        try:
            made = socket.socket()
        finally:
            enter(os.dup(home))
    finally:
        os.close(home)
    made.settimeout(0)
    return made


def enter(descriptor: int) -> None:
    """Make new sockets in this network namespace from now on; closes the descriptor."""
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        if libc.setns(descriptor, 0) != 0:
            raise OSError(ctypes.get_errno(), "cannot enter the namespace")
    finally:
        os.close(descriptor)


async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what comes until it ends."""
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()


async def serve(listener: socket.socket, file: str) -> None:
    """Forward every connection."""

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far = socket_inside(file)
            await asyncio.get_running_loop().sock_connect(far, TARGET)
            far_reader, far_writer = await asyncio.open_connection(sock=far)
        except OSError:
            writer.close()
            return
        await asyncio.gather(forward(reader, far_writer), forward(far_reader, writer))

    async with await asyncio.start_server(connect, sock=listener) as server:
        await server.serve_forever()


def main() -> None:
    """Open the door."""
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    asyncio.run(serve(listener, sys.argv[1]))


if __name__ == "__main__":
    main()
