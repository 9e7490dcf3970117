"""What each node is granted next, so that no address is ever granted to two.

O1  Revoke first: while the spec of any other node grants an address, it is only taken out there.
O2  Free grant: an address is granted when no other node may hold it. A node may hold what it
    reports as served, and what was taken out of its spec and not yet acted upon.
    A node that has said goodbye holds nothing; neither does one that is taken for lost.

What was taken out and not yet acted upon is remembered in `Doubts`, one a node. After a spec was
written by somebody else, by an earlier leader or by hand, everything is doubted until the agent
has acted on what stands there now.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from duravip_operator.core.conflicts import Unit
from duravip_operator.core.election import Choice
from duravip_operator.core.snapshot import Hearing, Placement, Plumbing, Snapshot

Grants = Mapping[Placement, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Doubts:
    """What a node may still hold although its spec no longer grants it."""

    uid: str
    generation: int
    """Those of the NodePlumbing of which this is known."""
    addresses: frozenset[str] | None = frozenset()
    """None = anything."""

    def about(self, address: str) -> bool:
        """Whether the node may still hold this address."""
        return self.addresses is None or address in self.addresses


Memory = Mapping[str, Doubts]


def remembered(memory: Memory, snapshot: Snapshot) -> Memory:
    """The memory brought up to date with what the agents have reported."""
    heard = {n for n, h in snapshot.hearing.items() if h not in {Hearing.UNHEARD, Hearing.LOST}}
    return {
        name: _doubts(memory.get(name), plumbing, is_new=name not in heard)
        for name, plumbing in snapshot.plumbings.items()
    }


def after_write(memory: Memory, before: Plumbing, after: Plumbing) -> Memory:
    """The memory once we have replaced one node's spec: what was taken out is doubted."""
    known = _doubts(memory.get(before.node), before)
    taken = before.granted - after.granted
    left = None if known.addresses is None else known.addresses | taken
    doubts = Doubts(after.uid, after.generation, left)
    return {**memory, before.node: _doubts(doubts, after)}


def plans(
    units: Mapping[str, Unit],
    choices: Mapping[str, Choice],
    snapshot: Snapshot,
    memory: Memory,
) -> tuple[dict[str, Grants], frozenset[str]]:
    """`({node: what its spec shall grant}, {addresses that wait for their former holder})`."""
    granting, serving = _nodes_by_address(snapshot)
    doubted = {
        name: doubts
        for name, doubts in memory.items()
        if doubts.addresses != frozenset() and may_hold_anything(snapshot, name)
    }
    wanted: dict[str, dict[Placement, set[str]]] = {name: {} for name in snapshot.plumbings}
    waiting: set[str] = set()
    for address, choice in choices.items():
        owner, topology = choice.owner, units[address].topology
        if not owner or topology is None or owner not in wanted:
            continue
        holders = granting.get(address, ())
        if owner not in holders and (
            holders
            or any(node != owner for node in serving.get(address, ()))
            or any(d.about(address) for name, d in doubted.items() if name != owner)
        ):
            waiting.add(address)
            continue
        wanted[owner].setdefault(topology.placement, set()).add(address)
    return {name: _frozen(grants) for name, grants in wanted.items()}, frozenset(waiting)


def may_hold_anything(snapshot: Snapshot, node: str) -> bool:
    """Whether the node may hold an address at all: not when it is lost or has said goodbye."""
    plumbing = snapshot.plumbings.get(node)
    lost = snapshot.hearing.get(node, Hearing.UNHEARD) is Hearing.LOST
    return plumbing is not None and not plumbing.stopped and not lost


def _nodes_by_address(
    snapshot: Snapshot,
) -> tuple[Mapping[str, list[str]], Mapping[str, list[str]]]:
    granting: dict[str, list[str]] = defaultdict(list)
    serving: dict[str, list[str]] = defaultdict(list)
    for name, plumbing in snapshot.plumbings.items():
        _append_all(granting, plumbing.granted, name)
        if may_hold_anything(snapshot, name):
            _append_all(serving, plumbing.served, name)
    return granting, serving


def _append_all(table: dict[str, list[str]], addresses: Iterable[str], name: str) -> None:
    for address in addresses:
        table[address].append(name)


def _doubts(known: Doubts | None, plumbing: Plumbing, *, is_new: bool = False) -> Doubts:
    clean = Doubts(plumbing.uid, plumbing.generation)
    if plumbing.acted:
        return clean
    if known and (known.uid, known.generation) == (plumbing.uid, plumbing.generation):
        return known
    if known is None and is_new and plumbing.generation == 1 and plumbing.observed is None:
        return clean  # made for a node whose agent has yet to start: it never granted anything
    return Doubts(plumbing.uid, plumbing.generation, None)


def _frozen(grants: Mapping[Placement, set[str]]) -> Grants:
    return {where: frozenset(addresses) for where, addresses in sorted(grants.items())}
