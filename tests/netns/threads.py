"""Holding up one thread of a program: its other threads go on."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

_ATTACH, _DETACH = 16, 17
_WALL = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)


@contextmanager
def held_up(thread: int) -> Iterator[None]:
    """Let this thread, named by its number, stand still meanwhile."""
    _trace(_ATTACH, thread)
    os.waitpid(thread, _WALL)
    try:
        yield
    finally:
        _trace(_DETACH, thread)


def _trace(request: int, thread: int) -> None:
    if _libc.ptrace(request, thread, None, None):
        raise OSError(ctypes.get_errno(), "ptrace")
