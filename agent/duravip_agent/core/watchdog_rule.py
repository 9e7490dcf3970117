"""When the watchdog may be fed: A3 and A7 of the hand-over rule, for the heartbeat thread.

The watchdog is in the kernel: its nftables rules mute everything once it was not fed for the time
`Timeouts.watchdog`. So a feed that comes later would let an address be heard that others have
heard fall silent, and may have taken over. A thread can be stopped between its look at the clock
and the feed: only the clock after it tells.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from duravip_api.timing import CONTACT, DEAD_MAN, STRICT_HOLD

NEVER: Final = float("-inf")

KERNEL_EARLY_S: Final = 0.03
"""The kernel may be early by so much: it counts in ticks, of up to 10 ms, and rounds down."""


class Timeouts(NamedTuple):
    """What can be set, and what follows from what the operator counts on. In seconds."""

    watchdog: float = DEAD_MAN
    contact: float = CONTACT
    """An older acknowledgement is no contact."""
    strict_hold: float = STRICT_HOLD
    """The operator gives a silent node's strictly fenced addresses away after this long."""
    progress: float = 0.4
    """A loop that has made no progress for this long hangs, and must not be kept alive."""


DEFAULTS: Final = Timeouts()


class LeaderContact(NamedTuple):
    """The newest acknowledgement of a leader."""

    sent: float
    """When the heartbeat was sent that it answers: of anything later it proves nothing."""
    epoch: int
    generation: int


@dataclass(frozen=True, slots=True)
class WatchdogState:
    """What the thread goes by."""

    fed_at: float | None
    """The clock just before the last refresh; None = the loop must arm anew, and refresh first."""
    progress: float
    """When the loop came round last."""
    contact: LeaderContact | None = None
    has_strict: bool = False
    """Whether anything active is strictly fenced, by the decision that was applied last."""
    timeouts: Timeouts = DEFAULTS


def may_feed(state: WatchdogState, now: float) -> bool:
    """A3: whether the agent lives, the loop included, and did all the time."""
    return not is_late(state, now) and now - state.progress < state.timeouts.progress


def is_late(state: WatchdogState, now: float) -> bool:
    """A3, A7: whether something would speak that should be silent: mute everything then.

    To be asked again after each refresh, with `fed_at` still as it was before.
    """
    is_over = state.has_strict and now >= strict_hold_end(state.contact, state.timeouts)
    return is_over or has_expired(state.fed_at, now, state.timeouts)


def has_expired(fed_at: float | None, now: float, timeouts: Timeouts) -> bool:
    """A3: whether the kernel has muted everything, or may have."""
    return fed_at is None or now - fed_at >= timeouts.watchdog - KERNEL_EARLY_S


def strict_hold_end(contact: LeaderContact | None, timeouts: Timeouts) -> float:
    """A7: the last refresh before which the watchdog still ends in time."""
    return contact.sent + timeouts.strict_hold - timeouts.watchdog if contact else NEVER
