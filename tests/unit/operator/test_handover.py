"""The operator's half of the hand-over rule, O1 to O6: what the next owner is granted, and how."""

from dataclasses import replace

import pytest

from duravip_operator.core import decision, handover, heartbeat_evidence, releases
from duravip_operator.core.handover import Plan
from duravip_operator.core.releases import ConfirmedReleases, ReleaseRecord, ReleaseRecords
from duravip_operator.core.snapshot import Liveness, Placement, Plumbing, Snapshot, Suspicion
from unit.operator.clusters import LAN, cluster, vip

ETH1, ETH2 = Placement("eth1", 32), Placement("eth2", 32)
VIP = vip(1, preference="n2")
ONE, OTHER = frozenset({VIP.address}), frozenset({"10.1.1.9"})
NONE: frozenset[str] = frozenset()
RELEASED: ReleaseRecords = {
    "n3": ReleaseRecord("", 1, confirmed=ConfirmedReleases("b", released=ONE))
}
"""A node of ours has had the address, and has let it go."""
LATE = {"generation": 2, "observed_generation": 1}
"""The agent has not acted on the spec as it stands."""


def world(node: str = "n1", **fields: object) -> Snapshot:
    """Three nodes that are granted nothing; the address is to come to `n2`."""
    snapshot = cluster((VIP,), ("n1", "n2", "n3"))
    plumbings = {n: replace(p, boot="b") for n, p in snapshot.plumbings.items()}
    plumbings[node] = replace(plumbings[node], **fields)  # type: ignore[arg-type]
    return replace(snapshot, plumbings=plumbings)


def silent(snapshot: Snapshot, suspicion: Suspicion) -> Snapshot:
    liveness = {**snapshot.liveness, "n1": Liveness.SUSPECT}
    return replace(snapshot, liveness=liveness, suspicions={"n1": suspicion})


def doubted(
    *addresses: str, node: str = "n1", uid: str = "", generation: int = 2
) -> ReleaseRecords:
    return {**RELEASED, node: ReleaseRecord(uid, generation, frozenset(addresses))}


def plans(snapshot: Snapshot, records: ReleaseRecords) -> dict[str, Plan]:
    return dict(decision.decide(snapshot, records).plans)


def granted(snapshot: Snapshot, records: ReleaseRecords = RELEASED) -> str:
    """How `n2` is granted the address; a node that may hold it has `n2` wait."""
    made = decision.decide(snapshot, records)
    plan = made.plans["n2"]
    _, waiting = handover.plan_grants(made.units, made.assignments, snapshot, records)
    assert (plan.addresses, waiting) in {(ONE, NONE), (NONE, ONE)}
    return "contested" if plan.contested else "free" if plan.addresses else "waits"


def test_what_nobody_may_hold_is_granted_freely_once_it_was_released() -> None:
    assert granted(world()) == "free"
    assert granted(world(), {}) == "contested"


def test_what_another_node_is_granted_is_only_taken_out_there() -> None:
    snapshot = world(grants={ETH1: ONE})
    assert granted(snapshot) == "waits"
    assert plans(snapshot, RELEASED)["n1"] == Plan()


def test_what_was_taken_out_and_not_acted_upon_may_be_held() -> None:
    assert granted(world(**LATE), doubted(VIP.address)) == "waits"
    assert granted(world(**LATE), doubted(*OTHER)) == "free"
    assert granted(world(**LATE), {**RELEASED, "n1": ReleaseRecord("", 2, None)}) == "waits"


def test_what_is_served_may_be_held_though_nothing_is_remembered() -> None:
    assert granted(world(served=ONE, **LATE), {}) == "waits"


def test_the_owner_is_in_nobodys_way() -> None:
    own = world("n2", served=ONE, **LATE)
    assert granted(own, {}) == "contested"
    assert granted(own, doubted(VIP.address, node="n2")) == "free"
    assert granted(replace(world(), pending_grants={"n2": ONE})) == "free"


def test_a_node_without_an_object_may_hold_what_is_doubted() -> None:
    assert granted(world(), doubted(VIP.address, node="n9")) == "waits"


def test_an_agent_that_has_said_goodbye_holds_nothing() -> None:
    gone = world(stopped=True, served=ONE, **LATE)
    assert granted(gone, doubted(VIP.address)) == "free"
    assert not handover.status_counts(gone, "n1")
    assert handover.status_counts(gone, "n2")
    assert not handover.status_counts(gone, "n9")


def test_what_a_beat_says_is_let_go_is_not_held() -> None:
    snapshot = replace(world(served=ONE, **LATE), release_confirmed=frozenset({"n1"}))
    assert granted(snapshot) == "free"


def test_what_another_node_may_be_granted_by_a_write_under_way_waits() -> None:
    assert granted(replace(world(), pending_grants={"n1": ONE})) == "waits"
    assert granted(replace(world(), pending_grants={"n1": OTHER})) == "free"


def test_a_witness_that_hears_nothing_lets_it_be_asked_for() -> None:
    late = silent(world(**LATE), Suspicion(unreachable_on=frozenset({"eth1"})))
    assert granted(late, doubted(VIP.address)) == "contested"
    assert granted(silent(world(**LATE), Suspicion()), doubted(VIP.address)) == "waits"


def test_what_a_node_reports_and_cannot_hold_stops_nobody_and_is_asked_for() -> None:
    assert granted(world(served=ONE), RELEASED) == "contested"
    assert granted(world(served=ONE), {}) == "contested"
    assert granted(world(served=ONE, **LATE), doubted(*OTHER)) == "contested"


def test_what_may_be_an_own_address_of_a_node_is_asked_for() -> None:
    assert granted(world(lists_all_own=False)) == "contested"
    assert granted(world("n2", lists_all_own=False)) == "free"


def test_what_is_contested_stays_so_and_nothing_else_does() -> None:
    snapshot = world("n2", grants={ETH1: ONE | OTHER}, contested=ONE | OTHER)
    assert plans(snapshot, {})["n2"].contested == ONE
    free = world("n2", grants={ETH1: ONE | OTHER}, contested=OTHER)
    assert plans(free, {})["n2"].contested == NONE


def test_a_strict_topology_makes_its_interface_strict() -> None:
    stray = replace(vip(2), address="172.16.0.1")  # of no Topology
    snapshot = replace(world(), vips=(VIP, stray))
    strict = replace(LAN, placement=LAN.placement._replace(fencing="Strict"))
    for topology, fencing in ((LAN, "Segment"), (strict, "Strict")):
        plan = plans(replace(snapshot, topologies=(topology,)), {})["n2"]
        assert [where.fencing for where in plan.grants] == [fencing]


def test_an_object_that_was_made_again_keeps_its_grants_until_its_agent_is_known() -> None:
    """The next leader could not tell it from that of a node which never had an agent."""
    new = world(boot="", observed_generation=None, grants={ETH1: ONE})
    assert plans(silent(new, Suspicion()), {})["n1"].addresses == ONE
    gone = Suspicion(unreachable_on=frozenset({"eth1"}))
    assert plans(silent(new, gone), {})["n1"] == Plan()
    assert plans(world(boot="b", observed_generation=None, grants={ETH1: ONE}), {})["n1"] == Plan()
    assert plans(world(boot="", observed_generation=1, grants={ETH1: ONE}), {})["n1"] == Plan()
    removed = {name: node for name, node in new.nodes.items() if name != "n1"}
    assert plans(replace(silent(new, Suspicion()), nodes=removed), {})["n1"] == Plan()


@pytest.mark.parametrize(
    ("fields", "known", "liveness", "record"),
    [
        ({}, ReleaseRecord("", 1, None), Liveness.ALIVE, NONE),
        (LATE, ReleaseRecord("", 2, ONE), Liveness.ALIVE, ONE),
        (LATE, ReleaseRecord("", 1, ONE), Liveness.ALIVE, None),
        (LATE, ReleaseRecord("u", 2, ONE), Liveness.ALIVE, None),
        ({"observed_generation": None}, None, Liveness.SUSPECT, None),
        ({"observed_generation": None, "boot": ""}, None, Liveness.SUSPECT, NONE),
        ({"observed_generation": None, "boot": ""}, None, Liveness.WARMING_UP, None),
        ({"observed_generation": None, "boot": ""}, ReleaseRecord("", 2), Liveness.SUSPECT, None),
    ],
    ids=[
        "it has acted",
        "remembered of this spec",
        "of another spec",
        "of another object",
        "never seen",
        "no agent has ever read it",
        "one is heard that may have",
        "another spec of it was known",
    ],
)
def test_what_is_not_known_of_the_spec_as_it_stands_is_doubted(
    fields: dict[str, object],
    known: ReleaseRecord | None,
    liveness: Liveness,
    record: frozenset[str] | None,
) -> None:
    snapshot = world(**fields)
    snapshot = replace(snapshot, liveness={**snapshot.liveness, "n1": liveness})
    records = {"n1": known} if known else {}
    assert releases.update_records(records, snapshot)["n1"].unconfirmed == record


def test_doubts_outlive_the_object_as_long_as_the_node_is_there_or_is_heard() -> None:
    records = {"n8": ReleaseRecord("", 1, ONE), "n9": ReleaseRecord("", 1, ONE)}
    snapshot = world()
    there = replace(snapshot, nodes={**snapshot.nodes, "n8": snapshot.nodes["n1"]})
    assert releases.update_records(records, there).keys() == {"n1", "n2", "n3", "n8"}
    heard = replace(snapshot, liveness={**snapshot.liveness, "n9": Liveness.ALIVE})
    assert releases.update_records(records, heard).keys() == {"n1", "n2", "n3", "n9"}


def test_an_estranged_node_without_an_object_is_doubted_whatever_object_it_gets() -> None:
    records = releases.update_records({}, replace(world(), ahead_of_store=frozenset({"n9"})))
    assert records["n9"] == ReleaseRecord("", 0, None)


@pytest.mark.parametrize(
    ("epoch", "boot", "liveness", "is_strange"),
    [
        (7, "b", Liveness.ALIVE, False),
        (3, "b", Liveness.ALIVE, True),
        (3, "b", Liveness.SUSPECT, True),
        (3, "", Liveness.WARMING_UP, True),
        (3, "", Liveness.SUSPECT, False),
        (None, "", Liveness.ALIVE, True),
        (None, "", Liveness.SUSPECT, False),
    ],
)
def test_in_a_restored_store_whoever_may_know_more_is_estranged(
    epoch: int | None, boot: str, liveness: Liveness, *, is_strange: bool
) -> None:
    plumbing = Plumbing("n1", epoch=epoch or 0, boot=boot)
    known = {} if epoch is None else {"n1": plumbing}
    snapshot = Snapshot(plumbings=known, liveness={"n1": liveness})
    heard = {"n1": heartbeat_evidence.HeartbeatState("", 0, "")}
    assert heartbeat_evidence.nodes_ahead_of_store(snapshot, heard, 7) == (
        {"n1"} if is_strange else set()
    )


BEFORE = Plumbing("n1", "u", boot="b", generation=1, observed_generation=1, grants={ETH1: ONE})
AFTER = replace(BEFORE, generation=2, grants={})


def written(
    known: ReleaseRecord | None, before: Plumbing = BEFORE, after: Plumbing = AFTER
) -> ReleaseRecord:
    return releases.after_write({"n1": known} if known else {}, before, after)["n1"]


def test_what_a_write_takes_out_is_doubted_until_it_was_acted_upon() -> None:
    assert written(ReleaseRecord("u", 1)) == ReleaseRecord("u", 2, ONE, ConfirmedReleases("b"))
    assert written(ReleaseRecord("u", 1), after=BEFORE).is_empty
    late = replace(BEFORE, observed_generation=0)
    assert written(ReleaseRecord("u", 1, OTHER), late).unconfirmed == ONE | OTHER
    assert written(ReleaseRecord("u", 1, OTHER)).unconfirmed == ONE
    assert written(None, replace(late, boot="")).unconfirmed is None


def test_a_write_settles_nothing_that_was_in_doubt_altogether() -> None:
    assert written(ReleaseRecord("u", 1, None)).unconfirmed is None
    assert written(ReleaseRecord("u", 0, None)).unconfirmed == ONE


def test_what_was_served_before_a_write_took_it_out_is_released() -> None:
    known = ReleaseRecord("u", 1, confirmed=ConfirmedReleases("b", served=ONE))
    assert written(known).confirmed.released == ONE


def test_a_plan_is_carried_out_when_the_spec_grants_the_same_in_the_same_way() -> None:
    plan = Plan({ETH1: ONE}, ONE)
    stands = Plumbing("n1", grants={ETH1: ONE, ETH2: NONE}, contested=ONE)
    assert plan.is_in(stands)
    assert plan.is_in(replace(stands, granted_count=1))
    assert not plan.is_in(replace(stands, granted_count=2))
    assert not plan.is_in(replace(stands, contested=NONE))
    assert not plan.is_in(replace(stands, grants={ETH1: OTHER}))


def test_an_owner_whose_nodeplumbing_was_deleted_since_is_granted_nothing() -> None:
    made = decision.decide(world(), RELEASED)
    left = {n: p for n, p in world().plumbings.items() if n != "n2"}
    plan = decision.continue_handover(made, replace(world(), plumbings=left), RELEASED)
    assert (plan.plans.keys(), plan.waiting) == (left.keys(), NONE)
