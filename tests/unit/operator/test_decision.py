"""One pass: what it keeps of the last one, and what it says of single objects."""

from dataclasses import replace

from duravip_api.nodeplumbing import Nic
from duravip_api.reasons import Reason, State
from duravip_operator.core.decision import Decision, continue_handover, decide
from duravip_operator.core.releases import ConfirmedReleases, update_records
from duravip_operator.core.snapshot import Liveness, Node, Snapshot, Suspicion
from unit.operator.clusters import cluster, granted, vip

A, B = vip(1).address, vip(2).address
LOST = Suspicion(unreachable_on=frozenset({"eth1"}), is_lasting=True)


def test_the_demand_is_kept_while_nobody_edits_anything() -> None:
    seen = granted(cluster((vip(1), vip(2))))
    last = decide(seen, {})
    dead = replace(
        seen, liveness={**seen.liveness, "n1": Liveness.SUSPECT}, suspicions={"n1": LOST}
    )
    assert decide(dead, {}, last).demand is last.demand
    written = replace(seen, vips=(replace(vip(1), status={"state": "Owned"}), vip(2)))
    assert decide(written, {}, last).demand is last.demand, "statuses do not count"
    assert decide(replace(seen, vips=(vip(1),)), {}, last).demand is not last.demand


def test_what_a_node_claims_or_another_host_has_is_asked_for_anew() -> None:
    seen = cluster((vip(1), vip(2)))
    last = decide(seen, {})
    nic = Nic(name="eth1", index=2, up=True, carrier=True, addresses=[f"{A}/16"])
    n1 = replace(seen.plumbings["n1"], nics={"eth1": nic})
    claimed = decide(replace(seen, plumbings={**seen.plumbings, "n1": n1}), {}, last)
    assert claimed.status_of(vip(1)).reason is Reason.NODE_ADDRESS
    reserved = decide(replace(seen, api_hosts=frozenset({A})), {}, last)
    assert reserved.status_of(vip(1)).reason is Reason.API_SERVER
    assert reserved.demand.blocks is last.demand.blocks


def test_only_the_groups_are_made_again_when_a_label_changes() -> None:
    seen = cluster((replace(vip(1), selector=(("zone", "a"),)),))
    last = decide(seen, {})
    assert last.assignments[A].owner == ""
    labelled = {**seen.nodes, "n3": Node("n3", {"zone": "a"})}
    made = decide(replace(seen, nodes=labelled), {}, last)
    assert made.assignments[A].owner == "n3"
    assert made.demand.units is last.demand.units


def test_a_hand_over_goes_on_with_the_same_assignments_once_it_may() -> None:
    moving = granted(cluster((vip(1, "n1"),)))
    moving = replace(moving, vips=(vip(1, "n2"),))
    first = decide(moving, update_records({}, moving))
    assert first.plans["n1"].addresses == frozenset()
    assert first.waiting == {A}
    idle = replace(moving.plumbings["n1"], grants={}, served=frozenset())
    released = replace(moving, plumbings={**moving.plumbings, "n1": idle})
    records = update_records({}, released)
    given = ConfirmedReleases(released=frozenset({A}))
    records = {**records, "n1": replace(records["n1"], confirmed=given)}
    after = continue_handover(first, released, records)
    assert after.assignments is first.assignments
    assert after.plans["n2"].addresses == {A}
    assert (after.plans["n2"].contested, after.waiting) == (frozenset(), frozenset())


def test_an_object_of_no_unit_gets_the_reason_for_that() -> None:
    bad = replace(vip(3), rejection=(Reason.INVALID, "why"))
    bare = replace(vip(4), address="")
    made = decide(cluster((vip(1), bad, bare)), {})
    assert (made.status_of(bad).state, made.status_of(bad).message) == (State.BROKEN, "why")
    assert made.status_of(bare).reason is Reason.NO_ADDRESS
    assert made.addresses_in() == {"lan": 1}


def test_nobody_learns_what_objects_of_another_namespace_are_called() -> None:
    shared = replace(cluster(()).topologies[0], namespaces=frozenset({"default", "web"}))
    ours = vip(1, "n1")
    theirs = replace(vip(1, "n2"), namespace="web", name="secret", uid="other")
    made = decide(replace(cluster((ours, theirs)), topologies=(shared,)), {})
    said = {text for _, _, text in made.status_of(ours).advisories}
    assert "DuraVIP default/v1 prefers n1; DuraVIP of another namespace prefers n2" in said
    assert not any("secret" in text for text in said)


def test_a_topology_that_lost_its_block_is_said_to_have() -> None:
    lan = cluster(()).topologies[0]
    younger = replace(lan, name="zzz", uid="z", created="2027", status={"nodes": 1})
    made = decide(replace(cluster((vip(1),)), topologies=(younger, lan)), {})
    by_name = {topology.name: topology for topology in made.topologies}
    assert by_name["lan"].rejection is None
    assert by_name["zzz"].rejection is not None
    assert by_name["zzz"].status == {"nodes": 1}


GUARDED = replace(vip(1), is_guarded=True, services=frozenset({("TCP/25", "smtp")}))


def _guarded(snapshot: Snapshot) -> dict[str, tuple[str, ...]]:
    plans = decide(snapshot, {}).plans
    return {name: plan.guarded for name, plan in plans.items() if plan.guarded}


def test_a_guard_is_granted_with_its_address_and_only_there() -> None:
    snapshot = cluster((GUARDED, vip(2)))
    (owner,) = (n for n, p in decide(snapshot, {}).plans.items() if GUARDED.address in p.addresses)
    assert _guarded(snapshot) == {owner: (f"{GUARDED.address} TCP/25",)}
    assert _guarded(cluster((vip(1), vip(2)))) == {}


def test_one_object_guards_the_address_and_the_ports_of_all_are_open() -> None:
    other = replace(vip(1), uid="x", name="x", services=frozenset({("TCP/80", "http")}))
    (guards,) = _guarded(cluster((GUARDED, other))).values()
    assert guards == (f"{GUARDED.address} TCP/25,TCP/80",)


def test_a_change_of_ports_is_a_spec_to_write_and_a_settled_one_is_none() -> None:
    snapshot = granted(cluster((GUARDED,)))
    plans = decide(snapshot, {}).plans
    assert [n for n, p in snapshot.plumbings.items() if not plans[n].is_in(p)]
    plumbings = {n: replace(p, guarded=plans[n].guarded) for n, p in snapshot.plumbings.items()}
    settled = replace(snapshot, plumbings=plumbings)
    assert all(p.is_in(plumbings[n]) for n, p in decide(settled, {}).plans.items())
    closed = replace(settled, vips=(replace(GUARDED, services=frozenset()),))
    assert list(_guarded(closed).values()) == [(GUARDED.address,)]


def test_guards_are_taken_over_until_their_addresses_or_ports_change() -> None:
    snapshot = cluster((GUARDED, vip(2)))
    last = decide(snapshot, {})
    again = decide(granted(snapshot), {}, last)
    assert _plans_guarded(again) == _plans_guarded(last)
    opened = replace(GUARDED, services=frozenset({("TCP/26", "smtp")}))
    edited = replace(granted(snapshot), vips=(opened, vip(2)))
    after = decide(edited, {}, again)
    assert list(_plans_guarded(after).values()) == [(f"{GUARDED.address} TCP/26",)]
    (owner,) = _plans_guarded(after)
    lost = replace(
        edited, liveness={**edited.liveness, owner: Liveness.SUSPECT}, suspicions={owner: LOST}
    )
    moved = continue_handover(decide(lost, {}, after), lost, {})
    assert owner not in _plans_guarded(moved)
    unguarded = decide(replace(edited, vips=(vip(1), vip(2))), {}, after)
    assert not any(_plans_guarded(unguarded).values())


def _plans_guarded(made: Decision) -> dict[str, tuple[str, ...]]:
    return {name: plan.guarded for name, plan in made.plans.items() if plan.guarded}
