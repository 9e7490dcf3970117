"""What the node's agent serves: followed by its local API, for ever.

While the agent cannot be followed, what it said last stays. A wrong *here* fails when Postfix
binds, and a wrong *not here* ends at this node's own listener, which refuses: neither does harm.
"""

import logging
from collections.abc import Callable
from threading import Thread

from duravip_runtime.local_client import LocalClient, Unreachable, follow
from duravip_runtime.local_endpoint import parse_local_endpoint

log = logging.getLogger(__name__)

OnServed = Callable[[frozenset[str], frozenset[str]], None]
"""Called with all addresses that the node serves, and those of them that have come just now: one
may have gone in between. From the thread that follows."""
OnConnected = Callable[[bool], None]
"""Called when the agent can be followed again, or not any more."""


class AgentFollower:
    """A thread that follows one agent."""

    def __init__(self, where: str, on_served: OnServed, on_connected: OnConnected) -> None:
        """`where` is a setting: unix:/PATH or HOST:PORT."""
        self._client = LocalClient(parse_local_endpoint(where))
        self._on_served, self._on_connected = on_served, on_connected

    def start(self) -> None:
        """Begin to follow."""
        Thread(target=self._run, name="agent", daemon=True).start()

    def _run(self) -> None:
        is_first, is_followed = True, True
        for update in follow(self._client):
            if isinstance(update, Unreachable):
                if is_followed:
                    log.warning("what was served last still counts: %s", update.reason)
            else:
                if not is_followed:
                    log.info("the agent can be followed again")
                if is_first or not update.change.is_empty:
                    came = frozenset(entry.address for entry in update.change.gained)
                    self._on_served(frozenset(update.now.served), came)
                is_first = False
            is_followed = not isinstance(update, Unreachable)
            self._on_connected(is_followed)
