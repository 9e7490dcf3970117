"""A port here that leads to one of a machine's loopback, as `kubectl port-forward` makes it."""

import contextlib
import socket
from pathlib import Path
from threading import Thread
from typing import Final

from lab.door_process import socket_inside

CHUNK: Final = 1 << 16


class PortForward:
    """Forwards until it is closed."""

    def __init__(self, namespace: Path, port: int) -> None:
        """`namespace` is the file that stands for the machine's network."""
        self._namespace, self._target = str(namespace), ("127.0.0.1", port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here, _ = self._listening.accept()
                Thread(target=self._forward, args=(here,), daemon=True).start()

    def _forward(self, here: socket.socket) -> None:
        there = socket_inside(self._namespace)
        there.settimeout(None)
        try:
            there.connect(self._target)
        except OSError:  # nobody listens there
            here.close()
            there.close()
            return
        Thread(target=_copy, args=(there, here), daemon=True).start()
        _copy(here, there)


def _copy(source: socket.socket, sink: socket.socket) -> None:
    """Pass on what comes until it ends, and then end both."""
    with contextlib.suppress(OSError):
        while data := source.recv(CHUNK):
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
