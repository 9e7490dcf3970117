"""Which addresses a node of ours has let go, so that the next one need not probe for them (O6).

A leader that begins knows nothing: an address that no node serves may have been taken by any host.
What one of our nodes served under its grant was not a stranger's, and once that node has let it
go, the next owner follows within moments. This holds only while the address is on its way from
one node to another. What nobody is to have, because its object was deleted or edited or because
no node may hold it, may have been taken by a stranger before somebody is to have it again.

Memory.
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
    """What is known of the addresses that one node serves, and of those that it served."""

    boot: str = ""
    """The start of its agent that this is known of."""
    served: frozenset[str] = NO_ADDRESSES
    """Of what it is granted: what it was seen to serve since this leader began."""
    released: frozenset[str] = NO_ADDRESSES
    """What it was seen to serve before it was taken out of its spec. Whether the node has acted
    upon that is known elsewhere (`handover.Doubts`)."""

    def updated(
        self, boot: str, granted: frozenset[str], served: frozenset[str]
    ) -> "ConfirmedReleases":
        """The same, once the node is granted exactly these and reports those as served.

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
        """The same, once its agent is not heard: what it serves now nobody knows."""
        return self._replace(served=NO_ADDRESSES) if self.served else self

    def spent_by(self, granted: AbstractSet[str]) -> "ConfirmedReleases":
        """The same, once these are granted to somebody: one release is good for one grant."""
        return self if self.released.isdisjoint(granted) else self._forget(granted)

    def limited_to(self, wanted: AbstractSet[str]) -> "ConfirmedReleases":
        """Of these addresses only: nobody is to have the others now."""
        if self.served <= wanted and self.released <= wanted:
            return self
        return ConfirmedReleases(self.boot, self.served & wanted, self.released & wanted)

    def _forget(self, granted: AbstractSet[str]) -> "ConfirmedReleases":
        return self._replace(released=self.released - granted)


NO_RELEASES = ConfirmedReleases()


@dataclass(frozen=True, slots=True)
class ReleaseRecord:
    """What a node may still hold although its spec no longer grants it."""

    uid: str
    generation: int
    """Those of the NodePlumbing of which this is known."""
    unconfirmed: frozenset[str] | None = frozenset()
    """None = anything."""
    confirmed: ConfirmedReleases = NO_RELEASES

    def is_of(self, plumbing: Plumbing) -> bool:
        """Whether it is known of this very spec."""
        return (self.uid, self.generation) == (plumbing.uid, plumbing.generation)

    @property
    def is_empty(self) -> bool:
        """Whether it holds nothing of which its spec does not know."""
        return self.unconfirmed == frozenset()

    def may_hold(self, address: str) -> bool:
        """Whether the node may still hold this address."""
        return self.unconfirmed is None or address in self.unconfirmed


ReleaseRecords = Mapping[str, ReleaseRecord]


def update_records(memory: ReleaseRecords, snapshot: Snapshot) -> ReleaseRecords:
    """The memory brought up to date with what the agents have reported."""
    known = {
        name: _known(memory, plumbing, snapshot) for name, plumbing in snapshot.plumbings.items()
    }
    # Of one whose object somebody has deleted: the next object knows nothing of it.
    there = snapshot.nodes.keys() | snapshot.liveness.keys()
    lost = {name: doubts for name, doubts in memory.items() if name in there}
    lost |= {name: ReleaseRecord("", 0, None) for name in snapshot.ahead_of_store - known.keys()}
    return _granted_once({**lost, **known}, snapshot)


def limit_to_owned(memory: ReleaseRecords, choices: Mapping[str, Assignment]) -> ReleaseRecords:
    """The memory once this was chosen: of what nobody is to have no release counts later (O6)."""
    owned = {address for address, choice in choices.items() if choice.owner}
    return {n: _replaced(d, d.confirmed.limited_to(owned)) for n, d in memory.items()}


def forget_releases(memory: ReleaseRecords) -> ReleaseRecords:
    """The memory once a pass has failed: nobody knows how long the next one takes (O6)."""
    return {n: _replaced(d, NO_RELEASES) for n, d in memory.items()}


def _known(memory: ReleaseRecords, plumbing: Plumbing, snapshot: Snapshot) -> ReleaseRecord:
    name = plumbing.node
    if name in snapshot.ahead_of_store:
        return ReleaseRecord(plumbing.uid, plumbing.generation, None)
    before, is_heard = memory.get(name), snapshot.liveness.get(name) in HEARD_STATES
    doubts = ReleaseRecord(plumbing.uid, plumbing.generation)
    if name not in snapshot.release_confirmed:
        doubts = _doubts(before, plumbing, is_heard=is_heard)
    return _with_releases(doubts, before, plumbing, is_heard=is_heard)


def after_write(memory: ReleaseRecords, before: Plumbing, after: Plumbing) -> ReleaseRecords:
    """The memory once we have replaced one node's spec: what was taken out is doubted."""
    left = unconfirmed_after(memory, before, after.granted)
    doubts = ReleaseRecord(after.uid, after.generation, left)
    found = _with_releases(doubts, memory.get(before.node), after, is_heard=True)
    return {**memory, before.node: found}


def unconfirmed_after(
    memory: ReleaseRecords, before: Plumbing, granted: frozenset[str]
) -> frozenset[str] | None:
    """What a node may hold beside these once its spec grants exactly these; None = anything."""
    known = memory.get(before.node)
    if known is None or known.unconfirmed is not None or not known.is_of(before):
        known = _doubts(known, before, is_heard=True)
    return None if known.unconfirmed is None else (known.unconfirmed | before.granted) - granted


def _with_releases(
    doubts: ReleaseRecord, before: ReleaseRecord | None, plumbing: Plumbing, *, is_heard: bool
) -> ReleaseRecord:
    known = before.confirmed if before else NO_RELEASES
    if not is_heard:
        return _replaced(doubts, known.without_served())
    # A report of before it acted on this spec tells of what it was granted earlier.
    served = plumbing.served if plumbing.has_acted else frozenset[str]()
    return _replaced(doubts, known.updated(plumbing.boot, plumbing.granted, served))


def _granted_once(memory: ReleaseRecords, snapshot: Snapshot) -> ReleaseRecords:
    """A release that was followed by a grant, to whomever, is spent (O6)."""
    if not any(doubts.confirmed.released for doubts in memory.values()):
        return memory
    granted = union([plumbing.granted for plumbing in snapshot.plumbings.values()])
    return {n: _replaced(d, d.confirmed.spent_by(granted)) for n, d in memory.items()}


def _replaced(doubts: ReleaseRecord, releases: ConfirmedReleases) -> ReleaseRecord:
    return doubts if doubts.confirmed == releases else replace(doubts, confirmed=releases)


def _doubts(known: ReleaseRecord | None, plumbing: Plumbing, *, is_heard: bool) -> ReleaseRecord:
    clean = ReleaseRecord(plumbing.uid, plumbing.generation)
    if plumbing.has_acted:
        return clean
    if known and known.is_of(plumbing):
        return known
    if known is None and not plumbing.boot and not is_heard:
        return clean  # no agent has ever read it: each says so before it does
    return ReleaseRecord(plumbing.uid, plumbing.generation, plumbing.unconfirmed)
