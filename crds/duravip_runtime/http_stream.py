"""An HTTP answer without an end: pieces, as they come, until either side closes."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Final, NamedTuple

PIECE_BYTES: Final = 64 * 1024

Headers = tuple[tuple[str, str], ...]
"""Names and values of headers."""


class HttpStream(NamedTuple):
    """What is answered; the end of the connection is the end of the body (RFC 9112, 6.3)."""

    pieces: AsyncGenerator[bytes]
    """Closed when the connection ends."""
    content_type: str
    piece_s: float
    """How long a peer may take for `PIECE_BYTES`, in seconds; a slower one is dropped."""
    headers: Headers = ()
    """Further ones."""


async def send(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stream: HttpStream
) -> None:
    """Send it until there are no more pieces, or the peer has gone.

    A peer that sends anything has not understood that there is no next answer, and is dropped too.
    Raises TimeoutError for a slow one, OSError for one that cannot be sent to.
    """
    writer.transport.set_write_buffer_limits(high=0)  # `drain` waits until the kernel has it all
    headers = (("Content-Type", stream.content_type), *stream.headers, ("Connection", "close"))
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    writer.write(f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode())
    sending = asyncio.create_task(_send_pieces(writer, stream))
    gone = asyncio.create_task(reader.read(1))
    try:
        await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
        if sending.done():
            sending.result()
    finally:
        for task in (sending, gone):
            task.cancel()
        await asyncio.gather(sending, gone, return_exceptions=True)


async def _send_pieces(writer: asyncio.StreamWriter, stream: HttpStream) -> None:
    async with contextlib.aclosing(stream.pieces) as pieces:
        async for piece in pieces:
            for start in range(0, len(piece), PIECE_BYTES):
                writer.write(piece[start : start + PIECE_BYTES])
                async with asyncio.timeout(stream.piece_s):
                    await writer.drain()
