"""Who gets an address, rule by rule."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from duravip_api.addresses import to_int
from duravip_api.reasons import MoveReason, Reason
from duravip_operator.core.election import (
    NO_ASSIGNMENTS,
    Assignment,
    Assignments,
    LoadTable,
    cause_of_loss,
    current_holders,
    elect,
)
from duravip_operator.core.eligibility import Eligibility, Eligible
from duravip_operator.core.followers import build_groups, link_followers
from duravip_operator.core.snapshot import (
    Liveness,
    MoveRequest,
    Placement,
    Plumbing,
    Snapshot,
    Suspicion,
    VipObject,
)
from duravip_operator.core.topologies import build_blocks
from duravip_operator.core.units import build_units
from unit.operator.clusters import cluster, vip

ETH1 = Placement("eth1", 32, fencing="Segment")
A, B = vip(1).address, vip(2).address
NONE: frozenset[str] = frozenset()


def elected(
    snapshot: Snapshot, holders: dict[str, str] | None = None, last: Assignments = NO_ASSIGNMENTS
) -> dict[str, Assignment]:
    eligibility = Eligibility(snapshot)
    units = build_units(snapshot, build_blocks(snapshot.topologies, snapshot.fencing))
    groups = build_groups(link_followers(units).units, eligibility.selection)
    return elect(groups, holders or current_holders(snapshot), eligibility, last)


def holding(snapshot: Snapshot, **addresses: Iterable[str]) -> Snapshot:
    granted = {
        name: replace(snapshot.plumbings[name], grants={ETH1: frozenset(held)})
        for name, held in addresses.items()
    }
    return replace(snapshot, plumbings={**snapshot.plumbings, **granted})


def silent(snapshot: Snapshot, node: str, suspicion: Suspicion) -> Snapshot:
    return replace(
        snapshot,
        liveness={**snapshot.liveness, node: Liveness.SUSPECT},
        suspicions={node: suspicion},
    )


def asking(node: str, *, releases: bool = False, preference: str = "") -> VipObject:
    return replace(vip(1, preference), requests=(MoveRequest(1.0, node, releases),))


@pytest.mark.parametrize(
    ("wanted", "owner"),
    [
        (vip(1), "n2"),
        (vip(1, "n3"), "n3"),
        (vip(1, "n9"), "n2"),
        (asking("n4"), "n4"),
        (asking("n9"), "n2"),
        (asking("n2", releases=True), "n1"),
        (asking("n1", releases=True), "n2"),
    ],
    ids=["stays", "preferred", "no such node", "asked for", "asked in vain", "released", "other"],
)
def test_a_request_and_a_preference_move_what_would_else_stay(
    wanted: VipObject, owner: str
) -> None:
    assert elected(holding(cluster((wanted,)), n2=[A]))[A].owner == owner


def test_a_move_has_its_cause() -> None:
    assert elected(holding(cluster((vip(1, "n3"),)), n2=[A]))[A].cause is MoveReason.PREFERENCE
    assert elected(holding(cluster((asking("n4"),)), n2=[A]))[A].cause is MoveReason.REQUESTED
    lost = Suspicion(unreachable_on=frozenset({"eth1"}), is_lasting=True)
    found = elected(silent(holding(cluster((vip(1),)), n2=[A]), "n2", lost))[A]
    assert (found.owner != "n2", found.cause) == (True, MoveReason.NODE_LOST)


def test_of_a_lost_node_only_its_own_addresses_move() -> None:
    vips = tuple(vip(number) for number in range(1, 9))
    snapshot = cluster(vips)
    before = {address: one.owner for address, one in elected(snapshot).items()}
    held = {n: [a for a, owner in before.items() if owner == n] for n in snapshot.nodes}
    assert {len(addresses) for addresses in held.values()} == {2}
    lost = Suspicion(unreachable_on=frozenset({"eth1"}), is_lasting=True)
    after = elected(silent(holding(snapshot, **held), "n2", lost))
    moved = {a for a, one in after.items() if one.owner != before[a]}
    assert moved == set(held["n2"])


def test_followers_go_where_their_leader_goes() -> None:
    follower = replace(vip(2), enabled=False, follow=A)
    found = elected(holding(cluster((vip(1, "n3"), follower)), n1=[A, B]))
    assert (found[A].owner, found[B].owner) == ("n3", "n3")
    assert found[B].cause is MoveReason.FOLLOW


def test_what_the_last_decision_chose_stays_chosen_while_it_is_let_go() -> None:
    snapshot = cluster((vip(1),))
    chosen = {A: elected(snapshot)[A]._replace(owner="n4")}
    assert elected(snapshot)[A].owner != "n4"
    assert elected(snapshot, last=chosen)[A].owner == "n4"
    lost = Suspicion(unreachable_on=frozenset({"eth1"}), is_lasting=True)
    assert elected(silent(snapshot, "n4", lost), last=chosen)[A].owner != "n4"


def test_nothing_goes_to_a_full_node_and_what_fits_nowhere_stays_or_has_no_owner() -> None:
    vips = tuple(vip(number) for number in range(1, 4))
    full = replace(cluster(vips, ("n1",)), max_aliases=2)
    owners = {a: (one.owner, one.reason) for a, one in elected(full).items()}
    assert sorted(owners.values()) == [
        ("", Reason.CAPACITY_EXCEEDED), ("n1", Reason.ELECTED), ("n1", Reason.ELECTED)
    ]  # fmt: skip
    held = holding(full, n1=[one.address for one in vips])
    assert {one.owner for one in elected(held).values()} == {"n1"}


def test_where_the_only_node_is_lost_the_grant_stays_there() -> None:
    snapshot = holding(cluster((vip(1),), ("n1",)), n1=[A])
    lost = Suspicion(unreachable_on=frozenset({"eth1"}), is_lasting=True)
    found = elected(silent(snapshot, "n1", lost))[A]
    assert (found.owner, found.reason) == ("n1", Reason.OWNER_LOST)
    nobody = elected(silent(cluster((vip(1),), ("n1",)), "n1", lost))[A]
    assert (nobody.owner, nobody.reason) == ("", Reason.NO_PARTICIPANT)


def test_of_two_holders_the_one_that_serves_it_has_it() -> None:
    granted = {ETH1: frozenset({A})}
    both = {n: Plumbing(n, grants=granted) for n in ("n1", "n2")}
    assert current_holders(Snapshot(plumbings=both)) == {A: "n1"}
    both["n2"] = replace(both["n2"], served=frozenset({A}))
    assert current_holders(Snapshot(plumbings=both)) == {A: "n2"}


def test_ties_are_broken_from_a_position_that_the_address_gives() -> None:
    loads, nodes = LoadTable(100), frozenset({"n1", "n2", "n3"})
    first = "10.1.1.1"
    start = (to_int(first)[1] - 1) % 3
    wanted = sorted(nodes)[start:] + sorted(nodes)[:start]
    chosen = []
    for _ in range(3):
        chosen.append(loads.least_loaded(nodes, first))
        loads.add(chosen[-1], 1)
    assert chosen == wanted
    assert loads.least_loaded(frozenset(), first) == ""
    assert loads.has_room("n1", 99)
    assert not loads.has_room("n1", 100)


def test_a_node_that_gets_it_back_had_lost_it_for_the_reason_that_bars_it() -> None:
    both = frozenset({"n1", "n2"})
    eligible = Eligible(both, both, both, NONE, NONE, {"n1": Reason.INTERFACE_DOWN})
    back = Assignment("n1", eligible, MoveReason.ELECTED)
    assert cause_of_loss(back, "n1") is MoveReason.LINK_DOWN
    assert cause_of_loss(back._replace(owner="n2"), "n2") is MoveReason.ELECTED
    assert cause_of_loss(back._replace(cause=MoveReason.DRAIN), "n2") is MoveReason.DRAIN
