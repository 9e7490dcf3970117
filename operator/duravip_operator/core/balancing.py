"""Balancing: which addresses move, in rounds now and then, to even out the load.

A group moves to the least loaded node that may take it, if that node then has less load than
the owner had. Each such move makes the loads strictly more equal, so after finitely many rounds
there is none left, and nothing moves to and fro. The move with the largest gain comes first; of
equal gains, the one that is last by address text. With addresses that move alone the process
rests when, within each set of participants, no owner of a movable address has two more than the
least loaded node.

Addresses with a preference or a request are not moved, nor those whose objects say
`balance: Never`, nor those that their owner does not serve, nor those whose readiness speaks
against it (`Eligible.is_bound_by_readiness`); all of them count as load. A node that was lost
several times gets nothing until it has settled (`failback`). Nothing is moved while anything is in
transit: a node that is suspect, warming up or on its way out, or an address that is not where it
was assigned.

Balancing keeps no state. A round only assigns some addresses elsewhere; should the leader
change while they are on their way, the ordinary election finds the least loaded node again.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from duravip_api.reasons import MoveReason, Reason
from duravip_operator.core import failback
from duravip_operator.core.election import Assignment, Assignments
from duravip_operator.core.followers import AffinityGroup
from duravip_operator.core.snapshot import Liveness, Snapshot

Nodes = frozenset[str]
_ONE_IN = 20
"""By default one in this many movable groups moves in one round."""
_MAX_COMPARISONS = 100_000
"""A round compares at most this many kinds, over all of its moves."""


class Movable(NamedTuple):
    """A group that nothing binds to the node that has it."""

    address: str
    """Its leader's address."""
    owner: str
    weight: int
    """How many addresses move with it."""
    nodes: Nodes
    """The nodes that may take it."""


class _Kind(NamedTuple):
    """Groups that are interchangeable for balancing."""

    nodes: Nodes
    owner: str
    weight: int


def balance(
    assignments: dict[str, Assignment],
    groups: Mapping[str, AffinityGroup],
    holders: Mapping[str, str],
    snapshot: Snapshot,
) -> dict[str, Assignment]:
    """The assignments after one round, if this pass balances; groups by leader's address."""
    if snapshot.balance_moves is None or not _is_calm(assignments, holders, snapshot):
        return assignments
    load = Counter(assignment.owner for assignment in assignments.values() if assignment.owner)
    movable = _movable(groups.values(), assignments, snapshot)
    changed = dict(assignments)
    for address, owner in choose_moves(movable, load, snapshot.balance_moves).items():
        changed[address] = assignments[address]._replace(owner=owner, cause=MoveReason.BALANCE)
        for follower in groups[address].followers:
            changed[follower.address] = assignments[follower.address]._replace(owner=owner)
    return changed


def choose_moves(movable: Iterable[Movable], load: Mapping[str, int], most: int) -> dict[str, str]:
    """`{address: its next owner}` for one round of at most `most` moves; 0 = one in twenty.

    Fewer moves are made where people have written so many selectors that a round would take too
    long. `load` is how many addresses each node has, including those that cannot be moved.
    """
    kinds: dict[_Kind, list[str]] = defaultdict(list)
    for address, owner, weight, nodes in movable:
        kinds[_Kind(nodes, owner, weight)].append(address)
    most = most or max(1, sum(map(len, kinds.values())) // _ONE_IN)
    loads = Counter(load)
    lightest = _Lightest({kind.nodes for kind in kinds}, loads)
    moves: dict[str, str] = {}
    while len(moves) < min(most, max(1, _MAX_COMPARISONS // max(1, len(kinds)))):
        kind = _best(kinds, loads, lightest)
        if kind is None:
            break
        target = lightest.of[kind.nodes][1]
        moves[kinds[kind].pop()] = target
        if not kinds[kind]:
            del kinds[kind]
        loads[kind.owner] -= kind.weight
        loads[target] += kind.weight
        lightest.update(kind.owner, target)
    return moves


class _Lightest:
    """For each set of nodes, `(load, name)` of its least loaded node."""

    def __init__(self, sets: Iterable[Nodes], loads: Counter[str]) -> None:
        self._loads = loads
        self._with: dict[str, list[Nodes]] = defaultdict(list)
        for nodes in sets:
            for node in nodes:
                self._with[node].append(nodes)
        order = self._in_order()
        self.of = {nodes: _first(order, nodes) for nodes in sets}

    def _in_order(self) -> list[tuple[int, str]]:
        return sorted((self._loads[node], node) for node in self._with)

    def update(self, lighter: str, heavier: str) -> None:
        """Account for a move from the node `lighter` to the node `heavier`."""
        loads = self._loads
        less = (loads[lighter], lighter)
        for nodes in self._with[lighter]:
            self.of[nodes] = min(less, self.of[nodes])
        order = self._in_order()
        for nodes in self._with[heavier]:
            if self.of[nodes][1] == heavier:
                self.of[nodes] = _first(order, nodes)


def _first(order: Iterable[tuple[int, str]], nodes: Nodes) -> tuple[int, str]:
    return next(one for one in order if one[1] in nodes)


def _best(
    kinds: Mapping[_Kind, list[str]], loads: Mapping[str, int], lightest: _Lightest
) -> _Kind | None:
    """The kind whose move gains most; None if no move gains anything."""
    best, most = None, (0, "")
    for kind, left in kinds.items():
        gain = loads[kind.owner] - lightest.of[kind.nodes][0] - kind.weight
        if gain > 0 and gain >= most[0] and (gain, left[-1]) > most:
            best, most = kind, (gain, left[-1])
    return best


def _is_calm(assignments: Assignments, holders: Mapping[str, str], snapshot: Snapshot) -> bool:
    """Whether nothing is in transit, and no node that has addresses may be about to lose them."""
    owners = set()
    for address, assignment in assignments.items():
        if assignment.owner and assignment.reason is not Reason.OWNER_LOST:
            if holders.get(address) != assignment.owner:
                return False
            owners.add(assignment.owner)
    for name, plumbing in snapshot.plumbings.items():
        liveness = snapshot.liveness.get(name, Liveness.UNKNOWN)
        suspicion = snapshot.suspicions.get(name)
        is_hiccup = suspicion is not None and not suspicion.is_lasting
        if liveness is Liveness.WARMING_UP or is_hiccup:
            return False
        if not plumbing.has_acted if liveness is Liveness.ALIVE else name in owners:
            return False
    return True


def _movable(
    groups: Iterable[AffinityGroup], assignments: Assignments, snapshot: Snapshot
) -> Iterator[Movable]:
    is_quiet = snapshot.stability.is_quiet()
    for group in groups:
        leader, assignment = group.leader, assignments.get(group.leader.address)
        if assignment is None or not assignment.owner or assignment.reason is Reason.OWNER_LOST:
            continue
        if leader.preference or leader.request or not all(u.may_balance for u in group.units):
            continue
        if assignment.eligible.is_bound_by_readiness:
            continue
        served = snapshot.plumbings[assignment.owner].served
        if all(unit.address in served for unit in group.units):
            nodes = assignment.eligible.may_take
            if not is_quiet:
                nodes = failback.settled_nodes(group.units, nodes, snapshot)
            if nodes:
                yield Movable(leader.address, assignment.owner, group.weight, nodes)
