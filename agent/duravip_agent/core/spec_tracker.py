"""Which version of the node's object is acted on.

S1  Nothing is acted on that is older than the answer to this boot's first report (`introduced`).
S2  A higher resourceVersion is a later state; an earlier one, from a slower source, is ignored.
S3  A spec with an epoch lower than the highest one seen was written by a former leader. It is
    refused and the one before stays in force; so is a spec that cannot be read.
    But a leader may prove that it is none: it alone is heard for a while
    (`core/acknowledgements`), and acknowledges exactly this spec. Then that is in force, as under
    S4 b.
S4  The store may go back: a backup was restored, and all numbers count on from earlier values, so
    that the same ones come again and name other specs. Two things prove it. The answer to a
    request that was made after the newest version had come is later, whatever its version says.
    And of one object no generation is lower than one before, nor has one generation two epochs.
    From then on
    a  the agent is introduced anew, under another boot: what earlier heartbeats, acknowledgements
       and reports said was of another object, though the numbers may be the same (S1);
    b  what is held stays until a leader acknowledges exactly the spec that is in the store now,
       its epoch and its generation. That spec counts then, with a lower epoch as well;
    c  what it grants may have been moved since the backup was made, and its present holder need
       not have read that yet: what is not held already is contested until it was taken.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from duravip_agent.core.fencing import NOTHING, InterfaceShare
from duravip_agent.core.node_spec import NodeSpec, parse_node_spec, resource_version
from duravip_agent.core.watchdog_rule import NEVER, LeaderContact

Body = Mapping[str, Any]


class SpecTracker:
    """What was seen of the object so far. Times are of one steady clock."""

    def __init__(self) -> None:
        self.in_force = NodeSpec()
        """What is in force; its uid is empty when it belongs to no object that exists."""
        self.epoch: int | None = None
        """The highest one seen."""
        self.newest_read = 0
        """The generation that was seen last, in force or not."""
        self.newest_epoch = 0
        """The epoch of that one."""
        self.refusal = ""
        """Why the spec that was seen last is not in force; empty = it is."""
        self.is_first_report_stored = False
        self.is_rolled_back = False
        """Whether what is in force is of a store that has gone back since (S4)."""
        self._next: NodeSpec | None = None
        """What is in the store now; it waits for a leader's acknowledgement."""
        self._unproven = NOTHING
        """What is granted and may be held by others, whatever the spec says (S4 c)."""
        self._version = 0
        self._learnt = NEVER
        """When that version came."""
        self._introduced = NEVER
        self._uid = ""

    @property
    def is_current(self) -> bool:
        """Whether what is in force is what the API server has, as far as is known."""
        return bool(self.in_force.uid) and not self.is_rolled_back

    @property
    def pulse(self) -> tuple[str, ...]:
        """Where leaders may be."""
        more = self._next.pulse if self._next else ()
        return (
            *self.in_force.pulse,
            *(where for where in more if where not in self.in_force.pulse),
        )

    @property
    def pulse_keys(self) -> Mapping[str, str]:
        """The public keys of those, as the latest spec names them."""
        return {**self.in_force.pulse_keys, **(self._next.pulse_keys if self._next else {})}

    def first_report_stored(self, body: Body, now: float = 0.0) -> None:
        """The API server has stored a report of this boot; the object was like this then."""
        if not self.is_first_report_stored:
            self.is_first_report_stored = True
            self._version, self._learnt, self._introduced = resource_version(body), now, now
            if not self.is_rolled_back:
                self.epoch = (body.get("status") or {}).get("epoch")

    def object_deleted(self) -> bool:
        """The object is gone; gives back whether that is news. What it granted stays in force."""
        is_newer = bool(self._uid)
        self._uid, self.newest_read, self.newest_epoch = "", 0, 0
        self.in_force, self._next = replace(self.in_force, uid=""), None
        return is_newer

    def is_newer(self, body: Body) -> bool:
        """Whether this is another spec than the one seen last, and a later one."""
        is_later = self.is_first_report_stored and resource_version(body) >= self._version
        return is_later and _identity(body) != (self._uid, self.newest_read)

    def detect_rollback(self, body: Body, requested_at: float | None = None) -> bool:
        """S4: whether the object proves that the store has gone back; if so, all begins anew.

        `requested_at` is None where a watch has brought it, at any time.
        """
        if not self.is_first_report_stored:
            return False
        uid, generation = _identity(body)
        is_lower = resource_version(body) < self._version
        is_same_twice = (uid, generation) == (self._uid, self.newest_read) and (
            _epoch(body) != self.newest_epoch
        )
        is_earlier = uid == self._uid and generation < self.newest_read
        proves = (
            requested_at is not None and requested_at > self._learnt
            if is_lower
            else is_earlier or is_same_twice
        )
        if proves:
            self.is_first_report_stored, self.is_rolled_back, self._next = False, True, None
            self._uid, self.newest_read, self.newest_epoch = "", 0, 0
            self.refusal = ""
        return proves

    def accept(self, body: Body, now: float = 0.0, requested_at: float | None = None) -> bool:
        """The object was seen like this; gives back whether there is something to act on."""
        if requested_at is not None and requested_at < self._introduced:
            return False
        is_newer = self.is_newer(body)
        if resource_version(body) >= self._version:
            self._version, self._learnt = resource_version(body), now
        if not is_newer:
            return False
        self._uid, self.newest_read = _identity(body)
        self.newest_epoch, self._next = _epoch(body), None
        try:
            grant = parse_node_spec(body)
        except ValueError as error:
            self.refusal = f"the spec is not understood: {' '.join(str(error).split())}"
            return True
        if self.is_rolled_back:
            self._next = grant
            return False
        if self.epoch is not None and grant.epoch < self.epoch:
            self.refusal = f"epoch {grant.epoch} of the spec is lower than {self.epoch}"
            self._next = grant
            return True
        self._unproven &= grant.wanted.keys()
        self.in_force, self.epoch, self.refusal = grant, grant.epoch, ""
        return True

    def confirm(self, contact: LeaderContact | None, held: frozenset[str]) -> bool:
        """S4 b, c: whether a leader has acknowledged what is in the store; it is in force then."""
        grant = self._next
        if grant is None or contact is None:
            return False
        if (contact.epoch, contact.generation) != (grant.epoch, grant.generation):
            return False
        self._unproven = frozenset(grant.wanted.keys() - held)
        self.in_force, self.epoch, self.refusal = grant, grant.epoch, ""
        self.is_rolled_back, self._next = False, None
        return True

    def shares(self, armed: frozenset[str]) -> tuple[InterfaceShare, ...]:
        """What is granted on each interface, some of it contested; these are active now."""
        self._unproven -= armed
        if not self._unproven:
            return self.in_force.shares
        return tuple(_contested(share, self._unproven) for share in self.in_force.shares)


def _contested(share: InterfaceShare, unproven: frozenset[str]) -> InterfaceShare:
    unproven_here = share.free & unproven
    return share._replace(
        free=share.free - unproven_here, contested=share.contested | unproven_here
    )


def _identity(body: Body) -> tuple[str, int]:
    return body["metadata"].get("uid", ""), body["metadata"].get("generation", 0)


def _epoch(body: Body) -> int:
    epoch = (body.get("spec") or {}).get("epoch")
    return epoch if isinstance(epoch, int) else 0
