"""The hand-over rule, walked: whole, it is safe; weakened, the walk finds the hole."""

import pytest

from simulation.walk import walked

ALONE = frozenset({"1"})
"""Only one operator does anything."""
HEALTHY = frozenset({"crashes", "stops"})
"""Agents only read, act and report, however late."""

A_PAUSED_LEADER = (
    "the other node is preferred",
    *("operator 0 decides", "operator 0 writes", "n0 reads", "n0 acts", "n0 reports"),
    *("operator 0 reads", "operator 0 decides"),
    *("operator 1 takes the lead", "operator 1 reads", "operator 1 decides"),
    *("operator 1 writes", "operator 1 writes", "the other node is preferred"),
)
"""Just before it grants the address to n1, the leader freezes, and another one takes over."""


@pytest.mark.parametrize(
    ("without", "first"),
    [
        (frozenset(), ()),
        (ALONE, ()),
        (HEALTHY, ()),
        (ALONE | HEALTHY, ()),
        (ALONE | {"crashes"}, ()),
        (HEALTHY, A_PAUSED_LEADER),
    ],
    ids=["all", "one operator", "healthy", "one, healthy", "restarts", "a paused leader"],
)
def test_no_history_shows_two_owners(without: frozenset[str], first: tuple[str, ...]) -> None:
    found = walked(40_000, without=without, first=first)
    assert found.history is None
    assert found.states > 400


@pytest.mark.parametrize(
    ("weakening", "without", "first"),
    [
        ("revoke-first", frozenset(), ()),
        ("release-before-grant", frozenset(), ()),
        ("doubts", ALONE | HEALTHY, ()),
        ("conditional-write", HEALTHY, A_PAUSED_LEADER),
    ],
)
def test_a_weakened_rule_is_found_out(
    weakening: str, without: frozenset[str], first: tuple[str, ...]
) -> None:
    found = walked(60_000, frozenset({weakening}), without, first)
    assert found.history is not None
