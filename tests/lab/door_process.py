"""The door: a port of the root namespace's loopback that leads to the API server.

A file to run by itself: door_process.py NAMESPACE-FILE. It prints its port, then forwards until
it is ended. A socket stays in the namespace where it was made: so this process listens at home,
and steps into the other namespace just to make the sockets that it connects from.

While nobody listens behind it, the port refuses connections, as the API server's own would: a
client would try again for ten seconds, were its connection taken and then closed.
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
LOOK_EVERY = 0.03


def place(port: int) -> socket.socket:
    """Take a port, which refuses connections as long as it is not listened on; 0 = any."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    return made


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


async def connected(file: str) -> socket.socket | None:
    """Connect to the API server; None when nobody listens there."""
    try:
        made = socket_inside(file)
    except OSError:
        return None  # its machine is off
    try:
        await asyncio.get_running_loop().sock_connect(made, TARGET)
    except OSError:
        made.close()
        return None
    return made


async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what comes until it ends."""
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()


async def serve(listener: socket.socket, file: str) -> None:
    """Forward every connection, until nobody listens behind any more."""
    gone = asyncio.Event()

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far = await connected(file)
        if far is None:
            gone.set()
            writer.close()
            return
        far_reader, far_writer = await asyncio.open_connection(sock=far)
        await asyncio.gather(forward(reader, far_writer), forward(far_reader, writer))

    server = await asyncio.start_server(serve_one, sock=listener)
    await gone.wait()
    server.close()


async def keep_open(file: str) -> None:
    """Hold the port, and serve it whenever there is somebody behind."""
    listener = place(0)
    port = listener.getsockname()[1]
    print(port, flush=True)
    while True:
        while (first := await connected(file)) is None:  # noqa: ASYNC110 (nothing tells us)
            await asyncio.sleep(LOOK_EVERY)
        first.close()
        await serve(listener, file)
        listener = place(port)


if __name__ == "__main__":
    asyncio.run(keep_open(sys.argv[1]))
