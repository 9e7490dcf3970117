"""What each node may still hold although its spec no longer grants it, and what it has let go.

The hand-over rule (`handover`) rests on two records for each node, kept in a `ReleaseRecord`:

- *unconfirmed releases*: addresses that were taken out of its spec and that its agent has not yet
  confirmed to have dropped. Nobody else may be granted them. The list is written into the very
  spec that revokes the addresses (`spec.unconfirmed`, with the generation that the write creates),
  where the next leader finds it. After somebody else has written the spec, by hand or with an
  older operator, anything may be held until the agent has acted on the spec as it stands.
- *confirmed releases*: addresses that it served under its grant and has let go. Their next owner
  need not probe for them (rule O6).

Why confirmed releases: a new leader knows nothing, and an address that no node serves may have
been taken by a stranger. What one of our nodes served was not a stranger's, and once that node
has let it go the next owner follows within moments. This holds only while the address is on its
way from one node to another. An address that nobody is to have, because its object was deleted
or edited or because no node may hold it, may be taken by a stranger before somebody is to have
it again, so its release no longer counts.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import NamedTuple

from duravip_api.addresses import union
from duravip_operator.core.election import Assignment
from duravip_operator.core.snapshot import HEARD_STATES, Plumbing, Snapshot

NO_ADDRESSES: frozenset[str] = frozenset()


class ConfirmedReleases(NamedTuple):
    """What one node serves and what it has let go, as seen by this leader."""

    boot: str = ""
    """The start of its agent that this was observed of."""
    served: frozenset[str] = NO_ADDRESSES
    """The granted addresses that it was seen to serve since this leader began."""
    released: frozenset[str] = NO_ADDRESSES
    """Addresses that it was seen to serve before they were taken out of its spec. Whether it has
    acted on that spec is known from `ReleaseRecord.unconfirmed`."""

    def updated(
        self, boot: str, granted: frozenset[str], served: frozenset[str]
    ) -> "ConfirmedReleases":
        """The record after a report: the node is granted exactly `granted` and serves `served`.

        An agent that has started anew has served nothing yet, however long it was away.
        """
        if boot != self.boot:
            return ConfirmedReleases(boot, served & granted, self.released)
        now = served & granted
        if now != self.served:
            now |= self.served & granted
        gone = self.served - granted
        return ConfirmedReleases(boot, now, (self.released | gone) - granted)

    def without_served(self) -> "ConfirmedReleases":
        """The record while its agent is not heard: nobody knows what it serves now."""
        return self._replace(served=NO_ADDRESSES) if self.served else self

    def spent_by(self, granted: AbstractSet[str]) -> "ConfirmedReleases":
        """The record once these are granted to some node: one release allows one grant."""
        return self if self.released.isdisjoint(granted) else self._forget(granted)

    def limited_to(self, addresses: AbstractSet[str]) -> "ConfirmedReleases":
        """The record restricted to addresses that somebody is to have now."""
        if self.served <= addresses and self.released <= addresses:
            return self
        return ConfirmedReleases(self.boot, self.served & addresses, self.released & addresses)

    def _forget(self, granted: AbstractSet[str]) -> "ConfirmedReleases":
        return self._replace(released=self.released - granted)


NO_RELEASES = ConfirmedReleases()


@dataclass(frozen=True, slots=True)
class ReleaseRecord:
    """What is known about one node's releases under one version of its spec."""

    uid: str
    generation: int
    """With `uid`: the version of the NodePlumbing that this is known of."""
    unconfirmed: frozenset[str] | None = frozenset()
    """Addresses that the node may hold beyond its grants; None = any address."""
    confirmed: ConfirmedReleases = NO_RELEASES

    def is_of(self, plumbing: Plumbing) -> bool:
        """Whether it is known of the spec as it stands."""
        return (self.uid, self.generation) == (plumbing.uid, plumbing.generation)

    @property
    def is_empty(self) -> bool:
        """Whether the node holds nothing that its spec does not grant."""
        return self.unconfirmed == frozenset()

    def may_hold(self, address: str) -> bool:
        """Whether the node may hold this address without a grant."""
        return self.unconfirmed is None or address in self.unconfirmed


ReleaseRecords = Mapping[str, ReleaseRecord]
"""By node."""


def update_records(records: ReleaseRecords, snapshot: Snapshot) -> ReleaseRecords:
    """The records brought up to date with what the agents have reported."""
    current = {
        name: _known(records, plumbing, snapshot) for name, plumbing in snapshot.plumbings.items()
    }
    # Keep the record of a node whose object was deleted: the next object starts empty.
    present = snapshot.nodes.keys() | snapshot.liveness.keys()
    lost = {name: record for name, record in records.items() if name in present}
    lost |= {name: ReleaseRecord("", 0, None) for name in snapshot.ahead_of_store - current.keys()}
    return _granted_once({**lost, **current}, snapshot)


def limit_to_owned(
    records: ReleaseRecords, assignments: Mapping[str, Assignment]
) -> ReleaseRecords:
    """The records after a decision: releases of addresses without an owner are void (O6)."""
    owned = {address for address, assignment in assignments.items() if assignment.owner}
    return {
        n: _replaced(record, record.confirmed.limited_to(owned)) for n, record in records.items()
    }


def forget_releases(records: ReleaseRecords) -> ReleaseRecords:
    """The records after a failed pass: nobody knows when the next one succeeds (O6)."""
    return {n: _replaced(record, NO_RELEASES) for n, record in records.items()}


def _known(records: ReleaseRecords, plumbing: Plumbing, snapshot: Snapshot) -> ReleaseRecord:
    name = plumbing.node
    if name in snapshot.ahead_of_store:
        return ReleaseRecord(plumbing.uid, plumbing.generation, None)
    before, is_heard = records.get(name), snapshot.liveness.get(name) in HEARD_STATES
    record = ReleaseRecord(plumbing.uid, plumbing.generation)
    if name not in snapshot.release_confirmed:
        record = _unconfirmed_record(before, plumbing, is_heard=is_heard)
    return _with_releases(record, before, plumbing, is_heard=is_heard)


def after_write(records: ReleaseRecords, before: Plumbing, after: Plumbing) -> ReleaseRecords:
    """The records after we replaced one node's spec: what it no longer grants is unconfirmed."""
    left = unconfirmed_after(records, before, after.granted)
    record = ReleaseRecord(after.uid, after.generation, left)
    record = _with_releases(record, records.get(before.node), after, is_heard=True)
    return {**records, before.node: record}


def unconfirmed_after(
    records: ReleaseRecords, before: Plumbing, granted: frozenset[str]
) -> frozenset[str] | None:
    """What a node may hold beyond `granted` once its spec grants that; None = any address."""
    previous = records.get(before.node)
    if previous is None or previous.unconfirmed is not None or not previous.is_of(before):
        previous = _unconfirmed_record(previous, before, is_heard=True)
    return (
        None if previous.unconfirmed is None else (previous.unconfirmed | before.granted) - granted
    )


def _with_releases(
    record: ReleaseRecord, before: ReleaseRecord | None, plumbing: Plumbing, *, is_heard: bool
) -> ReleaseRecord:
    previous = before.confirmed if before else NO_RELEASES
    if not is_heard:
        return _replaced(record, previous.without_served())
    # A report of before it acted on this spec tells of what it was granted earlier.
    served = plumbing.served if plumbing.has_acted else frozenset[str]()
    return _replaced(record, previous.updated(plumbing.boot, plumbing.granted, served))


def _granted_once(records: ReleaseRecords, snapshot: Snapshot) -> ReleaseRecords:
    """The records without releases that some grant has followed: they are spent (O6)."""
    if not any(record.confirmed.released for record in records.values()):
        return records
    granted = union([plumbing.granted for plumbing in snapshot.plumbings.values()])
    return {
        n: _replaced(record, record.confirmed.spent_by(granted)) for n, record in records.items()
    }


def _replaced(record: ReleaseRecord, releases: ConfirmedReleases) -> ReleaseRecord:
    return record if record.confirmed == releases else replace(record, confirmed=releases)


def _unconfirmed_record(
    previous: ReleaseRecord | None, plumbing: Plumbing, *, is_heard: bool
) -> ReleaseRecord:
    clean = ReleaseRecord(plumbing.uid, plumbing.generation)
    if plumbing.has_acted:
        return clean
    if previous and previous.is_of(plumbing):
        return previous
    if previous is None and not plumbing.boot and not is_heard:
        return clean  # no agent has ever read it: each says so before it does
    return ReleaseRecord(plumbing.uid, plumbing.generation, plumbing.unconfirmed)
