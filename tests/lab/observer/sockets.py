"""Many frames in one system call: sendmmsg and recvmmsg, which Python does not have."""

import ctypes
import os
import socket
import struct
from collections.abc import Iterator, Sequence
from typing import Final

SOL_PACKET, PACKET_STATISTICS, PACKET_IGNORE_OUTGOING = 263, 6, 23
SO_ATTACH_FILTER, SO_TIMESTAMPNS, SO_RCVBUFFORCE, SO_SNDBUFFORCE = 26, 35, 33, 32
ETH_P_ALL: Final = 3
BUFFER: Final = 32 << 20

SLOTS: Final = 512
FRAME: Final = 128
STAMP: Final = struct.Struct("16xqq")
"""A control message with one time: its header, seconds, nanoseconds."""

_libc = ctypes.CDLL(None, use_errno=True)


class _Part(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


class _Message(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_size", ctypes.c_uint32),
        ("parts", ctypes.POINTER(_Part)),
        ("part_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_size", ctypes.c_size_t),
        ("flags", ctypes.c_int),
        ("padding", ctypes.c_int),
        ("done", ctypes.c_uint),
    )


Buffer = ctypes.Array[ctypes.c_char]


def buffer(content: bytes) -> Buffer:
    """A place in memory that frames can be made of, and that can be written to later."""
    return (ctypes.c_char * len(content)).from_buffer_copy(content)


def opened(
    nic: str, program: Sequence[tuple[int, int, int, int]], *, is_outgoing_heard: bool = False
) -> socket.socket:
    """Open a socket on a card that gets, with their times, just the frames the program lets in."""
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)  # 0: nothing comes before `bind`
    code = b"".join(struct.pack("HBBI", *line) for line in program)
    kept = buffer(code)
    where = struct.pack("HP", len(program), ctypes.addressof(kept))
    made.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, where)
    made.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
    made.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, BUFFER)
    made.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    made.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, int(not is_outgoing_heard))
    made.bind((nic, ETH_P_ALL))
    return made


def dropped(opened_socket: socket.socket) -> int:
    """How many frames the kernel could not keep for us."""
    told = opened_socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
    return int(struct.unpack("II", told)[1])


class Outgoing:
    """Frames that are sent together, again and again; each is made of parts in memory."""

    def __init__(self, frames: Sequence[Sequence[Buffer]]) -> None:
        self._kept = frames
        self._parts = [
            (_Part * len(frame))(*(_Part(ctypes.addressof(part), len(part)) for part in frame))
            for frame in frames
        ]
        self._messages = (_Message * len(frames))()
        for message, parts in zip(self._messages, self._parts, strict=True):
            message.parts, message.part_count = parts, len(parts)

    def send(self, through: socket.socket) -> None:
        """Send all of them; one that the card refuses is lost, as on a wire."""
        sent, size = 0, ctypes.sizeof(_Message)
        while sent < len(self._messages):
            start = ctypes.byref(self._messages, sent * size)
            done = _libc.sendmmsg(through.fileno(), start, len(self._messages) - sent, 0)
            sent += max(done, 1)


class Incoming:
    """Frames as they come, many at a time."""

    def __init__(self, through: socket.socket) -> None:
        self._socket = through
        self._data, self._control = bytearray(SLOTS * FRAME), bytearray(SLOTS * STAMP.size)
        data, control = self._address(self._data), self._address(self._control)
        self._parts = [(_Part * 1)(_Part(data + slot * FRAME, FRAME)) for slot in range(SLOTS)]
        self._messages = (_Message * SLOTS)()
        for slot, message in enumerate(self._messages):
            message.parts, message.part_count = self._parts[slot], 1
            message.control, message.control_size = control + slot * STAMP.size, STAMP.size

    def frames(self) -> Iterator[tuple[int, bytearray, int]]:
        """All that have come: (nanoseconds of the wall clock, memory, where in it)."""
        while True:
            count = _libc.recvmmsg(
                self._socket.fileno(), self._messages, SLOTS, socket.MSG_DONTWAIT, None
            )
            for slot in range(count):
                seconds, nanoseconds = STAMP.unpack_from(self._control, slot * STAMP.size)
                yield seconds * 1_000_000_000 + nanoseconds, self._data, slot * FRAME
            if count < SLOTS:
                if count < 0 and ctypes.get_errno() not in {0, 4, 11}:
                    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
                return

    @staticmethod
    def _address(memory: bytearray) -> int:
        return ctypes.addressof((ctypes.c_char * len(memory)).from_buffer(memory))
