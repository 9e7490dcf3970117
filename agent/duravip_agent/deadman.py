"""The dead-man: the fence mutes everything unless it is refreshed in time.

A datagram on lo that the fence knows by its mark. It takes some microseconds whatever others do
with their rules; a transaction would wait for theirs.
"""

import socket

from duravip_agent.core.ruleset import MUTE, REFRESH, REFRESH_TO
from duravip_agent.fence import FenceError

_SO_MARK = 36


class DeadMan:
    """Refreshes it. Never waits and never fails: without a refresh there is silence."""

    def __init__(self) -> None:
        """Raises FenceError when the process may not mark what it sends."""
        self._refresh, self._mute = _marked(REFRESH), _marked(MUTE)
        self.refused = 0
        """Datagrams that the kernel did not take: some other rule drops them."""

    def refresh(self) -> None:
        """Let what is held speak, for the dead-man's time from now."""
        try:
            self._refresh.sendto(b"", REFRESH_TO)
        except OSError:
            self.refused += 1

    def mute(self) -> None:
        """Mute everything now, until the next refresh."""
        try:
            self._mute.sendto(b"", REFRESH_TO)
        except OSError:
            self.refused += 1

    def close(self) -> None:
        """Let go of the sockets."""
        self._refresh.close()
        self._mute.close()


def _marked(mark: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_MARK, mark)
    except OSError as error:
        sock.close()
        raise FenceError("cannot refresh the dead-man: it needs CAP_NET_ADMIN") from error
    sock.settimeout(0.0)
    return sock
