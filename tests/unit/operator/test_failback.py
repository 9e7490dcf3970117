"""When an address returns to the node that it prefers."""

from dataclasses import replace
from math import inf

import pytest

from duravip_api.reasons import Reason
from duravip_operator.core import failback
from duravip_operator.core.snapshot import ReadinessKey, Snapshot
from duravip_operator.core.stability import AGENT, Aspect, Spell, Stability
from duravip_operator.core.units import Unit
from unit.operator.clusters import LAN, cluster

ETH1, ETH9 = Aspect("interface", "eth1"), Aspect("interface", "eth9")
NOW, MATURE = 1000.0, 5.0


def unit(failback_s: float = 0.0, preference: str = "n1") -> Unit:
    return Unit("10.1.1.1", (), preference=preference, failback_s=failback_s, topology=LAN)


def with_spells(spells: dict[Aspect, Spell]) -> Snapshot:
    """A cluster whose node n1 has these spells; the others have never been lost."""
    by_node = {aspect: {"n1": spell} for aspect, spell in spells.items()}
    return replace(cluster(()), stability=Stability(NOW, MATURE, by_node))


def test_always_means_as_soon_as_the_node_has_settled() -> None:
    assert failback.is_over([unit()], "n1", with_spells({AGENT: Spell(NOW)}))
    flapping = with_spells({AGENT: Spell(NOW, lost_at=NOW, streak=3)})
    assert failback.returns_at([unit()], "n1", flapping) == NOW + 15
    assert not failback.is_over([unit()], "n1", flapping)


def test_never_means_never_by_itself() -> None:
    assert failback.returns_at([unit(inf)], "n1", with_spells({})) == inf


def test_a_duration_counts_from_when_the_node_is_well_in_every_aspect() -> None:
    spells = {AGENT: Spell(NOW - 100), ETH1: Spell(NOW - 10), ETH9: Spell(NOW)}
    assert failback.returns_at([unit(60)], "n1", with_spells(spells)) == NOW + 50
    assert failback.is_over([unit(10)], "n1", with_spells(spells))


def test_what_the_leader_says_counts_for_its_followers() -> None:
    spells = with_spells({AGENT: Spell(NOW)})
    assert failback.is_over([unit(), unit(inf)], "n1", spells)
    assert not failback.is_over([unit(inf), unit()], "n1", spells)


def test_followers_bring_their_interfaces() -> None:
    candidates = LAN.candidates._replace(names=("eth9",))
    follower = unit()._replace(topology=replace(LAN, name="out", candidates=candidates))
    spells = with_spells({ETH9: Spell(None)})
    assert failback.is_over([unit()], "n1", spells)
    assert not failback.is_over([unit(), follower], "n1", spells)


def test_of_a_node_that_nothing_was_seen_of_the_delay_is_told_as_it_stands() -> None:
    _, why = failback.explain_delay(unit(0.5), "n1", with_spells({}))
    assert why.endswith("well for 0.5 s")


def test_a_unit_in_no_block_depends_on_no_interface() -> None:
    nowhere = unit()._replace(topology=None)
    assert failback.returns_at([nowhere], "n1", with_spells({ETH1: Spell(None)})) == NOW


def test_a_node_is_waited_for_until_it_has_been_fit_for_a_while() -> None:
    key = ReadinessKey("endpointsOf", "default/web")
    web = unit()._replace(readiness=frozenset({key}))
    fit = replace(
        with_spells({AGENT: Spell(0), Aspect("readiness", key): Spell(NOW - 1)}),
        fit_nodes={key: frozenset({"n1"})},
    )
    assert failback.returns_at([web], "n1", fit) == NOW + 4
    assert failback.explain_delay(web, "n1", fit) == (
        Reason.FAILBACK_DELAYED,
        "n1 is preferred and takes it back once it has been well for 5 s",
    )
    assert failback.returns_at([unit(), web], "n1", fit) == NOW + 4
    for_nobody = replace(fit, fit_nodes={})
    assert failback.is_over([unit(), web], "n1", for_nobody)
    assert failback.returns_at([web], "n1", for_nobody) == NOW + 4


def test_balancing_waits_for_the_nodes_that_have_flapped() -> None:
    nodes = frozenset({"n1", "n2"})
    flapping = with_spells({AGENT: Spell(NOW, lost_at=NOW, streak=2)})
    assert failback.settled_nodes([unit(inf)], nodes, flapping) == {"n2"}
    assert failback.settled_nodes([unit()], nodes, with_spells({AGENT: Spell(NOW)})) == nodes


def test_the_next_return_is_the_first_that_is_still_to_come() -> None:
    spells = with_spells({AGENT: Spell(NOW)})
    groups = [[unit(90)], [unit(30)], [unit(inf)], [unit()]]
    assert failback.next_return(groups, spells) == NOW + 30
    assert failback.next_return([[unit()]], spells) == inf


@pytest.mark.parametrize(
    ("failback_s", "streak", "reason", "words"),
    [
        (inf, 0, Reason.FAILBACK_NEVER, "n1 is preferred and gets it when it has to move"),
        (60, 0, Reason.FAILBACK_DELAYED, "takes it back once it has been well for 60 s"),
        (0, 3, Reason.FLAPPING, "n1 is preferred: the node was lost again within ten minutes"),
        (60, 1, Reason.FAILBACK_DELAYED, "takes it back once it has been well for 60 s"),
        (60, 3, Reason.FAILBACK_DELAYED, "takes it back once it has been well for 60 s"),
        (15, 3, Reason.FAILBACK_DELAYED, "takes it back once it has been well for 15 s"),
    ],
)
def test_the_delay_is_explained(
    failback_s: float, streak: int, reason: Reason, words: str
) -> None:
    spells = with_spells({AGENT: Spell(NOW, lost_at=NOW, streak=streak)})
    found, why = failback.explain_delay(unit(failback_s), "n1", spells)
    assert found is reason
    assert words in why
