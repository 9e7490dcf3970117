"""When addresses move to even out the load, and which."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from duravip_api.reasons import MoveReason
from duravip_operator.core import decision
from duravip_operator.core.balancing import Movable, choose_moves
from duravip_operator.core.snapshot import Liveness, MoveRequest, Snapshot, Suspicion
from unit.operator.clusters import cluster, granted, vip

BOTH = frozenset({"n1", "n2"})


def movable(*owners: str, weight: int = 1) -> list[Movable]:
    return [Movable(f"10.1.1.{n}", owner, weight, BOTH) for n, owner in enumerate(owners, 1)]


def test_the_move_that_gains_most_comes_first_and_of_equal_ones_the_last_by_address() -> None:
    groups = movable("n1", "n1", "n1", "n2")
    assert choose_moves(groups, {"n1": 3, "n2": 1}, 9) == {"10.1.1.3": "n2"}


def test_what_cannot_be_moved_counts_as_load_all_the_same() -> None:
    assert choose_moves(movable("n1"), {"n1": 1, "n2": 0}, 9) == {}
    assert choose_moves(movable("n1"), {"n1": 3, "n2": 0}, 9) == {"10.1.1.1": "n2"}


def test_a_heavy_group_moves_only_where_it_makes_loads_more_equal() -> None:
    heavy = movable("n1", weight=3)
    assert choose_moves(heavy, {"n1": 4, "n2": 0}, 9) == {"10.1.1.1": "n2"}
    assert choose_moves(heavy, {"n1": 3, "n2": 0}, 9) == {}


def test_one_in_twenty_moves_unless_a_number_is_given() -> None:
    owners = ["n1"] * 60
    load = Counter(owners)
    assert len(choose_moves(movable(*owners), load, 0)) == 3
    assert len(choose_moves(movable(*owners), load, 7)) == 7


def uneven() -> Snapshot:
    """Everything on n1, and the others are back."""
    vips = tuple(vip(number, "n1") for number in range(1, 9))
    snapshot = granted(cluster(vips))
    return replace(snapshot, vips=tuple(vip(number) for number in range(1, 9)))


def causes(snapshot: Snapshot, moves: int | None = 0) -> list[MoveReason]:
    made = decision.decide(replace(snapshot, balance_moves=moves), {})
    return [one.cause for one in made.assignments.values()]


def test_a_pass_that_balances_says_why_it_moves_and_no_other_pass_moves_anything() -> None:
    assert causes(uneven(), 2).count(MoveReason.BALANCE) == 2
    assert MoveReason.BALANCE not in causes(uneven(), None)


def test_what_people_have_put_somewhere_is_not_moved() -> None:
    held = MoveRequest(1.0, "n1", releases=False)
    vips = [replace(vip(n), requests=(held,)) for n in range(1, 8)]
    assert causes(replace(uneven(), vips=(*vips, vip(8))), 9).count(MoveReason.BALANCE) == 1
    preferring = (*(vip(n, "n1") for n in range(1, 8)), vip(8))
    assert causes(replace(uneven(), vips=preferring), 9).count(MoveReason.BALANCE) == 1


def test_followers_move_with_their_leader() -> None:
    led = replace(vip(8), enabled=False, follow=vip(1).address)
    seen = replace(uneven(), vips=(vip(1), *(vip(n, "n1") for n in range(2, 8)), led))
    made = decision.decide(replace(seen, balance_moves=9), {}).assignments
    assert made[vip(1).address].owner != "n1"
    assert made[vip(1).address].owner == made[vip(8).address].owner


def _young(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, liveness={**snapshot.liveness, "n4": Liveness.WARMING_UP})


def _suspected(snapshot: Snapshot) -> Snapshot:
    liveness = {**snapshot.liveness, "n4": Liveness.SUSPECT}
    return replace(snapshot, liveness=liveness, suspicions={"n4": Suspicion()})


def _silent_owner(snapshot: Snapshot) -> Snapshot:
    liveness = {**snapshot.liveness, "n1": Liveness.SUSPECT}
    return replace(snapshot, liveness=liveness, suspicions={"n1": Suspicion(is_lasting=True)})


def _unconfirmed(snapshot: Snapshot) -> Snapshot:
    behind = replace(snapshot.plumbings["n3"], generation=2)
    return replace(snapshot, plumbings={**snapshot.plumbings, "n3": behind})


def _new_address(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, vips=(*snapshot.vips, vip(60)))


@pytest.mark.parametrize(
    "disturbed", [_young, _suspected, _silent_owner, _unconfirmed, _new_address]
)
def test_nothing_is_balanced_while_anything_is_on_its_way(
    disturbed: Callable[[Snapshot], Snapshot],
) -> None:
    assert MoveReason.BALANCE not in causes(disturbed(uneven()))


def test_a_dead_node_without_addresses_does_not_keep_the_others_uneven() -> None:
    gone = Suspicion(unreachable_on=frozenset({"eth1"}), is_lasting=True)
    dead = replace(_suspected(uneven()), suspicions={"n4": gone})
    assert causes(dead).count(MoveReason.BALANCE) == 1
