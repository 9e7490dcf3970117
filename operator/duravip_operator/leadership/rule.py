"""When a replica may lead: the rule, without clock and without I/O.

One Lease names the holder. A replica may take it when nobody holds it, or when it has itself
seen no change of it for as long as the Lease says that it lasts: no two machines' clocks are
compared. Who holds it leads until RENEW after the *start* of the last request that renewed it:
the others wait for longer than that, counted from when they saw it, so that no two lead at once.

`leaseTransitions` grows by one whenever the Lease is taken: it is the **epoch**. It is more than
every epoch that is written in a NodePlumbing, even after somebody has deleted the Lease.
"""

from dataclasses import dataclass, replace
from typing import Final, NamedTuple

LASTS: Final = 2.0
"""The Lease is free when it has not changed for so many seconds. The API wants whole ones."""

RENEW: Final = 1.3
"""A leader that has not renewed for so long leads no more."""

RETRY: Final = 0.4
"""Between the starts of two requests, and the longest that one may take."""

HIGHEST: Final = 2**31 - 1
"""`leaseTransitions` can hold no more: a higher epoch, written by hand, is not heeded."""


@dataclass(frozen=True, slots=True)
class Record:
    """A Lease."""

    holder: str = ""
    epoch: int = 0
    acquired: str = ""
    """`acquireTime`."""
    renewed: str = ""
    """`renewTime`: every write has its own."""
    lasts: float = LASTS
    version: str = ""
    """`resourceVersion`; empty = there is no such Lease yet."""


@dataclass(frozen=True, slots=True)
class View:
    """What a candidate has seen of the Lease, and when it first saw it as it is."""

    record: Record
    since: float


class Reign(NamedTuple):
    """A leadership, as far as it reaches."""

    epoch: int
    until: float


def viewed(view: View | None, record: Record, now: float) -> View:
    """The view after the Lease was read once more."""
    if view is not None and view.record.version == record.version:
        return view
    return View(record, now)


def is_free(view: View, now: float) -> bool:
    """Whether it may be taken."""
    record = view.record
    return not record.holder or now - view.since > max(record.lasts, LASTS)


def taken(record: Record, me: str, stamp: str, floor: int) -> Record:
    """The Lease as its new holder writes it; `floor` is the highest epoch known elsewhere."""
    epoch = max(record.epoch, floor if floor < HIGHEST else 0) + 1
    return replace(record, holder=me, epoch=epoch, acquired=stamp, renewed=stamp, lasts=LASTS)


def renewed(record: Record, stamp: str, floor: int) -> Record:
    """The Lease as its holder writes it; with a new epoch if a higher one was seen elsewhere."""
    if record.epoch < floor < HIGHEST:
        return taken(record, record.holder, stamp, floor)
    return replace(record, renewed=stamp)


def released(record: Record, stamp: str) -> Record:
    """The Lease as its holder gives it back."""
    return replace(record, holder="", renewed=stamp)


def reign(written: Record, started: float) -> Reign:
    """The leadership that a write which began then has given."""
    return Reign(written.epoch, started + RENEW)
