"""Which addresses move, now and then, to even out the load.

A party moves to the least loaded node that may take it, if that node then has less than its owner
had: so every move makes the loads more equal, and there comes a round that finds none. What
gains most moves first. With addresses that move alone it rests when, within each set of
participants, no owner of one that may be moved has two more than the least loaded.

Preferred and requested ones are not moved, nor is what its owner does not serve; all of them count
as load. While a node is silent, young or on its way out, or any address is, nothing is moved.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from duravip_api.reasons import MoveReason, Reason
from duravip_operator.core.election import Assignment, Assignments
from duravip_operator.core.followers import AffinityGroup
from duravip_operator.core.snapshot import Liveness, Snapshot

Nodes = frozenset[str]
_ONE_IN = 20
"""This part of what may be moved moves at once, unless something else is said."""
_MOST_LOOKS = 100_000
"""A round looks at no more kinds than that for all of its moves."""


class Movable(NamedTuple):
    """A party that nothing binds to the node that has it."""

    address: str
    """Its leader's."""
    owner: str
    weight: int
    """How many addresses go with it."""
    nodes: Nodes
    """Those that may take it."""


class _Kind(NamedTuple):
    """Parties that are alike: it is all the same which of them moves."""

    nodes: Nodes
    owner: str
    weight: int


def balance(
    choices: dict[str, Assignment],
    led: Mapping[str, AffinityGroup],
    holders: Mapping[str, str],
    snapshot: Snapshot,
) -> dict[str, Assignment]:
    """The same choices after one round, when this is the moment for one; `led`: all parties."""
    if snapshot.balance_moves is None or not _is_calm(choices, holders, snapshot):
        return choices
    load = Counter(choice.owner for choice in choices.values() if choice.owner)
    movable = _movable(led.values(), choices, snapshot)
    changed = dict(choices)
    for address, owner in choose_moves(movable, load, snapshot.balance_moves).items():
        changed[address] = choices[address]._replace(owner=owner, cause=MoveReason.BALANCE)
        for follower in led[address].followers:
            changed[follower.address] = choices[follower.address]._replace(owner=owner)
    return changed


def choose_moves(movable: Iterable[Movable], load: Mapping[str, int], most: int) -> dict[str, str]:
    """`{address: its next owner}` of one round of at most so many; 0 = one in twenty.

    Fewer, where people have written so many selectors that a round would take too long.

    `load` is how many addresses each node has, those that cannot be moved among them.
    """
    kinds: dict[_Kind, list[str]] = defaultdict(list)
    for address, owner, weight, nodes in movable:
        kinds[_Kind(nodes, owner, weight)].append(address)
    most = most or max(1, sum(map(len, kinds.values())) // _ONE_IN)
    loads = Counter(load)
    lightest = _Lightest({kind.nodes for kind in kinds}, loads)
    found: dict[str, str] = {}
    while len(found) < min(most, max(1, _MOST_LOOKS // max(1, len(kinds)))):
        kind = _best(kinds, loads, lightest)
        if kind is None:
            break
        target = lightest.of[kind.nodes][1]
        found[kinds[kind].pop()] = target
        if not kinds[kind]:
            del kinds[kind]
        loads[kind.owner] -= kind.weight
        loads[target] += kind.weight
        lightest.update(kind.owner, target)
    return found


class _Lightest:
    """Of each set of nodes `(load, name)` of the one with the least load."""

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
        """The loads of these two have changed."""
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
    """The kind whose move gains most; None when none gains anything."""
    best, most = None, (0, "")
    for kind, left in kinds.items():
        gain = loads[kind.owner] - lightest.of[kind.nodes][0] - kind.weight
        if gain > 0 and gain >= most[0] and (gain, left[-1]) > most:
            best, most = kind, (gain, left[-1])
    return best


def _is_calm(choices: Assignments, holders: Mapping[str, str], snapshot: Snapshot) -> bool:
    """Whether nothing is on its way, and nobody of whom that must be feared has anything."""
    owners = set()
    for address, choice in choices.items():
        if choice.owner and choice.reason is not Reason.OWNER_LOST:
            if holders.get(address) != choice.owner:
                return False
            owners.add(choice.owner)
    for name, plumbing in snapshot.plumbings.items():
        hearing = snapshot.liveness.get(name, Liveness.UNKNOWN)
        silence = snapshot.suspicions.get(name)
        is_hiccup = silence is not None and not silence.is_lasting
        if hearing is Liveness.WARMING_UP or is_hiccup:
            return False
        if not plumbing.has_acted if hearing is Liveness.ALIVE else name in owners:
            return False
    return True


def _movable(
    parties: Iterable[AffinityGroup], choices: Assignments, snapshot: Snapshot
) -> Iterator[Movable]:
    for party in parties:
        leader, choice = party.leader, choices.get(party.leader.address)
        if choice is None or not choice.owner or choice.reason is Reason.OWNER_LOST:
            continue
        if leader.preference or leader.request:
            continue
        served = snapshot.plumbings[choice.owner].served
        if all(unit.address in served for unit in (leader, *party.followers)):
            nodes = choice.eligible.may_take
            yield Movable(leader.address, choice.owner, party.weight, nodes)
