"""Nodes whose beats and whose status do not agree about what they serve.

Both name the generation that the agent has acted on. Under the same one a beat may be ahead of the
status for as long as a write takes; a difference that lasts for `LASTING`, while no other status
is written, is no delay but a broken node: its word about a release is worth nothing. It is set
aside until both agree again; that it then serves something else is no sign of that.

Addresses that a node has failed to hold for so long that they are given up there for a while.

- An agent tries for ever, and says what fails. Something that removes an address time and again
  lets it be well in between: a failure is over only when none was reported for `LASTING`, or when
  the address is no longer granted there.
- A failure of `give_up_after` makes the node no participant of that unit, for `RETRY_AFTER`: what
  takes the address away also ends the report of the failure, which so is no sign that it is over.
  Where the address stays, because no other node may hold it, the end of the failure counts.

All times are of the operator's own clock, from what it has itself seen. Where another leader has
given up, `lastMove` tells.
"""

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

from duravip_api.annotations import format_clock_time, parse_time
from duravip_api.reasons import MoveReason
from duravip_operator.core.snapshot import Plumbing, VipObject

MISMATCH_AFTER_S: Final = 5.0


class Mismatch(NamedTuple):
    """A status that the beats contradict."""

    status_digest: str
    """The digest of what it says is served."""
    since: float
    is_lasting: bool
    """Whether it has lasted too long."""


Mismatches = Mapping[str, Mismatch]
"""By node."""


def update_mismatches(
    known: Mismatches,
    plumbings: Mapping[str, Plumbing],
    beats: Mapping[str, tuple[str, int, str]],
    digest: Callable[[Plumbing], str],
    now: float,
) -> Mismatches:
    """What is known after another look; `beats` are `(boot, generation, digest)` by node."""
    found = {n: before for n, before in known.items() if before.is_lasting and n in plumbings}
    for name, (boot, generation, said) in beats.items():
        plumbing = plumbings.get(name)
        if plumbing is None or (boot, generation) != (plumbing.boot, plumbing.observed_generation):
            continue
        written, before = digest(plumbing), known.get(name)
        if said == written:
            found.pop(name, None)
            continue
        since = before.since if before and before.status_digest == written else now
        lasts = name in found or now - since >= MISMATCH_AFTER_S
        found[name] = Mismatch(written, since, lasts)
    return found


def inconsistent_nodes(known: Mismatches) -> frozenset[str]:
    """The nodes whose difference has lasted too long."""
    return frozenset(name for name, found in known.items() if found.is_lasting)


FAILURE_CLEARS_AFTER_S: Final = 10.0
RETRY_AFTER_S: Final = 300.0
TIME_TOLERANCE_S: Final = 15.0
"""A time that people are told may be wrong by so many seconds."""


class HoldFailure(NamedTuple):
    """An address that a node does not get to hold."""

    since: float
    last_reported: float
    """When the failure was last reported."""
    until: float | None = None
    """Until when it is given up there; None = not yet."""


HoldFailures = Mapping[tuple[str, str], HoldFailure]
"""By `(node, address)`."""


def update_failures(
    known: HoldFailures, plumbings: Mapping[str, Plumbing], now: float, give_up_after: float
) -> HoldFailures:
    """What is known after a look at what the agents report."""
    found: dict[tuple[str, str], HoldFailure] = {}
    for name, plumbing in plumbings.items():
        for address in _failing(plumbing):
            since, _, until = known.get((name, address), HoldFailure(now, now))
            if now - since >= give_up_after:
                until = now + RETRY_AFTER_S
            found[name, address] = HoldFailure(since, now, until)
    for (name, address), trouble in known.items():
        standing = plumbings.get(name)
        if (name, address) not in found and standing and _lasts(trouble, address, standing, now):
            found[name, address] = trouble
    return found


def quarantined(known: HoldFailures) -> dict[str, frozenset[str]]:
    """`{address: nodes that it is given up on}`."""
    found: dict[str, frozenset[str]] = {}
    for (name, address), trouble in known.items():
        if trouble.until is not None:
            found[address] = found.get(address, frozenset()) | {name}
    return found


def quarantine_ends(
    known: HoldFailures, now: float, wall_clock: float, before: Mapping[tuple[str, str], str]
) -> dict[tuple[str, str], str]:
    """By `(address, node)`, when an address is tried again on a node that it is given up on.

    `wall_clock` is the time of `now` in seconds since 1970. What was said `before` stays as long
    as it is about right, so that nothing is written anew for a second.
    """
    found: dict[tuple[str, str], str] = {}
    for (node, address), trouble in known.items():
        if trouble.until is None:
            continue
        time = wall_clock + trouble.until - now
        text = before.get((address, node), "")
        is_right = abs((parse_time(text) or 0.0) - time) < TIME_TOLERANCE_S if text else False
        found[address, node] = text if is_right else format_clock_time(time)
    return found


def failures_in_last_moves(
    vips: Iterable[VipObject], wall_clock: float
) -> Iterable[tuple[str, str, float]]:
    """`(node, address, seconds left)` of what was given up not long ago, as statuses tell.

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
    """What the node is granted and fails to hold; what is not listed may be among the others."""
    granted = plumbing.granted
    listed = plumbing.failures.keys() & granted
    return listed | (granted - plumbing.served) if plumbing.omits_failures else listed


def _lasts(trouble: HoldFailure, address: str, plumbing: Plumbing, now: float) -> bool:
    """Whether a failure that is not reported at this moment still counts."""
    is_granted = any(address in addresses for addresses in plumbing.grants.values())
    if is_granted:
        return now - trouble.last_reported < FAILURE_CLEARS_AFTER_S
    return trouble.until is not None and now < trouble.until
