"""What acknowledgements prove: that a leader knew this node's spec, after a beat was sent.

The same beat may be acknowledged again, unasked, when the leader has changed the spec: that says
what is new, and makes the proof no younger. Acknowledgements may arrive in any order.
"""

from typing import NamedTuple

from duravip_agent.core.deadman import Contact, Limits


class Acked(NamedTuple):
    """The newest acknowledgement, and which beat it answered."""

    seq: int
    contact: Contact


def after(known: Acked | None, heard: Acked) -> Acked:
    """What is known once one more acknowledgement of a leader was heard."""
    if known is None or heard.contact.epoch > known.contact.epoch:
        return heard
    if heard.contact.epoch < known.contact.epoch:
        return known  # a former leader
    if heard.seq > known.seq:
        return heard
    if heard.contact.generation > known.contact.generation:
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
