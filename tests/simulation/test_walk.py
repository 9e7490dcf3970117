"""The hand-over rule, walked: whole, it is safe; weakened, the walk finds the hole."""

from collections.abc import Callable

import pytest

from simulation.casts import CASTS
from simulation.jobs import Walked, WalkJob

pytestmark = pytest.mark.timeout(3600)  # a test may wait for jobs of others, which others hold up

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

A_NEW_LEADER = (
    *UNREPORTED,
    *("the other node is preferred", "operator 0 works", "operator 1 takes the lead"),
)
"""The same, and it was taken from n0, which has not read that; then another leader takes over."""

RETURNED = (
    *("the other node is preferred", "operator 0 works", "n0 works", "operator 0 works"),
    *("n1 works", "operator 0 works", "the other node is preferred", "operator 0 works"),
    *("n1 works", "operator 0 works", "n0 works", "operator 0 works"),
)
"""The address was moved to n1 and back: n0 was granted it freely."""

MOVED_SINCE = (
    *(*RETURNED, "a backup is made", "the other node is preferred"),
    *("operator 0 works", "n0 works", "operator 0 works", "n1 works", "operator 0 works"),
)
"""It was moved to n1 again after the backup, in which n0 is granted it freely."""

UNWANTED = ("the object comes or goes", *("operator 0 works", "n0 works") * 2)
"""Nobody names the address any more, and no node has it."""

SAFE = [WalkJob(STATES, cast) for cast in CASTS] + [
    WalkJob(STATES, "one node's troubles", PASSED_OVER),
    WalkJob(STATES, "a segment that is cut", CUT),
    WalkJob(STATES, "a segment that is cut", HEALED),
    WalkJob(STATES, "a segment that is cut", FROZEN),
    WalkJob(STATES, "nodes that do not hear each other", LONG_ALONE),
    WalkJob(STATES, "late reports", UNREPORTED),
    WalkJob(STATES, "two leaders", A_PAUSED_LEADER),
    WalkJob(STATES, "two leaders", A_NEW_LEADER),
    WalkJob(STATES, "a stranger", RETURNED),
    WalkJob(STATES, "a stranger", UNWANTED),
    WalkJob(STATES, "a store that goes back", MOVED_SINCE),
]
SAFE += [job._replace(weak=("strict",)) for job in SAFE]
# Without doubts a first grant is contested, and the probe finds the former holder: so both go.
# So they do where beats of a later spec show a former leader that it does not know everything.
FOUND = [
    WalkJob(ENOUGH, "one node's troubles", (), ("revoke-first",)),
    WalkJob(ENOUGH, "one node's troubles", (), ("release-before-grant",)),
    WalkJob(ENOUGH, "servers that come and go", (), ("revoke-first",)),
    WalkJob(ENOUGH, "servers that come and go", (), ("release-before-grant",)),
    WalkJob(ENOUGH, "late reports", UNREPORTED, ("doubts", "first-grant")),
    WalkJob(ENOUGH, "one node's troubles", (), ("let-go",)),
    WalkJob(ENOUGH, "a stolen key", (), ("any-key",)),
    WalkJob(ENOUGH, "a lying status", (), ("goodbye",)),
    WalkJob(ENOUGH, "two leaders", A_NEW_LEADER, ("unconfirmed", "first-grant")),
    WalkJob(ENOUGH, "two leaders", A_PAUSED_LEADER, ("conditional-write",)),
    WalkJob(ENOUGH, "two leaders", A_PAUSED_LEADER, ("epoch", "ahead")),
    WalkJob(ENOUGH, "one node's troubles", (), ("contact",)),
    WalkJob(ENOUGH, "one node's troubles", (), ("late-refresh",)),
    WalkJob(ENOUGH, "a segment that is cut", CUT, ("probe",)),
    WalkJob(ENOUGH, "a segment that is cut", HEALED, ("yield",)),
    WalkJob(ENOUGH, "a segment that is cut", FROZEN, ("dead-man",)),
    WalkJob(ENOUGH, "nodes that do not hear each other", (), ("witness",)),
    WalkJob(ENOUGH, "nodes that do not hear each other", LONG_ALONE, ("hold",)),
    WalkJob(ENOUGH, "a stranger", UNWANTED, ("first-grant",)),
    WalkJob(ENOUGH, "a stranger", RETURNED, ("stale",)),
    WalkJob(ENOUGH, "a store that goes back", MOVED_SINCE, ("restore",)),
]


def _named(job: WalkJob) -> str:
    names = (name for name, first in globals().items() if job.first and first is job.first)
    return " ".join([job.cast, *names, *job.weak])


@pytest.mark.parametrize("job", SAFE, ids=_named)
def test_no_history_shows_two_owners(job: WalkJob, outcome: Callable[[WalkJob], Walked]) -> None:
    found = outcome(job)
    assert found.history is None
    assert found.unsettled is None


@pytest.mark.parametrize("job", FOUND, ids=_named)
def test_a_weakened_rule_is_found_out(job: WalkJob, outcome: Callable[[WalkJob], Walked]) -> None:
    assert outcome(job).history is not None


def test_a_million_states_are_walked(outcome: Callable[[WalkJob], Walked]) -> None:
    states = sum(outcome(job).states for job in SAFE)
    print(f"\n{states} states of the small world in {len(SAFE)} walks")
    assert states >= 1_000_000
