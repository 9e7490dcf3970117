"""Which fencing is in force on a node, and when what is silent there is gone."""

from dataclasses import replace

import pytest

from duravip_operator.core.handover import _effective_fencing
from duravip_operator.core.snapshot import Fencing, Placement, Plumbing, Snapshot

ETH1 = Placement("eth1", 32)
LOOSE, STRICT = ETH1._replace(fencing="Segment"), ETH1._replace(fencing="Strict")
OTHER = Placement("eth2", 32, fencing="Segment")
A, B = frozenset({"10.1.1.1"}), frozenset({"10.1.1.2"})
IDLE = Plumbing("n1", generation=3, observed_generation=3)
WITNESSED = Snapshot(witnessed={"n1": frozenset({"eth1"})})
NONE: frozenset[str] = frozenset()


def fencing(plumbing: Plumbing, snapshot: Snapshot, strict: frozenset[str] = NONE) -> Fencing:
    return _effective_fencing(ETH1, plumbing, snapshot, strict).fencing


def test_an_interface_is_strict_if_its_topology_is_or_nobody_hears_it_there() -> None:
    assert fencing(IDLE, WITNESSED) == "Segment"
    assert fencing(IDLE, WITNESSED, frozenset({"eth1"})) == "Strict"
    assert fencing(IDLE, WITNESSED, frozenset({"eth2"})) == "Segment"
    assert fencing(IDLE, Snapshot()) == "Strict"
    assert fencing(IDLE, Snapshot(witnessed={"n1": frozenset({"eth2"})})) == "Strict"


@pytest.mark.parametrize(("stands", "wanted"), [(LOOSE, "Segment"), (STRICT, "Strict")])
def test_it_changes_only_once_the_agent_has_acted_on_the_spec_as_it_stands(
    stands: Placement, wanted: Fencing
) -> None:
    late = replace(IDLE, observed_generation=2, grants={stands: A})
    other = WITNESSED if wanted == "Strict" else Snapshot()
    assert fencing(late, other) == wanted
    assert fencing(replace(late, observed_generation=3), other) != wanted
    both = replace(late, grants={LOOSE: A, STRICT: B})
    assert fencing(both, Snapshot()) == "Segment"


def test_where_nothing_is_granted_yet_there_is_nothing_to_wait_for() -> None:
    late = replace(IDLE, observed_generation=2, grants={OTHER: A})
    assert fencing(late, WITNESSED) == "Segment"
    assert fencing(late, Snapshot()) == "Strict"
