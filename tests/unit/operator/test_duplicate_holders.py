"""That two nodes serve an address is said when it lasts, and only of nodes that may hold it."""

from duravip_operator.core.duplicate_holders import (
    DUPLICATE_AFTER_S,
    DuplicateHolderTable,
    lasting_duplicates,
    update_duplicates,
)
from duravip_operator.core.snapshot import Placement, Plumbing

A = frozenset({"10.1.1.1"})
ETH1 = Placement("eth1", 32)
BOTH = {"n1": Plumbing("n1", served=A), "n2": Plumbing("n2", served=A)}
MOVED = {"n1": Plumbing("n1"), "n2": Plumbing("n2", served=A)}


def looked(*looks: tuple[float, dict[str, Plumbing]], gone: tuple[str, ...] = ()) -> object:
    known: DuplicateHolderTable = {}
    now = 0.0
    for now, plumbings in looks:
        known = update_duplicates(known, plumbings, gone, now)
    return lasting_duplicates(known, now)


def test_a_status_that_is_late_is_no_second_owner() -> None:
    assert looked((0, BOTH), (DUPLICATE_AFTER_S - 0.1, BOTH)) == {}
    assert looked((0, BOTH), (1, MOVED), (DUPLICATE_AFTER_S, BOTH)) == {}


def test_what_lasts_is_said() -> None:
    assert looked((0, BOTH), (DUPLICATE_AFTER_S, BOTH)) == {"10.1.1.1": ("n1", "n2")}


def test_nodes_that_are_gone_or_have_said_goodbye_hold_nothing() -> None:
    assert looked((0, BOTH), (9, BOTH), gone=("n1",)) == {}
    stopped = {**BOTH, "n1": Plumbing("n1", served=A, stopped=True)}
    assert looked((0, stopped), (9, stopped)) == {}


def test_what_a_node_says_to_serve_that_was_never_granted_to_it_is_not_held() -> None:
    liar = Plumbing("n1", generation=2, observed_generation=2, served=A)
    owner = Plumbing("n2", generation=2, observed_generation=2, served=A, grants={ETH1: A})
    looks = ((0, {"n1": liar, "n2": owner}), (9, {"n1": liar, "n2": owner}))
    assert looked(*looks) == {}


def test_two_moves_one_after_the_other_are_no_conflict_that_lasts() -> None:
    late = {"n2": Plumbing("n2", served=A), "n3": Plumbing("n3", served=A)}
    assert looked((0, BOTH), (DUPLICATE_AFTER_S - 1, late), (DUPLICATE_AFTER_S, late)) == {}
