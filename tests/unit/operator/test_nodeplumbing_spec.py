"""Which NodePlumbings are made and dropped, and what stands in them."""

from dataclasses import replace

import pytest

from duravip_operator.core import handover, nodeplumbing_spec
from duravip_operator.core.handover import Plan
from duravip_operator.core.releases import ReleaseRecord, ReleaseRecords
from duravip_operator.core.snapshot import Node, Placement, Plumbing, Snapshot, Suspicion

ETH1, ETH2 = Placement("eth1", 32), Placement("eth2", 32)
A, B = "10.1.1.1", "10.1.1.2"
ONE, OTHER, BOTH = frozenset({A}), frozenset({B}), frozenset({A, B})
NONE: frozenset[str] = frozenset()


def world(*plumbings: Plumbing, nodes: tuple[str, ...] = ()) -> Snapshot:
    return Snapshot(
        nodes={name: Node(name) for name in nodes},
        plumbings={plumbing.node: plumbing for plumbing in plumbings},
    )


def test_every_node_has_an_object() -> None:
    snapshot = world(Plumbing("n1"), nodes=("n1", "n2"))
    assert nodeplumbing_spec.to_create(snapshot, {}, {}) == {"n2": Plan()}


def test_so_has_whoever_may_hold_something() -> None:
    records = {
        "n1": ReleaseRecord("", 1, ONE),
        "n2": ReleaseRecord("", 1),
        "n3": ReleaseRecord("", 1, None),
    }
    assert nodeplumbing_spec.to_create(world(Plumbing("n3")), {}, records) == {"n1": Plan()}


def test_an_object_that_was_deleted_by_hand_is_made_again_with_what_it_granted() -> None:
    lost = Plan({ETH1: BOTH}, ONE)
    assert nodeplumbing_spec.to_create(world(nodes=("n1",)), {"n1": lost}, {}) == {"n1": lost}
    assert nodeplumbing_spec.to_create(world(), {"n1": lost}, {}) == {"n1": lost}


def test_an_object_that_is_there_is_not_made_again_with_what_it_granted() -> None:
    assert nodeplumbing_spec.to_create(world(Plumbing("n1")), {"n1": Plan({ETH1: ONE})}, {}) == {}


def test_what_another_object_grants_now_is_not_given_back() -> None:
    last = {"n1": Plan({ETH1: BOTH}, BOTH), "n2": Plan({ETH1: ONE})}
    snapshot = world(Plumbing("n2", grants={ETH1: ONE}))
    assert nodeplumbing_spec.to_create(snapshot, last, {}) == {"n1": Plan({ETH1: OTHER}, OTHER)}
    all_of_it = world(Plumbing("n2", grants={ETH1: BOTH}))
    assert nodeplumbing_spec.to_create(all_of_it, last, {}) == {}


def test_what_two_lost_objects_granted_is_given_back_to_neither() -> None:
    last = {"n1": Plan({ETH1: BOTH}), "n2": Plan({ETH1: ONE})}
    assert nodeplumbing_spec.to_create(world(), last, {}) == {"n1": Plan({ETH1: OTHER})}


IDLE = Plumbing("n1", uid="u", generation=2, observed_generation=2)


def is_spent(
    plumbing: Plumbing, suspicion: Suspicion | None = None, records: ReleaseRecords | None = None
) -> bool:
    snapshot = replace(world(plumbing), suspicions={"n1": suspicion} if suspicion else {})
    return nodeplumbing_spec.to_delete(snapshot, records or {}) == [plumbing]


def test_the_object_of_a_node_that_is_gone_is_dropped_when_its_agent_holds_nothing() -> None:
    assert is_spent(IDLE)
    assert is_spent(replace(IDLE, observed_generation=None))
    assert is_spent(IDLE, records={"n1": ReleaseRecord("u", 2)})
    assert not nodeplumbing_spec.to_delete(world(IDLE, nodes=("n1",)), {})


@pytest.mark.parametrize(
    ("plumbing", "records"),
    [
        (replace(IDLE, served=ONE), {}),
        (replace(IDLE, observed_generation=1), {}),
        (IDLE, {"n1": ReleaseRecord("u", 2, ONE)}),
        (replace(IDLE, observed_generation=None), {"n1": ReleaseRecord("u", 2, None)}),
        (replace(IDLE, grants={ETH1: ONE}), {}),
    ],
    ids=["it serves", "it has not acted", "doubted", "nothing is known", "granted"],
)
def test_it_stays_as_long_as_it_may_hold_something(
    plumbing: Plumbing, records: ReleaseRecords
) -> None:
    assert not is_spent(plumbing, records=records)


def test_it_is_dropped_when_its_agent_is_dead_or_has_said_goodbye() -> None:
    holding = replace(IDLE, served=ONE)
    assert is_spent(holding, Suspicion(is_self_fenced=True))
    assert not is_spent(holding, Suspicion())
    assert not is_spent(holding, Suspicion(is_self_fenced=True, reachable_on=frozenset({"eth1"})))
    assert is_spent(replace(holding, stopped=True))
    granted = replace(holding, stopped=True, grants={ETH1: ONE})
    assert not is_spent(granted, Suspicion(is_self_fenced=True))


def test_a_spec_tells_free_grants_from_contested_ones() -> None:
    where = Placement("eth1", 24, arp_all_hosts=False, arp_targets=("10.1.1.254",))
    plan = Plan({where: BOTH, ETH2: NONE}, ONE)
    assert nodeplumbing_spec.build(plan, 7, ("a:1",), ("TCP/25",), ("key",)) == {
        "epoch": 7,
        "pulse": ["a:1"],
        "pulseKeys": ["key"],
        "interfaces": [
            {
                "name": "eth1",
                "mask": 24,
                "arpAllHosts": False,
                "arpTargets": ["10.1.1.254"],
                "fencing": "Segment",
                "granted": (B,),
                "contested": (A,),
            }
        ],
        "grantedCount": 2,
        "ports": ["TCP/25"],
        "portsDecide": False,
        "checks": [],
    }


def test_a_spec_names_the_fencing_that_is_in_force() -> None:
    spec = nodeplumbing_spec.build(Plan({ETH1._replace(fencing="Strict"): ONE}), 1, ())
    assert [entry["fencing"] for entry in spec["interfaces"]] == ["Strict"]


def test_guards_stand_in_the_spec_and_outlive_the_object_and_the_leader() -> None:
    plan = Plan({ETH1: ONE}, guarded=(f"{A} TCP/25",))
    assert nodeplumbing_spec.build(plan, 1, ())["guarded"] == [f"{A} TCP/25"]
    assert "guarded" not in nodeplumbing_spec.build(Plan({ETH1: ONE}), 1, ())
    assert nodeplumbing_spec.to_create(world(nodes=("n1",)), {"n1": plan}, {}) == {"n1": plan}
    standing = Plumbing("n1", grants={ETH1: ONE}, guarded=plan.guarded)
    assert handover.restamped_plan(standing, is_restored=False) == plan
    assert handover.current_plan(standing) == plan
