"""Which nodes one snapshot shows as well."""

from dataclasses import replace

import pytest

from duravip_api import EXCLUDE_LABEL
from duravip_api.reasons import Reason
from duravip_operator.core.snapshot import (
    Liveness,
    Node,
    Plumbing,
    ReadinessKey,
    Snapshot,
    Suspicion,
)
from duravip_operator.core.stability import AGENT, Aspect, Sighting
from duravip_operator.core.well_nodes import sightings
from unit.operator.clusters import NICS, cluster

CALM = cluster((), ("n1", "n2"))


def with_n1(plumbing: Plumbing | None = None, **changes: object) -> Snapshot:
    changed = plumbing or CALM.plumbings["n1"]
    return replace(CALM, plumbings={**CALM.plumbings, "n1": replace(changed, **changes)})


def test_nodes_that_are_heard_and_have_the_interface_up_are_well() -> None:
    both = Sighting(frozenset({"n1", "n2"}))
    assert sightings(CALM) == {AGENT: both, Aspect("interface", "eth1"): both}


def test_fit_nodes_are_well_in_what_they_are_fit_for() -> None:
    key = ReadinessKey("endpointsOf", "default/web")
    found = sightings(replace(CALM, fit_nodes={key: frozenset({"n2"})}))
    assert found[Aspect("readiness", key)] == Sighting(frozenset({"n2"}))


@pytest.mark.parametrize(
    "changed",
    [{"up": False}, {"carrier": False}],
)
def test_an_interface_that_is_down_is_not_well(changed: dict[str, bool]) -> None:
    down = with_n1(nics={"eth1": NICS["eth1"].model_copy(update=changed)})
    found = sightings(down)
    assert found[Aspect("interface", "eth1")].well == {"n2"}
    assert found[AGENT].well == {"n1", "n2"}


@pytest.mark.parametrize("state", [Liveness.UNKNOWN, Liveness.WARMING_UP, Liveness.SUSPECT])
def test_an_agent_that_is_not_heard_for_long_enough_is_not_well(state: Liveness) -> None:
    found = sightings(replace(CALM, liveness={**CALM.liveness, "n1": state}))[AGENT]
    assert found == Sighting(frozenset({"n2"}))


def test_an_agent_that_can_serve_nothing_is_not_well() -> None:
    assert sightings(with_n1(unfit=Reason.MUTED))[AGENT] == Sighting(frozenset({"n2"}))


@pytest.mark.parametrize(("is_lasting", "unsure"), [(False, {"n1"}), (True, set())])
def test_of_a_hiccup_nothing_is_known(is_lasting: bool, unsure: set[str]) -> None:
    silent = replace(
        CALM,
        liveness={**CALM.liveness, "n1": Liveness.SUSPECT},
        suspicions={"n1": Suspicion(is_lasting=is_lasting)},
    )
    assert sightings(silent)[AGENT] == Sighting(frozenset({"n2"}), unsure=frozenset(unsure))


@pytest.mark.parametrize("word", ["leaving", "stopped"])
def test_an_agent_that_was_stopped_is_excused(word: str) -> None:
    found = sightings(with_n1(**{word: True}))[AGENT]
    assert found == Sighting(frozenset({"n2"}), excused=frozenset({"n1"}))


@pytest.mark.parametrize(
    "nodes",
    [{"n2": Node("n2")}, {"n1": Node("n1", {EXCLUDE_LABEL: ""}), "n2": Node("n2")}],
)
def test_a_node_that_was_drained_or_deleted_is_excused(nodes: dict[str, Node]) -> None:
    found = sightings(replace(CALM, nodes=nodes))[AGENT]
    assert found == Sighting(frozenset({"n2"}), excused=frozenset({"n1"}))
