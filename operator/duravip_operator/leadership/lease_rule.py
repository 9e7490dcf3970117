"""When a replica may lead: the rule, without clock and without I/O.

One Lease names the holder. A replica may take it when nobody holds it, or when it has itself
seen no change of it for as long as the Lease says that it lasts: no two machines' clocks are
compared. Who holds it leads until RENEW after the *start* of the last request that renewed it:
the others wait for longer than that, counted from when they saw it, so that no two lead at once.

`leaseTransitions` grows whenever the Lease is taken: it is the **epoch**. It is more than every
epoch that is written in a NodePlumbing, even after somebody has deleted the Lease.

No two reigns may have the same epoch, not even where a backup of the store was restored: the
epochs given since the backup was made are forgotten there. A replica that has seen them remembers
them. One that has just started sees a Lease that was renewed long ago: each second since may have
had a reign of its own.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from math import ceil
from typing import Final, NamedTuple

LASTS: Final = 2.0
"""The Lease is free when it has not changed for so many seconds. The API wants whole ones."""

RENEW: Final = 1.3
"""A leader that has not renewed for so long leads no more; longer if the Lease lasts longer."""

RETRY: Final = 0.4
"""Between the starts of two requests, and the longest that one may take of a server that is well.
"""

SLOW: Final = 0.25
"""A request that has taken longer makes the Lease last longer: it can be renewed in time then."""

LONGEST: Final = 30.0
"""It lasts no longer, in seconds, however slow the API server is."""

HIGHEST: Final = 2**31 - 1
"""`leaseTransitions` can hold no more: one that comes near, written by hand, is not heeded."""


LONG_AGO: Final = 10.0
"""A Lease that was not renewed for so many seconds, by our clock, may be that of a backup."""

OLDEST: Final = 7 * 86400.0
"""Of a Lease that is older no more epochs are left out: no backup of then is restored now."""


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


def lasting(took: float) -> float:
    """For how long a Lease is to last where requests take so long: whole seconds."""
    return LASTS if took < SLOW else min(LONGEST, float(ceil(LASTS + 5 * took)))


def viewed(view: View | None, record: Record, now: float) -> View:
    """The view after the Lease was read once more."""
    if view is not None and view.record.version == record.version:
        return view
    return View(record, now)


def is_free(view: View, now: float) -> bool:
    """Whether it may be taken."""
    record = view.record
    return not record.holder or now - view.since > max(record.lasts, LASTS)


def has_gone_back(known: Record | None, found: Record) -> bool:
    """Whether a Lease that was read after `known` had come is an earlier one: so is the store."""
    versions = (known.version if known else "", found.version)
    return all(v.isdecimal() for v in versions) and int(versions[1]) < int(versions[0])


def left_out(record: Record, stamp: str) -> int:
    """So many epochs may have been given since the Lease was as it is, and are forgotten."""
    try:
        age = (_time(stamp) - _time(record.renewed)).total_seconds()
    except ValueError:
        return 0
    return int(min(age, OLDEST)) if age > LONG_AGO else 0


def _time(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp.partition("#")[0])


def taken(record: Record, me: str, stamp: str, floor: int, lasts: float = LASTS) -> Record:
    """The Lease as its new holder writes it; `floor` is the highest epoch known elsewhere."""
    known = [epoch for epoch in (record.epoch, floor) if epoch < HIGHEST - OLDEST]
    epoch = max(known, default=0) + left_out(record, stamp) + 1
    return replace(record, holder=me, epoch=epoch, acquired=stamp, renewed=stamp, lasts=lasts)


def renewed(record: Record, stamp: str, floor: int, lasts: float = LASTS) -> Record:
    """The Lease as its holder writes it; with a new epoch if a higher one was seen elsewhere."""
    if record.epoch < floor < HIGHEST - OLDEST:
        return taken(record, record.holder, stamp, floor, lasts)
    return replace(record, renewed=stamp, lasts=lasts)


def released(record: Record, stamp: str) -> Record:
    """The Lease as its holder gives it back."""
    return replace(record, holder="", renewed=stamp)


def reign(written: Record, started: float) -> Reign:
    """The leadership that a write which began then has given."""
    return Reign(written.epoch, started + RENEW * written.lasts / LASTS)
