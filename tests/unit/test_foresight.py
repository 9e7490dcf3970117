"""What is decided ahead of time stands only if exactly that has come true."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from duravip_operator.caches import Caches
from duravip_operator.core import decision, handover
from duravip_operator.core.snapshot import Hearing, Silence, Snapshot
from duravip_operator.foresight import Foresight
from duravip_operator.outlook import Outlook
from duravip_operator.pulse import View
from duravip_operator.settings import Settings
from unit.random_clusters import cluster, entities, entity, settled

REST = settled(cluster(entities(range(0, 4000, 97))))
LAST = decision.decided(REST, {})
SILENCE = Silence(since=9.85)
ETH1 = frozenset({"eth1"})
GONE = replace(SILENCE, gone=ETH1)
CRASHED = replace(REST, hearing={**REST.hearing, "n1": Hearing.SILENT}, silences={"n1": GONE})
KNOWN = handover.remembered({}, CRASHED)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Snapshot]:
    """What decisions are made from after the crash was foreseen."""
    made: list[Snapshot] = []

    def noted(snapshot: Snapshot, *others: Any) -> decision.Decision:
        made.append(snapshot)
        return decided(snapshot, *others)

    decided = decision.decided
    monkeypatch.setattr(decision, "decided", noted)
    return made


@pytest.fixture
def foresight(made: list[Snapshot]) -> Foresight:
    foresight = Foresight()
    foresight.foresee(CRASHED, {}, LAST)
    made.clear()
    return foresight


def test_what_has_come_true_is_not_decided_again(
    foresight: Foresight, made: list[Snapshot]
) -> None:
    same = replace(CRASHED, plumbings=dict(CRASHED.plumbings))
    found = foresight.decided(same, dict(KNOWN), LAST)
    assert not made
    assert found.plans == decision.decided(CRASHED, KNOWN, LAST).plans
    assert found.plans["n1"].addresses < REST.plumbings["n1"].granted


def test_so_it_is_when_the_node_is_gone_from_where_nothing_is_granted_as_well(
    foresight: Foresight, made: list[Snapshot]
) -> None:
    silence = replace(GONE, gone=ETH1 | {"eth0"})
    foresight.decided(replace(CRASHED, silences={"n1": silence}), KNOWN, LAST)
    assert not made


def _with_another_entity(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, entities=(*snapshot.entities, entity(5000, 99)))


def _with_another_status(snapshot: Snapshot) -> Snapshot:
    first, *others = snapshot.entities
    told = replace(first, status={"state": "Owned"})
    assert told == first
    return replace(snapshot, entities=(told, *others))


def _still_answering(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, silences={"n1": replace(SILENCE, answering=ETH1)})


def _with_another_crash(snapshot: Snapshot) -> Snapshot:
    hearing = {**snapshot.hearing, "n2": Hearing.SILENT}
    return replace(snapshot, hearing=hearing, silences={"n1": GONE, "n2": GONE})


@pytest.mark.parametrize(
    "otherwise",
    [_with_another_entity, _with_another_status, _still_answering, _with_another_crash],
)
def test_whatever_is_otherwise_is_decided_anew(
    foresight: Foresight, made: list[Snapshot], otherwise: Callable[[Snapshot], Snapshot]
) -> None:
    snapshot = otherwise(CRASHED)
    foresight.decided(snapshot, KNOWN, LAST)
    assert made == [snapshot]


def test_so_it_is_from_other_doubts(foresight: Foresight, made: list[Snapshot]) -> None:
    foresight.decided(CRASHED, {**KNOWN, "n2": handover.Doubts("n2", 1, None)}, LAST)
    assert made


def test_and_after_another_decision(foresight: Foresight, made: list[Snapshot]) -> None:
    foresight.decided(CRASHED, KNOWN, replace(LAST))
    assert made


def test_what_was_foreseen_counts_once(foresight: Foresight, made: list[Snapshot]) -> None:
    foresight.decided(CRASHED, KNOWN, LAST)
    foresight.decided(CRASHED, KNOWN, LAST)
    assert len(made) == 1


def test_where_many_fall_silent_only_the_first_is_decided_ahead(made: list[Snapshot]) -> None:
    now = 100.0
    foresight = Foresight(lambda: now)
    for silent in (1, 2, 3):
        names = [f"n{n}" for n in range(1, silent + 1)]
        both = replace(CRASHED, silences=dict.fromkeys(names, GONE))
        foresight.foresee(both, {}, LAST)
        now += 0.1
    assert [len(snapshot.silences) for snapshot in made] == [1]
    now += 1
    foresight.foresee(CRASHED, {}, LAST)
    assert len(made) == 2


def test_a_node_is_feared_to_be_gone_from_wherever_it_is_granted_anything() -> None:
    caches = Caches(lambda: None, lambda _: None, defer=lambda *_: None)
    for kind, things in ((caches.plumbings, REST.plumbings), (caches.nodes, REST.nodes)):
        kind.update(things)  # type: ignore[attr-defined]
    caches.topologies.update({one.name: one for one in REST.topologies})
    caches.entities.update({one.uid: one for one in REST.entities})
    view = View(REST.hearing, {}, REST.witnessed)
    ears = SimpleNamespace(view=lambda: view, beats=dict)
    vigil = SimpleNamespace(
        given_up={}, given_up_until={}, distrusted=frozenset(), served_twice={}
    )
    outlook = Outlook(Settings.model_construct(), caches, ears, vigil, lambda: 0.0)
    assert outlook.feared({"n1": SILENCE, "unknown": SILENCE}) == CRASHED
