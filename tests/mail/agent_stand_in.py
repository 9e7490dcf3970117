"""Stands in for the agent: has the addresses that it is told to have, and says what it serves.

    python -m mail.agent_stand_in NODE INTERFACE SOCKET

Orders come over a second socket, SOCKET.orders: one JSON list a connection, answered by a line
once it is carried out.

    ["take", ADDRESS…]      plumb and announce them, say that they are served
    ["release", ADDRESS…]   say that they are not, remove them, end their connections
    ["claim", ADDRESS…]     only say that they are served: a lie
    ["deny", ADDRESS…]      only say that they are not
"""

import json
import socket
import socketserver
import subprocess
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Condition, Thread
from typing import Final

from duravip_runtime.local_api import (
    SERVED_PATH,
    WATCH,
    ServedAddress,
    ServedChange,
    ServedSnapshot,
    applied,
    encode_change,
    encode_snapshot,
)
from lab.observer.frames import announcement

ALIVE_EVERY_S: Final = 2.0
SINCE: Final = "2026-01-01T00:00:00Z"


class StandIn:
    """What it serves, by its own word."""

    def __init__(self, node: str, interface: str) -> None:
        self._interface = interface
        self._changed = Condition()
        self._now = ServedSnapshot(node, "a-boot", contact=True)
        self._changes: list[ServedChange] = []

    def obey(self, order: str, addresses: list[str]) -> None:
        """Carry out one order."""
        if order == "take":
            for address in addresses:
                self._plumb(address)
        if order in ("take", "claim"):
            self._say(gained=[a for a in addresses if a not in self._now.served])
        else:
            self._say(lost=[a for a in addresses if a in self._now.served])
        if order == "release":
            for address in addresses:
                self._remove(address)

    def snapshot(self) -> ServedSnapshot:
        """Everything that it says it serves."""
        return self._now

    def changes(self, after: int) -> list[ServedChange]:
        """Those after this revision; none if nothing has changed for a while."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._changes) > after, ALIVE_EVERY_S)
            return self._changes[after:]

    def _say(self, gained: list[str] = [], lost: list[str] = []) -> None:  # noqa: B006 - never changed
        with self._changed:
            entries = [
                tuple(ServedAddress(a, self._interface, SINCE) for a in addresses)
                for addresses in (gained, lost)
            ]
            if any(entries):
                change = ServedChange(self._now.revision + 1, *entries)
                self._now = applied(self._now, change)
                self._changes.append(change)
                self._changed.notify_all()

    def _plumb(self, address: str) -> None:
        length = 128 if ":" in address else 32
        options = ["nodad"] if ":" in address else []
        words = ["add", f"{address}/{length}", "dev", self._interface, *options]
        subprocess.run(["ip", "addr", *words], check=False)
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as card:
            card.bind((self._interface, 0))
            card.send(announcement(card.getsockname()[4], address))

    def _remove(self, address: str) -> None:
        length = 128 if ":" in address else 32
        words = ["del", f"{address}/{length}", "dev", self._interface]
        subprocess.run(["ip", "addr", *words], check=False)
        ended = ["ss", "--tcp", "--numeric", "--kill", "src", address]
        subprocess.run(ended, check=False, capture_output=True)


def main() -> None:
    """Answer for ever."""
    node, interface, path = sys.argv[1:]
    stand_in = StandIn(node, interface)

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(HTTPStatus.OK)
            self.end_headers()
            now = stand_in.snapshot()
            self.wfile.write(encode_snapshot(now))
            while self.path == f"{SERVED_PATH}?{WATCH}":
                changes = stand_in.changes(now.revision) or [ServedChange(now.revision)]
                for change in changes:
                    now = applied(now, change)
                    self.wfile.write(encode_change(change))
                self.wfile.flush()

        def address_string(self) -> str:
            return "local"

        def log_message(self, *_: object) -> None:
            pass

    class Orders(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            order, *addresses = json.loads(self.rfile.readline())
            stand_in.obey(order, addresses)
            self.wfile.write(b"done\n")

    for name in (path, f"{path}.orders"):
        Path(name).unlink(missing_ok=True)
    orders = _Server(f"{path}.orders", Orders)
    Thread(target=orders.serve_forever, daemon=True).start()
    _Server(path, Answers).serve_forever()


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


if __name__ == "__main__":
    main()
