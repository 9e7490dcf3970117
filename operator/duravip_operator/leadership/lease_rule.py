"""The rule of leader election: when a replica may lead. No clock, no I/O.

One Lease names the holder. A replica may take it when nobody holds it, or when it has itself seen
no change of it for as long as the Lease says that it lasts: no two machines' clocks are compared.
Who holds it leads until RENEW_DEADLINE_S after the *start* of the last request that renewed it:
the others wait for longer than that, counted from when they saw it, so that no two lead at once.

`leaseTransitions` grows whenever the Lease is taken: it is the **epoch**. It is more than every
epoch that is written in a NodePlumbing, even after somebody has deleted the Lease.

No two reigns may have the same epoch, not even where a backup of the store was restored: the
epochs given since the backup was made are forgotten there. A replica that has seen them remembers
them. One that has just started sees a Lease that was renewed long ago: each second since may have
had a reign of its own.

One installation a cluster (`yields_to`): another one, in another namespace, has its own Lease.
Both would lead, and each would write over what the other one has written. So all Leases of that
name are looked at. One is alive when somebody holds it and has renewed it between two looks; no
clocks are compared. Whoever finds another one alive gives up, unless its own installation has led
for longer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from math import ceil
from typing import Final, NamedTuple

LEASE_DURATION_S: Final = 2.0
"""The Lease is free when it has not changed for so many seconds. The API wants whole ones."""

RENEW_DEADLINE_S: Final = 1.3
"""A leader that has not renewed for so long leads no more; longer if the Lease lasts longer."""

RETRY_PERIOD_S: Final = 0.4
"""Between the starts of two requests, and the longest that one may take of a server that is well.
"""

SLOW_REQUEST_S: Final = 0.25
"""A request that has taken longer makes the Lease last longer: it can be renewed in time then."""

MAX_LEASE_DURATION_S: Final = 30.0
"""It lasts no longer, in seconds, however slow the API server is."""

MAX_EPOCH: Final = 2**31 - 1
"""`leaseTransitions` can hold no more: one that comes near, written by hand, is not heeded."""


STALE_LEASE_AFTER_S: Final = 10.0
"""A Lease that was not renewed for so many seconds, by our clock, may be that of a backup."""

MAX_LEASE_AGE_S: Final = 7 * 86400.0
"""Of a Lease that is older no more epochs are left out: no backup of then is restored now."""


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """A Lease."""

    holder: str = ""
    epoch: int = 0
    acquired: str = ""
    """`acquireTime`."""
    renewed: str = ""
    """`renewTime`: every write has its own."""
    lasts: float = LEASE_DURATION_S
    version: str = ""
    """`resourceVersion`; empty = there is no such Lease yet."""


@dataclass(frozen=True, slots=True)
class LeaseView:
    """What a candidate has seen of the Lease, and when it first saw it as it is."""

    record: LeaseRecord
    since: float


class Leadership(NamedTuple):
    """A leadership, as far as it reaches."""

    epoch: int
    until: float


def lease_duration(took: float) -> float:
    """For how long a Lease is to last where requests take so long: whole seconds."""
    return (
        LEASE_DURATION_S
        if took < SLOW_REQUEST_S
        else min(MAX_LEASE_DURATION_S, float(ceil(LEASE_DURATION_S + 5 * took)))
    )


def observed(view: LeaseView | None, record: LeaseRecord, now: float) -> LeaseView:
    """The view after the Lease was read once more."""
    if view is not None and view.record.version == record.version:
        return view
    return LeaseView(record, now)


def is_free(view: LeaseView, now: float) -> bool:
    """Whether it may be taken."""
    record = view.record
    return not record.holder or now - view.since > max(record.lasts, LEASE_DURATION_S)


def is_restored(known: LeaseRecord | None, found: LeaseRecord) -> bool:
    """Whether a Lease that was read after `known` had come is an earlier one: so is the store."""
    versions = (known.version if known else "", found.version)
    return all(v.isdecimal() for v in versions) and int(versions[1]) < int(versions[0])


def skipped_epochs(record: LeaseRecord, stamp: str) -> int:
    """So many epochs may have been given since the Lease was as it is, and are forgotten."""
    try:
        age = (_parse_time(stamp) - _parse_time(record.renewed)).total_seconds()
    except ValueError:
        return 0
    return int(min(age, MAX_LEASE_AGE_S)) if age > STALE_LEASE_AFTER_S else 0


def _parse_time(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp.partition("#")[0])


def acquired(
    record: LeaseRecord, me: str, stamp: str, floor: int, lasts: float = LEASE_DURATION_S
) -> LeaseRecord:
    """The Lease as its new holder writes it; `floor` is the highest epoch known elsewhere."""
    known = [epoch for epoch in (record.epoch, floor) if epoch < MAX_EPOCH - MAX_LEASE_AGE_S]
    epoch = max(known, default=0) + skipped_epochs(record, stamp) + 1
    return replace(record, holder=me, epoch=epoch, acquired=stamp, renewed=stamp, lasts=lasts)


def renewed(
    record: LeaseRecord, stamp: str, floor: int, lasts: float = LEASE_DURATION_S
) -> LeaseRecord:
    """The Lease as its holder writes it; with a new epoch if a higher one was seen elsewhere."""
    if record.epoch < floor < MAX_EPOCH - MAX_LEASE_AGE_S:
        return acquired(record, record.holder, stamp, floor, lasts)
    return replace(record, renewed=stamp, lasts=lasts)


def released(record: LeaseRecord, stamp: str) -> LeaseRecord:
    """The Lease as its holder gives it back."""
    return replace(record, holder="", renewed=stamp)


def leadership_of(written: LeaseRecord, started: float) -> Leadership:
    """The leadership that a write which began then has given."""
    return Leadership(written.epoch, started + RENEW_DEADLINE_S * written.lasts / LEASE_DURATION_S)


LeasesByNamespace = Mapping[str, LeaseRecord]
"""By namespace."""


def yields_to(before: LeasesByNamespace, after: LeasesByNamespace, ours: str) -> str:
    """The namespace of the installation to which we give way; empty: there is none."""
    alive = {
        namespace: found
        for namespace, found in after.items()
        if found.holder and namespace in before and before[namespace].version != found.version
    }
    ages = sorted((found.acquired, namespace) for namespace, found in alive.items())
    return ages[0][1] if ages and ages[0][1] != ours else ""
