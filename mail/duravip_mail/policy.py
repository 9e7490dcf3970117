"""Postfix' policy service: which Binding a message gets when it enters (SMTPD_POLICY_README).

A request is lines `name=value` and an empty line, the answer `action=…` and an empty line. The
socket is Postfix' own user's alone: an answer has the token of a Binding.
"""

import asyncio
import contextlib
import os
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event, Thread
from typing import Final

MAX_LINE_BYTES: Final = 16 * 1024
MAX_LINES: Final = 200

Decide = Callable[[Mapping[str, str], float], str]
"""Gives the action for the attributes of a request, and a number from 0 up to 1 by chance."""


class PolicyServer:
    """Answers from `start` on, in a thread of its own."""

    def __init__(self, path: Path, user: int, decide: Decide) -> None:
        """`user` is the number of the one who may connect."""
        self._path, self._user, self._decide = path, user, decide
        self._ready = Event()
        self._problem: OSError | None = None

    def start(self) -> None:
        """Begin to answer; raises OSError when the socket cannot be had."""
        Thread(target=lambda: asyncio.run(self._serve()), name="policy", daemon=True).start()
        self._ready.wait()
        if self._problem:
            raise self._problem

    async def _serve(self) -> None:
        early = self._path.with_name(f"{self._path.name}.new")
        try:
            early.unlink(missing_ok=True)
            server = await asyncio.start_unix_server(self._client, early, limit=MAX_LINE_BYTES)
            early.chmod(0o600)
            os.chown(early, self._user, -1)
            early.replace(self._path)
        except OSError as error:
            self._problem = error
            return
        finally:
            self._ready.set()
        await server.serve_forever()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError, asyncio.IncompleteReadError):
            while request := await _request(reader):
                chance = random.random()  # noqa: S311 - nothing secret
                writer.write(f"action={self._decide(request, chance)}\n\n".encode())
                await writer.drain()
        writer.close()


async def _request(reader: asyncio.StreamReader) -> dict[str, str]:
    """The next one; empty when the client has gone. ValueError: it is too long."""
    found: dict[str, str] = {}
    for _ in range(MAX_LINES):
        line = (await reader.readuntil(b"\n")).decode(errors="replace").rstrip("\n")
        if not line:
            return found
        name, _, value = line.partition("=")
        found[name] = value
    raise ValueError("a request has too many lines")
