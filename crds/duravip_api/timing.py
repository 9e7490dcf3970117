"""The times that both programs must agree on, in seconds."""

from typing import Final

BEAT: Final = 0.1
"""An agent beats this often."""

SUSPECT_AFTER: Final = 0.3
"""Silence after which a node is suspected: nothing new is granted to it, nothing moves."""

LOST_AFTER: Final = 1.0
"""Silence after which a node is taken for lost, and its addresses move."""

MATURE: Final = 5.0
"""A node counts in elections after this long without a gap in its beats."""

ANNOUNCE_AFTER: Final = (0.0, 0.1, 1.0, 5.0)
"""When a new address is announced, counted from the moment it was plumbed."""

ANNOUNCE_EVERY: Final = 60.0
"""And every so often from then on."""

SWEEP: Final = 30.0
"""Both programs look at the whole of their world this often, whatever events told them."""

REQUEST_TIMEOUT: Final = 1.0
"""One request to the API server may take this long."""

REQUEST_RETRIES: Final = (0.05, 0.1, 0.2, 0.4)
"""Pauses before the next try after a refused connection, 429 or 503."""
