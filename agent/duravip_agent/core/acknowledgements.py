"""What acknowledgements prove: that a leader knew this node's spec, after a heartbeat was sent.

The same heartbeat may be acknowledged again, unasked, when the leader has changed the spec: that
tells what is new, and makes the proof no younger. Acknowledgements may arrive in any order.

A lower epoch is that of a former leader, whose last acknowledgements come late. But epochs, too,
begin anew where a backup of the store was restored: a leader that alone acknowledges for
`FORMER_LEADER_S` leads.
"""

from typing import NamedTuple

from duravip_agent.core.watchdog_rule import LeaderContact, Timeouts

FORMER_LEADER_S = 2.0
"""An acknowledgement of a former leader answers no beat that was sent so much later, in seconds,
than the newest one that its successor has answered."""

STALE_AFTER_S = 2.0
"""How long an acknowledgement may name another spec than was read: either the
operator or the agent has not yet been told of the latest one. After that somebody is wrong."""

NO_LEADER_AFTER_S = 2.0
"""Without any acknowledgement for this long the replicas that could give one may be named in a
spec that no watch has brought: a restored store has earlier versions."""

READ_EVERY_S = 3.0
"""How often the spec is read again then."""


class AckedHeartbeat(NamedTuple):
    """The newest acknowledgement, and which beat it answered."""

    seq: int
    contact: LeaderContact


def newest_ack(known: AckedHeartbeat | None, heard: AckedHeartbeat, epoch: int) -> AckedHeartbeat:
    """What is known once one more acknowledgement of a leader was heard.

    `epoch` is the highest one that a spec was read with. An acknowledgement with a higher one is
    no proof that there is such a leader: it counts as of this one, so that it makes none void.
    """
    if known is None:
        return heard
    before, now = min(known.contact.epoch, epoch), min(heard.contact.epoch, epoch)
    if now < before:
        is_former = heard.contact.sent - known.contact.sent < FORMER_LEADER_S
        return known if is_former else heard
    if now > before or heard.seq > known.seq:
        return heard
    if heard.contact.epoch > known.contact.epoch and heard.seq == known.seq:
        return heard
    is_newer = heard.contact.generation > known.contact.generation
    if heard.contact.epoch == known.contact.epoch and is_newer:
        return known._replace(contact=known.contact._replace(generation=heard.contact.generation))
    return known


def changes_contact(
    known: AckedHeartbeat | None, now_known: AckedHeartbeat, limits: Timeouts
) -> bool:
    """Whether something may be active now, or is to be read, that could not before."""
    if known is None:
        return True
    before, contact = known.contact, now_known.contact
    if (before.epoch, before.generation) != (contact.epoch, contact.generation):
        return True
    return contact.sent - before.sent >= limits.contact


class SpecMismatch(NamedTuple):
    """Since when acknowledgements name another spec than was read, or still the same other one."""

    since: float
    asked: float = float("-inf")
    """When it was read again because of that."""


def spec_mismatch(
    before: SpecMismatch | None, contact: LeaderContact, read: tuple[int, int], now: float
) -> SpecMismatch | None:
    """What differs now; `read` is the epoch and the generation that were read last."""
    if (contact.epoch, contact.generation) == read:
        return None
    return before or SpecMismatch(now)


def is_stale(differs: SpecMismatch | None, now: float) -> bool:
    """Whether that has lasted for too long."""
    return differs is not None and now - differs.since >= STALE_AFTER_S


def must_reread(differs: SpecMismatch | None, now: float) -> bool:
    """Whether the spec is to be read again because of that: once a second."""
    asked = differs.asked if differs else now
    return is_stale(differs, now) and now - asked >= 1.0


def must_read_without_leader(
    contact: LeaderContact | None, since: float, read: float, now: float
) -> bool:
    """Whether to read the spec again since no leader is heard.

    `since` is when the agent began to beat, `read` when that was done last.
    """
    last_heard = max(since, contact.sent if contact else since)
    return now - last_heard >= NO_LEADER_AFTER_S and now - read >= READ_EVERY_S
