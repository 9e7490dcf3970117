"""On the path of a Python program, this makes its wall clock wrong by WALL_CLOCK_SHIFT seconds.

A kernel has one CLOCK_REALTIME for all its namespaces. So what is shifted is what Python tells:
`time` and `datetime`. OpenSSL, which looks at the clock by itself, sees the real time.
"""

import datetime as dt
import os
import time
from typing import Any

SHIFT = float(os.environ["WALL_CLOCK_SHIFT"])
_time, _time_ns, _gmtime, _localtime = time.time, time.time_ns, time.gmtime, time.localtime
_datetime = dt.datetime


class _Kind(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _datetime)


class _Shifted(_datetime, metaclass=_Kind):
    """Knows another now; all else is as ever."""

    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> Any:
        return _datetime.now(tz) + dt.timedelta(seconds=SHIFT)

    @classmethod
    def utcnow(cls) -> Any:
        return cls.now(dt.UTC).replace(tzinfo=None)


def _seconds(given: float | None) -> float:
    return time.time() if given is None else given


time.time = lambda: _time() + SHIFT
time.time_ns = lambda: _time_ns() + int(SHIFT * 1e9)
time.gmtime = lambda seconds=None: _gmtime(_seconds(seconds))
time.localtime = lambda seconds=None: _localtime(_seconds(seconds))
dt.datetime = _Shifted  # type: ignore[misc]
