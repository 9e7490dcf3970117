"""The HTTP server: /metrics, and the probes /healthz and /readyz.

It answers from threads: a probe that waits for a busy loop would say that a busy program is dead.
"""

import logging
import socket
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from duravip_operator.endpoints import endpoint
from duravip_operator.settings import SettingsError

log = logging.getLogger(__name__)

Probe = Callable[[], str]
"""Gives an empty string when all is well, else a sentence."""


class Server:
    """Answers from `start` on, until `stop`."""

    def __init__(
        self, listen: str, registry: CollectorRegistry, probes: Mapping[str, Probe]
    ) -> None:
        """Take the address; raises SettingsError when it cannot be had.

        `probes` are by path, e.g. `/healthz`.
        """
        host, port = endpoint(listen)
        handler = type("Handler", (_Handler,), {"registry": registry, "probes": probes})
        try:
            family, *_, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            server = type("Server", (_Server,), {"address_family": family})
            self._server: ThreadingHTTPServer = server((where[0], where[1]), handler)
        except OSError as error:
            raise SettingsError(f"--http-listen: cannot listen on {listen}: {error}") from error

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._server.server_port

    def start(self) -> None:
        """Begin to answer."""
        Thread(target=self._server.serve_forever, name="http", daemon=True).start()

    def stop(self) -> None:
        """Close the socket. After `start` only."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True


class _Handler(BaseHTTPRequestHandler):
    registry: CollectorRegistry
    probes: Mapping[str, Probe]
    server_version = "duravip-operator"
    timeout = 10.0

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self._answer(HTTPStatus.OK, generate_latest(self.registry), CONTENT_TYPE_LATEST)
        elif path in self.probes:
            problem = self.probes[path]()
            status = HTTPStatus.SERVICE_UNAVAILABLE if problem else HTTPStatus.OK
            self._answer(status, f"{problem or 'ok'}\n".encode())
        else:
            there = ", ".join((*self.probes, "/metrics"))
            self._answer(HTTPStatus.NOT_FOUND, f"there are {there}\n".encode())

    def _answer(self, status: HTTPStatus, body: bytes, kind: str = "text/plain") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - theirs
        log.debug("http: %s", format % args)
