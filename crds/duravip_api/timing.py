"""The times that both programs must agree on, in seconds."""

from typing import Final

BEAT: Final = 0.1
"""An agent beats this often."""

SUSPECT_AFTER: Final = 0.15
"""Silence after which a node is suspected: nothing moves, but the wire is asked."""

CONTACT: Final = 0.2
"""An agent arms an address only within this time of a beat that the leader acknowledged."""

DEAD_MAN: Final = 0.5
"""The kernel mutes all addresses of a node whose agent has not refreshed it for this long."""

STRICT_HOLD: Final = 3.0
"""A strictly fenced node is mute when its last acknowledged beat is this old."""

STRICT_MARGIN: Final = 0.3
"""The operator waits for so much longer before it believes that."""

WITNESS_FOR: Final = 60.0
"""A node's silence counts as long as the one that asks has heard it answer within this time."""

WATCH_EVERY: Final = 20.0
"""Each witness asks for each of its nodes this often."""

MOST_SCOUTED: Final = 8
"""So many addresses of a suspect are asked for."""

MATURE: Final = 5.0
"""A node counts in elections after this long without a gap in its beats."""

ANNOUNCE_AFTER: Final = (0.0, 0.1, 1.0, 5.0)
"""When a new address is announced, counted from the moment it was plumbed."""

ANNOUNCE_EVERY: Final = 60.0
"""And every so often from then on."""

SWEEP: Final = 30.0
"""Both programs look at the whole of their world this often, whatever events told them."""

REQUEST_TIMEOUT: Final = 1.0
"""One request to the API server may take this long, or longer where that is slow."""

LONGEST_REQUEST: Final = 10.0
"""No request takes longer: its connection may be dead."""

REQUEST_RETRIES: Final = (0.05, 0.1, 0.2, 0.4)
"""Pauses before the next try after a refused connection, 429 or 503."""
