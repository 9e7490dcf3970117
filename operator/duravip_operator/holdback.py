"""For how long a hand-over is not spoken of: until it is done, if it does not take long.

To work out what is said of thousands of addresses that are about to move, and to write it, would
only delay them; and once they have moved there is half as much to say.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from duravip_operator.caches import Caches
from duravip_operator.core.snapshot import Plumbing
from duravip_operator.pulse import Pulse

LONGEST: Final = 0.5
"""So long at most, in seconds."""


@dataclass
class HoldBack:
    """In the asyncio thread."""

    caches: Caches
    pulse: Pulse
    on_end: Callable[[], None]
    """Called when it has taken so long that it has to be spoken of."""
    _since: float | None = None

    def is_on(self, *, is_waiting: bool) -> bool:
        """Whether addresses are on their way to their owners, and have not been for long.

        `is_waiting` says that some have a former holder who has not let go of them.
        """
        now = time.monotonic()
        if not is_waiting and not any(map(self._is_taking, self.caches.plumbings.values())):
            self._since = None
            return False
        if self._since is None:
            self._since = now
            asyncio.get_running_loop().call_later(LONGEST, self.on_end)
        return now - self._since < LONGEST

    def _is_taking(self, plumbing: Plumbing) -> bool:
        """Whether a node has been told what to take, and does not say yet that it has."""
        is_silent = plumbing.node in self.pulse.view().silences
        return not (plumbing.acted or is_silent or plumbing.granted <= plumbing.served)
