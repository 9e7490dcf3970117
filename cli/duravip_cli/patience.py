"""Looking again and again until something has happened."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

from duravip_cli.call import Call

LOOK_EVERY: Final = 0.25
Found = TypeVar("Found")


def awaited(call: Call, look: Callable[[], Found | None]) -> Found | None:
    """What `look` finds; None when it has found nothing within --timeout."""
    until = time.monotonic() + float(call.asked.timeout)
    while (found := look()) is None:
        if time.monotonic() >= until:
            return None
        call.sleep(LOOK_EVERY)
    return found
