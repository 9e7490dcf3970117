"""The hand-over rule, walked: whole, it is safe; weakened, the walk finds the hole."""

import pytest

from simulation.casts import CASTS
from simulation.walk import left_alone, walked
from simulation.world import is_audible

STATES = 40_000
ENOUGH = 120_000
"""States within which each weakening is found."""

ALONE = ("n0 loses or regains control", "a tick passes", "n0 works", "n1 works")
"""n0 is cut off from the operator; its agent goes on."""
PASSED_OVER = (*ALONE, "operator 0 works", "operator 0 works")
"""And the operator has given its address to n1, which has not taken it yet."""
CUT = ("the segment splits or heals", *PASSED_OVER)
"""The same, while the two nodes cannot hear each other."""
A_WHILE = ("a tick passes", "n0 works", "n1 works") * 4
HEALED = (*CUT, "n1 works", "the segment splits or heals", *A_WHILE)
"""n1 has taken it on its side of the cut, which then has healed for a while."""
FROZEN = (
    *("the segment splits or heals", "n0 freezes or thaws", "a tick passes", "n1 works"),
    *("operator 0 works", "operator 0 works", "n1 works"),
    *("the segment splits or heals", *A_WHILE),
)
"""The same, with an n0 whose agent stands still."""
LONG_ALONE = (*ALONE, *("a tick passes", "n0 works", "n1 works") * 4)

UNREPORTED = (
    *("the other node is preferred", "operator 0 works", "n0 works", "operator 0 works"),
    *("n1 works", "the other node is preferred", "operator 0 works", "n1 works"),
    *("operator 0 works", "n0 reads", "n0 beats", "n0 turns", "n0 refreshes"),
)
"""The address was n0's, then n1's, and is n0's again, which has not said so yet."""

A_PAUSED_LEADER = (
    "the other node is preferred",
    *("operator 0 works", "n0 works", "operator 0 reads", "operator 0 decides"),
    *("operator 1 takes the lead", "operator 1 works", "n0 works", "n1 works"),
    "the other node is preferred",
)
"""Just before it grants the address to n1, the leader freezes, and another one takes over."""

SAFE = [(cast, ()) for cast in CASTS] + [
    ("one node's troubles", PASSED_OVER),
    ("a segment that is cut", CUT),
    ("a segment that is cut", HEALED),
    ("a segment that is cut", FROZEN),
    ("nodes that do not hear each other", LONG_ALONE),
    ("late reports", UNREPORTED),
    ("two leaders", A_PAUSED_LEADER),
]
FOUND = [
    ("revoke-first", "one node's troubles", ()),
    ("release-before-grant", "one node's troubles", ()),
    ("doubts", "late reports", UNREPORTED),
    ("conditional-write", "two leaders", A_PAUSED_LEADER),
    ("epoch", "two leaders", A_PAUSED_LEADER),
    ("contact", "one node's troubles", ()),
    ("late-refresh", "one node's troubles", ()),
    ("probe", "a segment that is cut", CUT),
    ("yield", "a segment that is cut", HEALED),
    ("dead-man", "a segment that is cut", FROZEN),
    ("witness", "nodes that do not hear each other", ()),
    ("hold", "nodes that do not hear each other", LONG_ALONE),
]


@pytest.mark.parametrize("fencing", ["Segment", "Strict"])
@pytest.mark.parametrize(("cast", "first"), SAFE)
def test_no_history_shows_two_owners(cast: str, first: tuple[str, ...], fencing: str) -> None:
    weak = frozenset({"strict"} if fencing == "Strict" else ())
    found = walked(STATES, cast, weak, first)
    assert found.history is None
    for world in found.frontier:
        rested = left_alone(world, weak)
        owners = [is_audible(agent) for agent in rested.agents]
        assert owners == [rested.preferred == 0, rested.preferred == 1], world


@pytest.mark.parametrize(("weakening", "cast", "first"), FOUND)
def test_a_weakened_rule_is_found_out(weakening: str, cast: str, first: tuple[str, ...]) -> None:
    found = walked(ENOUGH, cast, frozenset({weakening}), first)
    assert found.history is not None
