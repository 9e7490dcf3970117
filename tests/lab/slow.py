"""A port behind which the API server answers late: `python -m lab.slow HOST:PORT HOST:PORT FILE`.

What comes to the first is sent on to the second at once; what that answers is held for as many
seconds as the file says at that moment, `0.6 1.0` for any time between these.
"""

import asyncio
import random
import sys
from contextlib import suppress
from pathlib import Path

CHUNK = 1 << 16


def late(file: Path) -> float:
    """For how long an answer is held now."""
    first, last = map(float, file.read_text().split())
    return random.uniform(first, last)  # noqa: S311 - no secret


async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send on at once."""
    with suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()


async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, file: Path) -> None:
    """Send on late, and in order."""
    loop = asyncio.get_running_loop()
    waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def send() -> None:
        while (item := await waiting.get())[1]:
            await asyncio.sleep(max(0.0, item[0] - loop.time()))
            writer.write(item[1])
            await writer.drain()

    sending = asyncio.create_task(send())
    with suppress(OSError):
        while data := await reader.read(CHUNK):
            waiting.put_nowait((loop.time() + late(file), data))
        waiting.put_nowait((0.0, b""))
        await sending
    sending.cancel()
    writer.close()


async def main() -> None:
    """Serve for ever."""
    here, there, file = sys.argv[1], sys.argv[2], Path(sys.argv[3])

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = there.rpartition(":")
        try:
            far_reader, far_writer = await asyncio.open_connection(host, int(port))
        except OSError:
            writer.close()
            return
        await asyncio.gather(forward(reader, far_writer), hold(far_reader, writer, file))

    host, _, port = here.rpartition(":")
    server = await asyncio.start_server(serve_one, host, int(port))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
