"""When an address leaves a node that is not fit; the scenarios show the rest."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from duravip_api.reasons import MoveReason, Reason
from duravip_operator.core import decision, readiness
from duravip_operator.core.election import Assignment
from duravip_operator.core.eligibility import Eligibility
from duravip_operator.core.eligible import Eligible
from duravip_operator.core.endpoints import ServiceEndpoints
from duravip_operator.core.readiness import ReadinessRecords, ServiceTable
from duravip_operator.core.snapshot import Liveness, ReadinessKey, Snapshot, Suspicion
from duravip_operator.core.units import Unit
from unit.operator.clusters import cluster, granted, vip

WEB = ReadinessKey("endpointsOf", "default/web")
NODES = ("n1", "n2", "n3")


def services(*ready: str, serving: tuple[str, ...] = ()) -> ServiceTable:
    return ServiceTable({"default/web": ServiceEndpoints(frozenset(ready), frozenset(serving))})


def world(*ready: str, preference: str = "") -> Snapshot:
    """An address that n1 serves, and the nodes that are fit for it now."""
    one = replace(vip(1, preference), readiness=frozenset({WEB}))
    settled = granted(readiness.with_fitness(cluster((one,), NODES), services("n1")))
    return readiness.with_fitness(settled, services(*ready))


def chosen(snapshot: Snapshot) -> Assignment:
    (only,) = decision.decide(snapshot, {}).assignments.values()
    return only


def moved(records: ReadinessRecords, now: float) -> ReadinessRecords:
    return readiness.record_moves(records, {"10.1.1.1": MoveReason.READINESS}, now)


def fit(*nodes: str) -> Mapping[ReadinessKey, frozenset[str]]:
    return {WEB: frozenset(nodes)}


def test_it_leaves_an_unfit_node_and_says_why() -> None:
    found = chosen(world("n2"))
    assert (found.owner, found.cause) == ("n2", MoveReason.READINESS)
    assert dict(found.eligible.refusals) == {
        "n1": Reason.NO_READY_ENDPOINT,
        "n3": Reason.NO_READY_ENDPOINT,
    }
    assert found.eligible.could_hold == set(NODES)


def test_it_does_not_go_to_a_suspect_and_waits_for_it_where_it_is() -> None:
    hiccup = replace(
        world("n2"),
        liveness={**dict.fromkeys(NODES, Liveness.ALIVE), "n2": Liveness.SUSPECT},
        suspicions={"n2": Suspicion()},
    )
    assert chosen(hiccup).owner == "n1"


def test_a_fit_node_that_is_young_takes_nothing_and_nothing_is_taken_from_the_owner() -> None:
    young = replace(
        world("n2"), liveness={**dict.fromkeys(NODES, Liveness.ALIVE), "n2": Liveness.WARMING_UP}
    )
    found = chosen(young)
    assert (found.owner, found.eligible.stays) == ("n1", True)


def test_a_young_owner_that_is_not_fit_loses_it_for_its_readiness() -> None:
    young = replace(
        world("n2"), liveness={**dict.fromkeys(NODES, Liveness.ALIVE), "n1": Liveness.WARMING_UP}
    )
    found = chosen(young)
    assert (found.owner, found.cause) == ("n2", MoveReason.READINESS)


def test_a_quarantined_node_is_not_taken_for_the_only_fit_one() -> None:
    failed = replace(world("n2"), quarantined={"10.1.1.1": frozenset({"n2"})})
    assert chosen(failed).owner == "n1"


@pytest.mark.parametrize("policy", ["Require", "Prefer"])
def test_what_was_named_just_now_is_given_to_nobody_and_taken_from_nobody(policy: Any) -> None:
    unread = ServiceTable({}, frozenset({"default/web"}))
    owned = readiness.with_fitness(replace(world(), fit_nodes={}), unread)
    assert chosen(owned).owner == "n1"
    one = replace(vip(1), readiness=frozenset({WEB}), readiness_policy=policy)
    fresh = chosen(readiness.with_fitness(cluster((one,), NODES), unread))
    assert (fresh.owner, fresh.reason) == ("", Reason.NO_PARTICIPANT)


def test_without_readiness_nothing_is_looked_at() -> None:
    snapshot = cluster((vip(1),), NODES)
    assert readiness.with_fitness(snapshot, services("n1")) is snapshot


def test_after_a_move_an_owner_that_was_fit_within_a_second_keeps_it() -> None:
    damped = replace(world("n2"), just_moved=frozenset({"10.1.1.1"}), just_unfit=fit("n1"))
    assert chosen(damped).owner == "n1"
    assert chosen(replace(damped, just_unfit={})).owner == "n2"
    assert chosen(replace(damped, just_moved=frozenset())).owner == "n2"


@pytest.mark.parametrize("moved", ["10.1.1.1", "10.1.1.2"])
def test_one_that_has_just_moved_keeps_no_other_where_it_is(moved: str) -> None:
    both = tuple(replace(vip(n), readiness=frozenset({WEB})) for n in (1, 2))
    rest = granted(readiness.with_fitness(cluster(both, NODES), services("n1")))
    snapshot = replace(
        readiness.with_fitness(rest, services("n2")),
        just_moved=frozenset({moved}),
        just_unfit=fit("n1"),
    )
    owners = {a: c.owner for a, c in decision.decide(snapshot, {}).assignments.items()}
    assert owners == {"10.1.1.1": "n2", "10.1.1.2": "n2", moved: "n1"}


def test_a_mere_wish_holds_nothing_back() -> None:
    wish = replace(vip(1), readiness=frozenset({WEB}), readiness_policy="Prefer")
    found = chosen(readiness.with_fitness(granted(cluster((wish,), NODES)), services("n2")))
    assert (found.owner, found.eligible.stays, found.eligible.fit_first) == ("n1", False, {"n2"})


def test_a_group_prefers_nodes_for_all_of_it_or_else_for_its_leader() -> None:
    other = ReadinessKey("endpointsOf", "default/other")
    snapshot = replace(cluster((), NODES), fit_nodes={**fit("n2"), other: frozenset({"n3"})})
    leader, follower = (
        Unit(f"10.1.1.{n}", (), soft_readiness=frozenset({key}))
        for n, key in ((1, WEB), (2, other))
    )
    everybody = frozenset(NODES)
    eligible = Eligible(everybody, everybody, everybody, frozenset(), frozenset(), {})
    rule = readiness.ReadinessRule(snapshot)
    assert rule.apply(eligible, (leader, follower)).fit_first == {"n2"}
    assert rule.apply(eligible, (follower, leader)).fit_first == {"n3"}


def test_only_services_are_named_as_services() -> None:
    assert readiness.named_services({WEB, ReadinessKey("check", CHECK)}) == {"default/web"}


def test_agents_look_often_only_where_somebody_asks_who_listens() -> None:
    def asks(**keys: frozenset[ReadinessKey]) -> bool:
        return readiness.asks_for_listeners([Unit("10.1.1.1", ()), Unit("10.1.1.2", (), **keys)])

    listening = frozenset({ReadinessKey("listening", "TCP/25 4")})
    assert asks(readiness=listening)
    assert asks(soft_readiness=listening)
    assert not asks(readiness=frozenset({WEB}))


def test_units_of_one_kind_have_the_identical_answer() -> None:
    eligibility = Eligibility(world("n2"))
    (unit,) = decision.decide(world("n2"), {}).units.values()
    assert eligibility.of(unit) is eligibility.of(unit)


def test_a_damped_owner_still_loses_it_by_a_drain() -> None:
    damped = replace(world("n2"), just_moved=frozenset({"10.1.1.1"}), just_unfit=fit("n1"))
    stopped = replace(damped.plumbings["n1"], leaving=True)
    found = chosen(replace(damped, plumbings={**damped.plumbings, "n1": stopped}))
    assert (found.owner, found.cause) == ("n2", MoveReason.DRAIN)


def test_a_node_counts_as_lately_fit_for_a_second() -> None:
    records = moved(readiness.update_records(ReadinessRecords(), fit("n1", "n2"), 10.0), 10.0)
    records = readiness.update_records(records, fit("n2"), 11.0)
    assert records.unfit_since == {WEB: {"n1": 11.0}}
    records = readiness.update_records(records, fit("n2"), 11.9)
    assert records.unfit_since == {WEB: {"n1": 11.0}}
    assert records.next_change() == 12.0
    assert readiness.update_records(records, records.fit, 11.9) == records, "nothing has changed"
    records = readiness.update_records(records, fit("n2"), 12.0)
    assert records.unfit_since == {}


def test_a_node_that_is_fit_again_counts_anew() -> None:
    records = readiness.update_records(ReadinessRecords(), fit("n1"), 1.0)
    for now, nodes, since in ((2.0, (), 2.0), (2.5, ("n1",), None), (3.0, (), 3.0)):
        records = readiness.update_records(records, fit(*nodes), now)
        assert records.unfit_since == ({WEB: {"n1": since}} if since else {})


def test_a_move_is_remembered_for_five_seconds() -> None:
    records = moved(readiness.update_records(ReadinessRecords(), fit("n1"), 1.0), 1.0)
    assert records.next_change() == 6.0
    snapshot = readiness.with_records(world("n1"), records)
    assert snapshot.just_moved == {"10.1.1.1"}
    records = readiness.update_records(records, fit("n1"), 6.0)
    assert (records.moved, records.next_change()) == ({}, None)
    assert readiness.with_records(snapshot, records) is snapshot


def test_only_moves_for_readiness_are_remembered() -> None:
    causes = {"10.1.1.1": MoveReason.DRAIN, "10.1.1.2": MoveReason.READINESS}
    assert readiness.record_moves(ReadinessRecords(), causes, 1.0).moved == {"10.1.1.2": 1.0}


CHECK = "tcp/%2A/ipv4/25/1s/1s/3/2"
ON_ETH1 = "tcp/eth1/ipv4/25/1s/1s/3/2"


def checked(*lines: str) -> Snapshot:
    """An address with a check, and what n2's agent says that it passes."""
    one = replace(vip(1), readiness=frozenset({ReadinessKey("check", CHECK)}))
    snapshot = cluster((one,), NODES)
    n2 = replace(snapshot.plumbings["n2"], passing=frozenset(lines))
    return readiness.with_fitness(
        replace(snapshot, plumbings={**snapshot.plumbings, "n2": n2}), ServiceTable()
    )


def test_a_check_is_made_by_every_node_that_may_hold_it() -> None:
    decided = decision.decide(checked(), {})
    assert decided.checks == dict.fromkeys(NODES, (ON_ETH1,))


def test_what_is_asked_for_beside_a_check_is_no_check() -> None:
    one = replace(vip(1), readiness=frozenset({ReadinessKey("check", CHECK), WEB}))
    assert decision.decide(cluster((one,), NODES), {}).checks == dict.fromkeys(NODES, (ON_ETH1,))


def test_only_the_line_with_its_interface_counts_as_passed() -> None:
    assert chosen(checked(ON_ETH1)).owner == "n2"
    assert chosen(checked(CHECK, "tcp/eth2/ipv4/25/1s/1s/3/2")).eligible.stays
    assert chosen(checked("junk")).eligible.stays


def test_a_thousand_addresses_with_one_check_are_one_line_and_of_too_many_some_are_not_made() -> (
    None
):
    same = [replace(vip(n), readiness=frozenset({ReadinessKey("check", CHECK)})) for n in range(9)]
    assert set(decision.decide(cluster(tuple(same), NODES), {}).checks.values()) == {(ON_ETH1,)}
    keys = [ReadinessKey("check", f"tcp/%2A/ipv4/{n + 1}/1s/1s/3/2") for n in range(300)]
    many = tuple(replace(vip(n), readiness=frozenset({key})) for n, key in enumerate(keys))
    found = decision.decide(cluster(many, NODES), {}).checks
    assert [len(lines) for lines in found.values()] == [256] * 3


def test_terminating_endpoints_count_only_where_no_other_node_has_a_ready_one() -> None:
    alone = readiness.with_fitness(world(), services(serving=("n1",)))
    assert readiness.works_on(alone, frozenset({WEB}), "n1")
    others = readiness.with_fitness(world(), services("n2", serving=("n1",)))
    assert not readiness.works_on(others, frozenset({WEB}), "n1")
    assert [readiness.unmet(others, frozenset({WEB}), n) for n in ("n1", "n2")] == [[WEB], []]


def test_what_is_lacking_is_told_in_words() -> None:
    said = [
        readiness.describe(checked(), key)
        for key in (
            WEB,
            ReadinessKey("listening", "TCP/25 4"),
            ReadinessKey("check", "http/%2A/ipv4/8080/1s/1s/3/2/200-399/-/healthz", "lan"),
        )
    ]
    assert said == [
        "no ready endpoint of Service web",
        "nobody listens on TCP/25 of all IPv4 addresses",
        "the check http://:8080/healthz does not pass",
    ]


def test_a_service_without_an_endpointslice_is_told_from_one_without_ready_endpoints() -> None:
    for table, reason, words in (
        (services(), Reason.NO_READY_ENDPOINT, "no ready endpoint of Service web"),
        (ServiceTable(), Reason.SERVICE_UNKNOWN, "Service web has no EndpointSlice"),
    ):
        snapshot = readiness.with_fitness(world(), table)
        assert readiness.reason_of(snapshot, WEB) is reason
        assert readiness.describe(snapshot, WEB) == words


def test_others_keep_their_short_cut_in_a_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    asking = tuple(replace(vip(n), readiness=frozenset({WEB})) for n in range(10))
    others = tuple(vip(n) for n in range(10, 200))
    begun = readiness.with_fitness(cluster((*asking, *others), NODES), services("n1"))
    rest = granted(begun)
    looked: list[Unit] = []
    usual = Eligibility.of

    def of(self: Eligibility, unit: Unit, *followers: Unit) -> Eligible:
        looked.append(unit)
        return usual(self, unit, *followers)

    monkeypatch.setattr(Eligibility, "of", of)
    decision.decide(rest, {})
    assert looked == []
    decided = decision.decide(readiness.with_fitness(rest, services("n2")), {})
    assert {unit.address for unit in looked} == {one.address for one in asking}
    assert {decided.assignments[one.address].owner for one in asking} == {"n2"}


def test_nodes_are_counted_by_what_they_lack() -> None:
    found = readiness.unfit_nodes(world("n2"))
    assert {why: nodes for why, nodes in found.items() if nodes} == {
        Reason.NO_READY_ENDPOINT: {"n1", "n3"}
    }
    unknown = readiness.with_fitness(world(), ServiceTable())
    assert readiness.unfit_nodes(unknown)[Reason.SERVICE_UNKNOWN] == set(NODES)
