"""The agent's two clocks. Their time stamps must not be mixed: each has a type of its own."""

import time
from typing import NewType

BootTime = NewType("BootTime", float)
"""Seconds by CLOCK_BOOTTIME, which goes on while the machine is suspended, as the other nodes do.
Permissions, acknowledgements and the watchdog are measured by it."""

Monotonic = NewType("Monotonic", float)
"""Seconds by CLOCK_MONOTONIC: for announcements, retries and pauses, which may sleep along."""


def now() -> BootTime:
    """The time that permissions and deadlines are measured by."""
    return BootTime(time.clock_gettime(time.CLOCK_BOOTTIME))


def monotonic() -> Monotonic:
    """The time that timers are measured by."""
    return Monotonic(time.monotonic())
