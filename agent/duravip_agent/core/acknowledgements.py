"""What acknowledgements prove: that a leader knew this node's spec, after a beat was sent.

The same beat may be acknowledged again, unasked, when the leader has changed the spec: that says
what is new, and makes the proof no younger. Acknowledgements may arrive in any order.

A lower epoch is that of a former leader, whose last acknowledgements come late. But epochs, too,
begin anew where a backup of the store was restored: whoever alone is heard for FORMER leads.
"""

from typing import NamedTuple

from duravip_agent.core.watchdog_rule import Contact, Limits

FORMER = 2.0
"""An acknowledgement of a former leader answers no beat that was sent so much later, in seconds,
than the newest one that its successor has answered."""

STALE_AFTER = 2.0
"""An acknowledgement may name another spec than was read for so long, in seconds: either the
operator or the agent has not yet been told of the latest one. After that somebody is wrong."""

UNHEARD_AFTER = 2.0
"""Without any acknowledgement for so long, in seconds, it may be that those who could give one are
named in a spec that no watch has told of: a restored store has earlier versions."""

READ_EVERY = 3.0
"""Then the spec is read again so often."""


class Acked(NamedTuple):
    """The newest acknowledgement, and which beat it answered."""

    seq: int
    contact: Contact


def after(known: Acked | None, heard: Acked, epoch: int) -> Acked:
    """What is known once one more acknowledgement of a leader was heard.

    `epoch` is the highest one that a spec was read with. An acknowledgement with a higher one is
    no proof that there is such a leader: it counts as of this one, so that it makes none void.
    """
    if known is None:
        return heard
    before, now = min(known.contact.epoch, epoch), min(heard.contact.epoch, epoch)
    if now < before:
        is_former = heard.contact.sent - known.contact.sent < FORMER
        return known if is_former else heard
    if now > before or heard.seq > known.seq:
        return heard
    if heard.contact.epoch > known.contact.epoch and heard.seq == known.seq:
        return heard
    is_newer = heard.contact.generation > known.contact.generation
    if heard.contact.epoch == known.contact.epoch and is_newer:
        return known._replace(contact=known.contact._replace(generation=heard.contact.generation))
    return known


def is_news(known: Acked | None, now_known: Acked, limits: Limits) -> bool:
    """Whether something may be armed now, or is to be read, that could not before."""
    if known is None:
        return True
    before, contact = known.contact, now_known.contact
    if (before.epoch, before.generation) != (contact.epoch, contact.generation):
        return True
    return contact.sent - before.sent >= limits.contact


class Difference(NamedTuple):
    """Since when acknowledgements name another spec than was read, or still the same other one."""

    since: float
    asked: float = float("-inf")
    """When it was read again because of that."""


def difference(
    before: Difference | None, contact: Contact, read: tuple[int, int], now: float
) -> Difference | None:
    """What differs now; `read` is the epoch and the generation that were read last."""
    if (contact.epoch, contact.generation) == read:
        return None
    return before or Difference(now)


def is_stale(differs: Difference | None, now: float) -> bool:
    """Whether that has lasted for too long."""
    return differs is not None and now - differs.since >= STALE_AFTER


def must_ask(differs: Difference | None, now: float) -> bool:
    """Whether the spec is to be read again because of that: once a second."""
    asked = differs.asked if differs else now
    return is_stale(differs, now) and now - asked >= 1.0


def must_read(contact: Contact | None, since: float, read: float, now: float) -> bool:
    """Whether to read the spec again since no leader is heard.

    `since` is when the agent began to beat, `read` when that was done last.
    """
    heard = max(since, contact.sent if contact else since)
    return now - heard >= UNHEARD_AFTER and now - read >= READ_EVERY
