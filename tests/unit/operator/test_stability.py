"""Spells of nodes, and how long one that flaps must be well."""

from math import inf

import pytest

from duravip_operator.core.stability import AGENT, Aspect, Sighting, Spell, Stability, update

ETH1, FIT = Aspect("interface", "eth1"), Aspect("readiness", "web")
MATURE = 5.0


def seen(
    well: str = "",
    *,
    at: float,
    before: Stability | None = None,
    excused: str = "",
    unsure: str = "",
    nodes: str = "n1 n2",
) -> Stability:
    """The stability after one look at the agents; names of nodes are divided by blanks."""
    sighting = Sighting(*(frozenset(names.split()) for names in (well, excused, unsure)))
    return update(before or Stability(mature=MATURE), {AGENT: sighting}, set(nodes.split()), at)


def lost_at(*times: float) -> Stability:
    """A node that is lost at each of these times, and well again a second later."""
    state = seen("n1", at=0)
    for time in times:
        state = seen(at=time, before=state)
        state = seen("n1", at=time + 1, before=state)
    return state


def test_a_node_that_was_never_seen_counts_as_well() -> None:
    assert Stability(now=7).settles_at("n1", [AGENT, ETH1], least=60) == 7


def test_a_node_that_is_found_well_has_settled_at_once_unless_more_is_wanted() -> None:
    state = seen("n1", at=100)
    assert state.settles_at("n1", [AGENT]) == 100
    assert state.settles_at("n1", [AGENT], least=60) == 160
    assert state.settles_at("n2", [AGENT], least=60) == 100


def test_a_node_that_is_not_well_never_settles() -> None:
    state = seen(at=101, before=seen("n1", at=100))
    assert state.settles_at("n1", [AGENT]) == inf


def test_a_node_that_was_lost_once_does_not_flap() -> None:
    spell = lost_at(10).spells[AGENT]["n1"]
    assert not Stability(now=12).is_flapping(spell)
    assert Stability(now=12).is_flapping(spell._replace(streak=2))


def test_all_is_quiet_though_a_node_is_not_well() -> None:
    assert seen("n1", at=2, before=seen("n1 n2", at=0)).is_quiet()
    returned = lost_at(10, 20)
    assert not returned.is_quiet()
    assert seen("n1", at=40, before=returned).is_quiet()


def test_the_aspect_that_settles_last_decides() -> None:
    state = Stability(now=50, spells={AGENT: {"n1": Spell(10.0)}, ETH1: {"n1": Spell(40.0)}})
    assert state.settles_at("n1", [AGENT, ETH1], least=20) == 60
    assert state.settles_at("n1", [ETH1, AGENT], least=20) == 60


@pytest.mark.parametrize(
    ("losses", "wait"),
    [
        ([10], 0),
        ([10, 20], 5),
        ([10, 20, 30], 15),
        ([10, 20, 30, 40], 35),
        ([10 * n for n in range(1, 40)], 295),
        ([10, 610], 5),
        ([10, 610.1], 0),
        ([10, 20, 700], 0),
        ([10, 20, 700, 710], 5),
    ],
)
def test_each_loss_within_ten_minutes_of_the_last_doubles_the_wait(
    losses: list[float], wait: float
) -> None:
    state = lost_at(*losses)
    assert state.settles_at("n1", [AGENT]) == losses[-1] + 1 + wait


def test_a_streak_is_forgotten_ten_minutes_after_its_last_loss() -> None:
    spell = Spell(1.0, lost_at=0.0, streak=9)
    for aspect, least in ((AGENT, 0), (ETH1, 0), (FIT, MATURE)):
        assert Stability(now=600, mature=MATURE).damping_of(aspect, spell) == 295 + least
        assert Stability(now=600.1, mature=MATURE).damping_of(aspect, spell) == least


def test_damping_can_be_limited_and_turned_off() -> None:
    spell = Spell(0.0, streak=9)
    assert Stability(mature=MATURE, max_damping=60).damping_of(AGENT, spell) == 55
    assert Stability(mature=MATURE, max_damping=0).damping_of(AGENT, spell) == 0
    assert Stability(mature=MATURE, max_damping=0).damping_of(FIT, spell) == MATURE


def test_a_mature_of_more_than_the_longest_wait_is_not_waited_for_twice() -> None:
    spell = Spell(0.0, streak=5)
    assert Stability(mature=400).damping_of(AGENT, spell) == 0
    assert Stability(mature=400).damping_of(FIT, spell) == 400


def test_a_node_must_be_fit_for_as_long_as_an_agent_must_be_heard() -> None:
    assert Stability(mature=MATURE).damping_of(FIT, Spell(0.0)) == MATURE
    assert Stability(mature=MATURE).damping_of(FIT, Spell(0.0, streak=1)) == MATURE
    assert Stability(mature=MATURE).damping_of(FIT, Spell(0.0, streak=2)) == 2 * MATURE


def test_a_node_that_is_stopped_on_purpose_has_not_flapped() -> None:
    state = lost_at(10, 20)
    stopped = seen(at=30, before=state, excused="n1")
    assert stopped.settles_at("n1", [AGENT]) == inf
    silent = seen(at=31, before=stopped)
    assert seen("n1", at=40, before=silent).settles_at("n1", [AGENT]) == 45


def test_a_hiccup_changes_nothing() -> None:
    state = seen("n1", at=100)
    hiccup = seen(at=110, before=state, unsure="n1")
    assert hiccup.settles_at("n1", [AGENT], least=30) == 130
    assert seen("n1", at=111, before=hiccup).settles_at("n1", [AGENT], least=30) == 130


def test_it_is_quiet_while_nobody_has_to_be_waited_for() -> None:
    assert seen("n1 n2", at=0).is_quiet()
    state = seen("n1", at=21, before=seen(at=20, before=lost_at(10)))
    assert not state.is_quiet()
    assert seen("n1", at=26, before=state).is_quiet()


def test_a_node_that_is_gone_is_forgotten() -> None:
    state = seen("n1 n2", at=0)
    assert seen("n2", at=1, before=state, nodes="n2").spells[AGENT].keys() == {"n2"}
    assert seen("n1 n2", at=1, nodes="n2").spells[AGENT].keys() == {"n2"}


def test_what_has_not_changed_is_not_looked_at_again() -> None:
    state = seen("n1", at=0)
    assert seen("n1", at=1, before=state).spells[AGENT] is state.spells[AGENT]
