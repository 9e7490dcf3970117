"""Quarantine: the nodes that keep an address from being held, and are passed over for a while.

Two observations put a node into quarantine. Both are made over time, so each function here
takes what was known before and returns what is known now; all times are of the operator's own
clock.

1. A node fails to hold an address (`HoldFailure`). An agent retries for ever and reports what
   fails. Something that removes an address time and again lets it be well in between, so a failure
   is over only when none was reported for `FAILURE_CLEARS_AFTER_S`, or when the address is no
   longer granted there. A failure that lasts for `give_up_after` seconds puts the address into
   quarantine on that node for `RETRY_AFTER_S`. Taking the address away also ends the report, so
   the end of the report is no sign of recovery; where the address stays, because no other node may
   hold it, it is. Another leader learns about quarantined addresses from `lastMove`
   (`failures_in_last_moves`).

2. A node's heartbeats and its status disagree about what it serves (`Mismatch`). Both name the
   generation that the agent has acted on. A heartbeat may be ahead of the status for as long as a
   write takes; a mismatch under the same generation that lasts for `MISMATCH_AFTER_S`, while no
   other status is written, is no delay but a broken node, whose word about a release is worth
   nothing. It stays inconsistent until both agree again, even if it serves something else
   meanwhile.

Quarantine never leaves an address without an owner: `eligibility` ignores it where no other
node may hold the address.
"""

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

from duravip_api.annotations import format_clock_time, parse_time
from duravip_api.reasons import MoveReason
from duravip_operator.core.snapshot import Plumbing, VipObject

MISMATCH_AFTER_S: Final = 5.0
"""A heartbeat and a status that disagree for this many seconds make their node inconsistent."""


class Mismatch(NamedTuple):
    """A status that the node's heartbeats contradict."""

    status_digest: str
    """The digest of the addresses that the status reports as served."""
    since: float
    is_lasting: bool
    """Whether it has lasted for `MISMATCH_AFTER_S`."""


Mismatches = Mapping[str, Mismatch]
"""By node."""


def update_mismatches(
    previous: Mismatches,
    plumbings: Mapping[str, Plumbing],
    heartbeats: Mapping[str, tuple[str, int, str]],
    digest: Callable[[Plumbing], str],
    now: float,
) -> Mismatches:
    """The mismatches after another look at all heartbeats and statuses.

    `heartbeats` are `(boot, generation, digest of the served addresses)` by node; `digest`
    computes the same digest from a status.
    """
    current = {
        n: last_mismatch
        for n, last_mismatch in previous.items()
        if last_mismatch.is_lasting and n in plumbings
    }
    for name, (boot, generation, reported) in heartbeats.items():
        plumbing = plumbings.get(name)
        if plumbing is None or (boot, generation) != (plumbing.boot, plumbing.observed_generation):
            continue
        expected, last_mismatch = digest(plumbing), previous.get(name)
        if reported == expected:
            current.pop(name, None)
            continue
        since = (
            last_mismatch.since
            if last_mismatch and last_mismatch.status_digest == expected
            else now
        )
        lasts = name in current or now - since >= MISMATCH_AFTER_S
        current[name] = Mismatch(expected, since, lasts)
    return current


def inconsistent_nodes(mismatches: Mismatches) -> frozenset[str]:
    """The nodes whose mismatch has lasted for too long."""
    return frozenset(name for name, mismatch in mismatches.items() if mismatch.is_lasting)


FAILURE_CLEARS_AFTER_S: Final = 10.0
"""A failure that has not been reported for this long is over, in seconds."""
RETRY_AFTER_S: Final = 300.0
"""How long an address stays in quarantine on a node, in seconds."""
TIME_TOLERANCE_S: Final = 15.0
"""A published end of a quarantine may be wrong by this much, in seconds."""


class HoldFailure(NamedTuple):
    """An address that a node is granted and fails to hold."""

    since: float
    last_reported: float
    """When the agent last reported the failure."""
    until: float | None = None
    """When the quarantine ends; None: it has not failed for long enough yet."""


HoldFailures = Mapping[tuple[str, str], HoldFailure]
"""By `(node, address)`."""


def update_failures(
    previous: HoldFailures, plumbings: Mapping[str, Plumbing], now: float, give_up_after: float
) -> HoldFailures:
    """The failures after another look at what the agents report; times in seconds."""
    current: dict[tuple[str, str], HoldFailure] = {}
    for name, plumbing in plumbings.items():
        for address in _failing(plumbing):
            since, _, until = previous.get((name, address), HoldFailure(now, now))
            if now - since >= give_up_after:
                until = now + RETRY_AFTER_S
            current[name, address] = HoldFailure(since, now, until)
    for (name, address), failure in previous.items():
        plumbing_now = plumbings.get(name)
        if (
            (name, address) not in current
            and plumbing_now
            and _lasts(failure, address, plumbing_now, now)
        ):
            current[name, address] = failure
    return current


def quarantined(failures: HoldFailures) -> dict[str, frozenset[str]]:
    """`{address: nodes on which it is in quarantine}`."""
    by_address: dict[str, frozenset[str]] = {}
    for (name, address), failure in failures.items():
        if failure.until is not None:
            by_address[address] = by_address.get(address, frozenset()) | {name}
    return by_address


def quarantine_ends(
    failures: HoldFailures, now: float, wall_clock: float, published: Mapping[tuple[str, str], str]
) -> dict[tuple[str, str], str]:
    """`{(address, node): when the quarantine ends}`, as API times.

    `wall_clock` is the time of `now` in seconds since 1970. A time already `published` is kept
    while it is right to `TIME_TOLERANCE_S`, so that no status is written for a second's
    difference.
    """
    ends: dict[tuple[str, str], str] = {}
    for (node, address), failure in failures.items():
        if failure.until is None:
            continue
        time = wall_clock + failure.until - now
        text = published.get((address, node), "")
        is_right = abs((parse_time(text) or 0.0) - time) < TIME_TOLERANCE_S if text else False
        ends[address, node] = text if is_right else format_clock_time(time)
    return ends


def failures_in_last_moves(
    vips: Iterable[VipObject], wall_clock: float
) -> Iterable[tuple[str, str, float]]:
    """`(node, address, seconds left)` of the quarantines that statuses imply.

    `wall_clock` is in seconds since 1970.
    """
    for vip in vips:
        is_of_it = vip.status.get("address") in {None, vip.address}
        move = (vip.status.get("lastMove") or {}) if is_of_it else {}
        has_left = move.get("from") and move["from"] != move.get("to")  # else it holds it again
        if move.get("reason") == MoveReason.REPAIR_FAILED and has_left:
            left = (parse_time(str(move.get("time"))) or 0.0) + RETRY_AFTER_S - wall_clock
            if left > 0:
                yield str(move["from"]), vip.address, min(left, RETRY_AFTER_S)


def _failing(plumbing: Plumbing) -> AbstractSet[str]:
    """The granted addresses that the node fails to hold, listed in its report or not."""
    granted = plumbing.granted
    listed = plumbing.failures.keys() & granted
    return listed | (granted - plumbing.served) if plumbing.omits_failures else listed


def _lasts(failure: HoldFailure, address: str, plumbing: Plumbing, now: float) -> bool:
    """Whether a failure that is not reported at this moment still counts."""
    is_granted = any(address in addresses for addresses in plumbing.grants.values())
    if is_granted:
        return now - failure.last_reported < FAILURE_CLEARS_AFTER_S
    return failure.until is not None and now < failure.until
