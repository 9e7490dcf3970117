"""Long histories at random: whole, the rule is safe; weakened, most of its holes are found."""

from collections import Counter
from collections.abc import Callable

import pytest

from duravip_api.reasons import MoveReason
from simulation.histories.actions import KINDS
from simulation.histories.explore import Exploration, summary
from simulation.jobs import ExploreJob

pytestmark = pytest.mark.timeout(3600)  # a test may wait for jobs of others, which others hold up

MOVES = ("loop hangs", "prefers")
UNSAID = ("loop hangs", "is held", "prefers")
ALONE = ("is cut off", "segment splits", "segment heals")
FORGED = ("has its goodbye forged", "is held")
"""What happens in half of all steps, where chance alone would hardly bring it together."""

SAFE = [ExploreJob(64, seed) for seed in range(8)]
SAFE += [ExploreJob(32, 8, trouble=trouble) for trouble in (UNSAID, ALONE, FORGED)]
WEAK = [
    ExploreJob(120, 5, (weakening,))
    for weakening in (
        *("revoke-first", "witness", "contact", "dead-man", "hold", "probe", "first-grant"),
    )
]
"""Chance alone finds most of these."""

# Without doubts a first grant is contested, and the probe finds the former holder: so both go.
TROUBLED = [
    ExploreJob(120, 5, ("release-before-grant", "first-grant"), MOVES),
    ExploreJob(120, 5, ("doubts", "first-grant"), UNSAID),
    ExploreJob(120, 5, ("let-go",), MOVES),
    ExploreJob(120, 7, ("yield",), ALONE),
    ExploreJob(120, 6, ("goodbye",), FORGED),
]
"""The other weakenings need so many steps in one order that only a walk finds them."""

IMPERSONATED = ExploreJob(120, 5, ("any-key",))
"""Whoever has one node's key may speak for every node.

Two answer then, or an address is taken from a healthy node; or a beat with a higher number than
the node's own has made that one unheard for good, so that what prefers it never comes back.
"""

MOST = 5
"""So many of them are found, whatever has changed in what happens at random."""

OFTEN = 50
"""Every kind of thing happens at least so often, in all histories together."""

Explore = Callable[[ExploreJob], Exploration]


def _named(job: ExploreJob) -> str:
    often = [f"often {what}" for what in job.trouble[:1]]
    return " ".join([f"seed {job.seed}", *job.weak, *often])


@pytest.mark.parametrize("job", SAFE, ids=_named)
def test_nothing_is_wrong_in_any_history(job: ExploreJob, outcome: Explore) -> None:
    assert not outcome(job).fault


@pytest.mark.parametrize("jobs", [WEAK], ids=["all"])
def test_most_weakened_rules_show_two_owners(jobs: list[ExploreJob], outcome: Explore) -> None:
    faults = {job.weak[0]: outcome(job).fault.partition("\n")[0] for job in jobs}
    print("", *(f"{name}: {fault or 'not found'}" for name, fault in faults.items()), sep="\n")
    assert sum(" answer for " in fault for fault in faults.values()) >= MOST


@pytest.mark.parametrize("job", TROUBLED, ids=_named)
def test_where_trouble_is_sought_a_weakened_rule_shows_two_owners(
    job: ExploreJob, outcome: Explore
) -> None:
    fault = outcome(job).fault.partition("\n")[0]
    print("", fault or "not found", sep="\n")
    assert " answer for " in fault


@pytest.mark.parametrize("job", [IMPERSONATED], ids=_named)
def test_a_key_that_speaks_for_other_nodes_would_cost_them_addresses(
    job: ExploreJob, outcome: Explore
) -> None:
    fault = outcome(job).fault.partition("\n")[0]
    print("", fault, sep="\n")
    harms = (" answer for ", " moved without a cause", "does not come to rest")
    assert any(harm in fault for harm in harms)


def test_everything_happens_often(outcome: Explore) -> None:
    counts: Counter[str] = Counter()
    longest: dict[str, float] = {}
    for found in map(outcome, SAFE):
        counts.update(found.counts)
        longest |= {c: max(t, longest.get(c, 0.0)) for c, t in found.longest.items()}
    print("", summary(Exploration(counts, longest, "")), sep="\n")
    rare = {kind: counts[kind] for kind in KINDS if counts[kind] < OFTEN}
    assert not rare
    walked = {MoveReason.READINESS}  # see `servers that come and go` in test_walk.py
    assert all(counts[f"moved: {reason}"] for reason in set(MoveReason) - walked)
    assert counts["histories"] >= sum(job.histories for job in SAFE)
