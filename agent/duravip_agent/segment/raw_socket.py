"""Raw sockets (packet(7)): one that probes and listens on an interface, and those that announce.

They are opened once and kept: closing one takes the kernel 13 to 30 ms.
"""

import contextlib
import ctypes
import errno
import fcntl
import logging
import os
import socket
import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final

from duravip_agent.codec.bpf import REJECT_ALL, Program, pack
from duravip_agent.codec.frames import ETHER_TYPE_AT
from duravip_agent.core.kernel_state import Link

log = logging.getLogger(__name__)

MAX_FRAMES_PER_CALL: Final = 512
"""Frames that go out in one system call at most."""

_BUFFER = 8 << 20
"""Room for the answers to some thousand frames: the kernel counts 800 bytes for each."""

_SEND_BUFFER = 4 << 20
"""Of a socket that only announces."""

_SOL_PACKET, _PACKET_STATISTICS, _PACKET_IGNORE_OUTGOING = 263, 6, 23
_SO_ATTACH_FILTER, _SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 26, 32, 33
_SIOCGIFFLAGS, _IFF_UP, _IFF_RUNNING = 0x8913, 0x1, 0x40
_LONGEST_FRAME = 128
_NOT_SENT = {errno.ENETDOWN, errno.ENXIO, errno.ENODEV, errno.ENOBUFS, errno.EAGAIN}
"""The link is down, gone or congested, or the fence mutes us. What was not sent is announced again
in the next round."""

_NOT_HEARD = {errno.ENETDOWN, errno.ENXIO, errno.ENODEV}
_SOCKADDR_LL: Final = struct.Struct("=H2si12x")
"""Family, protocol, interface; the rest is not used for sending."""
_LIBC = ctypes.CDLL(None, use_errno=True)


class RawSocket:
    """Frames of one Ethernet type on one interface. For one thread."""

    def __init__(self, interface: str, kind: int) -> None:
        """Raises OSError when there is no such interface, or no permission (CAP_NET_RAW)."""
        self.interface = interface
        self._sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)  # 0: deaf until `bind`
        self._burst: SendBuffer | None = None
        try:
            self._sock.settimeout(0.0)
            for option in (_SO_SNDBUFFORCE, _SO_RCVBUFFORCE):
                with contextlib.suppress(PermissionError):
                    self._sock.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
            self._sock.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
            self.set_filter(REJECT_ALL)
            self._sock.bind((interface, kind))
        except OSError:
            self._sock.close()
            raise

    def fileno(self) -> int:
        """What a selector needs."""
        return self._sock.fileno()

    def close(self) -> None:
        """Give the socket back."""
        self._sock.close()

    def mac(self) -> bytes | None:
        """The interface's MAC; None when the interface that we were opened on is no more."""
        where: tuple[str, int, int, int, bytes] = self._sock.getsockname()
        return where[4] if where[0] == self.interface else None

    def is_running(self) -> bool:
        """Whether the interface that we were opened on is up and has a carrier."""
        request = struct.pack("16sH14x", self.interface.encode(), 0)
        try:
            answer = fcntl.ioctl(self._sock, _SIOCGIFFLAGS, request)
        except OSError:
            return False
        flags: int = struct.unpack_from("H", answer, 16)[0]
        return flags & _IFF_UP > 0 and flags & _IFF_RUNNING > 0 and self.mac() is not None

    def set_filter(self, program: Program) -> None:
        """From now on hear just the frames that this program accepts."""
        kept = ctypes.create_string_buffer(pack(program))
        where = struct.pack("HP", len(program), ctypes.addressof(kept))
        self._sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, where)

    def frames(self, most: int) -> Iterator[bytes]:
        """The frames that have come, at most `most`."""
        for _ in range(most):
            try:
                yield self._sock.recv(_LONGEST_FRAME)
            except BlockingIOError:
                return
            except OSError as error:  # said once each time that the link goes down
                if error.errno not in _NOT_HEARD:
                    raise

    def lost(self) -> int:
        """How many frames there was no room for, since this was last asked."""
        statistics = self._sock.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        return int(struct.unpack("II", statistics)[1])

    def send(self, frames: Sequence[bytes]) -> int:
        """Send the first BURST of frames, all of one size; gives back how many went out."""
        if self._burst is None:
            self._burst = SendBuffer(len(frames[0]))
        return self._burst.send(self._sock.fileno(), frames[:MAX_FRAMES_PER_CALL])


class _Part(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


class _Head(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_size", ctypes.c_uint32),
        ("parts", ctypes.c_void_p),
        ("part_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_size", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Message(ctypes.Structure):
    _fields_ = (("head", _Head), ("done", ctypes.c_uint))


class SendBuffer:
    """Memory for frames of one size, laid out for sendmmsg, which Python does not have.

    Such a call also lets go of the interpreter, and waits for it, once and not for each frame.
    """

    def __init__(self, size: int, to: bytes = b"") -> None:
        """`to` is a sockaddr_ll, for a socket that is bound to no protocol."""
        self._to = ctypes.create_string_buffer(to, max(len(to), 1))
        self._frames = ctypes.create_string_buffer(size * MAX_FRAMES_PER_CALL)
        self._parts, self._messages = (
            (_Part * MAX_FRAMES_PER_CALL)(),
            (_Message * MAX_FRAMES_PER_CALL)(),
        )
        for at in range(MAX_FRAMES_PER_CALL):
            self._parts[at] = _Part(ctypes.addressof(self._frames) + at * size, size)
            part = ctypes.addressof(self._parts) + at * ctypes.sizeof(_Part)
            head = self._messages[at].head
            head.parts, head.part_count = part, 1
            if to:
                head.name, head.name_size = ctypes.addressof(self._to), len(to)

    def send(self, fileno: int, frames: Sequence[bytes]) -> int:
        """Send at most BURST frames; gives back how many went out before the link refused one."""
        joined = b"".join(frames)
        ctypes.memmove(self._frames, joined, len(joined))
        sent = 0
        while sent < len(frames):
            start = ctypes.byref(self._messages, sent * ctypes.sizeof(_Message))
            done = _LIBC.sendmmsg(fileno, start, len(frames) - sent, 0)
            if done < 0:
                number = ctypes.get_errno()
                if number == errno.EINTR:
                    continue
                if number not in _NOT_SENT:
                    raise OSError(number, os.strerror(number))
                break
            sent += done
        return sent


def may_send() -> bool:
    """Whether the process has the permission to open raw sockets (CAP_NET_RAW)."""
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except PermissionError:
        return False
    return True


class FrameSender:
    """The raw sockets. For one thread.

    They are bound to no protocol, so that they hear nothing. Each frame goes out with its own one,
    by which the fence recognizes it: not every kind of interface (macvlan) lets the kernel read it
    from the frame.
    """

    def __init__(self) -> None:
        self._sockets: dict[int, socket.socket] = {}
        self._bursts: dict[tuple[int, int], SendBuffer] = {}
        """By interface, and by the size of a frame, which tells its protocol."""

    def send(self, link: Link, frames: Sequence[bytes]) -> int:
        """Send frames; gives back how many went out."""
        sent = 0
        try:
            sock = self._socket(link)
            while sent < len(frames):
                sent += self._burst(sock, link.index, frames[sent : sent + MAX_FRAMES_PER_CALL])
        except OSError as error:
            if error.errno not in _NOT_SENT:
                raise
            log.debug("cannot announce on %s: %s", link.name, error)
            if error.errno in {errno.ENXIO, errno.ENODEV}:
                self._close(link.index)
        return sent

    def _burst(self, sock: socket.socket, link: int, frames: Sequence[bytes]) -> int:
        """Send those of the first one's size that follow it; raises OSError when none goes out."""
        size, same_size = next(groupby(frames, len))
        alike, kind = list(same_size), frames[0][ETHER_TYPE_AT:][:2]
        burst = self._bursts.get((link, size))
        if burst is None:
            to = _SOCKADDR_LL.pack(socket.AF_PACKET, kind, link)
            burst = self._bursts[link, size] = SendBuffer(size, to)
        done = burst.send(sock.fileno(), alike)
        if not done:  # let Python say why
            sock.sendto(alike[0], (sock.getsockname()[0], int.from_bytes(kind)))
        return done or 1

    def keep_only(self, links: Iterable[int]) -> None:
        """Close the sockets of links that are no more."""
        for index in self._sockets.keys() - set(links):
            self._close(index)

    def _socket(self, link: Link) -> socket.socket:
        sock = self._sockets.get(link.index)
        if sock is None:
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            sock.settimeout(0.0)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
            sock.bind((link.name, 0))
            self._sockets[link.index] = sock
        return sock

    def _close(self, index: int) -> None:
        self._bursts = {key: burst for key, burst in self._bursts.items() if key[0] != index}
        sock = self._sockets.pop(index, None)
        if sock is not None:
            sock.close()
